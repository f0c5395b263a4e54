/** Ids that a hub assigns tell when: a UUID of version 7 begins with milliseconds since 1970, in 48 bits. */
export function timeOfId(id: string): number | undefined {
  const [, high, low] = /^urn:uuid:([\da-f]{8})-([\da-f]{4})-7/.exec(id) ?? []
  return high === undefined || low === undefined ? undefined : Number.parseInt(high + low, 16)
}
