/** The content codings of an event stream (RFC 9110, section 8.4.1), in the order in which they are chosen where a client likes them equally. */
export const codings = ['gzip', 'zstd', 'br'] as const
export type CodingName = (typeof codings)[number]

/** The quality value (RFC 9110, section 12.4.2) of each coding that is named, in lower case. What is malformed is passed over. */
function readQualities(header: string): ReadonlyMap<string, number> {
  const qualities = new Map<string, number>()
  for (const item of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = item.split(';').map(part => part.trim())
    const weight = parameters.find(parameter => parameter.startsWith('q='))
    const quality = weight === undefined ? 1 : Number(weight.slice(2))
    if (name !== '' && quality >= 0 && quality <= 1) qualities.set(name === 'x-gzip' ? 'gzip' : name, quality)
  }
  return qualities
}

/**
 * The coding for a request with this `Accept-Encoding`; `undefined`: none. The one that the client prefers; none where it prefers
 * that, and where it takes nothing that there is, since an event stream as it is serves it better than a refusal.
 */
export function chooseCoding(header: string | undefined): CodingName | undefined {
  if (header === undefined) return undefined
  const qualities = readQualities(header)
  const others = qualities.get('*') ?? 0
  let chosen: CodingName | undefined
  // What is not named is taken, but asked for less than any coding that is.
  let best = qualities.get('identity') ?? 0
  for (const name of codings) {
    const quality = qualities.get(name) ?? others
    if (quality > best || (quality === best && quality > 0 && chosen === undefined)) {
      chosen = name
      best = quality
    }
  }
  return chosen
}
