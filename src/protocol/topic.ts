/** The path of the hub, and with everything below it the namespace of the topics that only the hub publishes. */
export const hubPath = '/.well-known/mercure'

/** The URL that stands in for the hub's where that is not known: relative topics and patterns are resolved against it. */
export const unknownHubUrl = `http://mercure.invalid${hubPath}`

/**
 * The longest topic that patterns and templates are matched against, in UTF-16 code units, as sent and as a canonical URL.
 * A longer topic is matched by equality and by `*` only.
 */
export const maxPatternTopicLength = 4096

/**
 * What no matcher, topic, id or event type of generation 1.0 may contain: control characters (C0, DEL, C1), format characters
 * (Unicode category Cf: zero width and bidirectional marks) and lone surrogates, which valid UTF-8 cannot give. Linear.
 */
export function hasForbiddenCharacters(text: string): boolean {
  return /[\p{Cc}\p{Cf}\p{Cs}]/u.test(text)
}

/**
 * Generation 1.0: the topic, resolved against the hub's URL, has a path in the hub's namespace, whatever its scheme and host.
 * Escapes of characters that need none are the same as the characters.
 *
 * A topic too long to be matched is not resolved (parsing an authority is not linear): it counts as reserved as soon as it could be.
 */
export function isReserved(topic: string, hubUrl: string = unknownHubUrl): boolean {
  if (topic.length > maxPatternTopicLength) return couldBeReserved(topic)
  const url = URL.parse(topic, hubUrl)
  if (url === null) return false
  const path = decodeUnreserved(url.pathname)
  return path === hubPath || path.startsWith(`${hubPath}/`)
}

/** Generation 0.x: the hub's path occurs anywhere in the topic. */
export function referencesReserved(topic: string): boolean {
  return topic.includes(hubPath)
}

/** The last segment of the hub's path is in the topic, or the topic has no path of its own. */
function couldBeReserved(topic: string): boolean {
  const first = topic.trimStart()[0]
  return first === '?' || first === '#' || first === undefined || decodeUnreserved(topic).includes('mercure')
}

const unreservedByEscape = new Map<string, string>(
  [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~'].map(character => [
    `%${character.charCodeAt(0).toString(16)}`,
    character,
  ]),
)

function decodeUnreserved(path: string): string {
  const [first = '', ...rest] = path.split('%')
  return first + rest.map(part => decodeFirst(`%${part}`)).join('')
}

function decodeFirst(part: string): string {
  const character = unreservedByEscape.get(part.slice(0, 3).toLowerCase())
  return character === undefined ? part : character + part.slice(3)
}
