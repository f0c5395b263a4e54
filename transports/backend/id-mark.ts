/** 53 bits of an id, from 1 to 2⁵³ - 1. Publishers choose ids, and are not to know which marks are alike: `seed` is of its own for each process. */
export function markOf(id: string, seed: number): number {
  let high = seed
  let low = ~seed
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i)
    high = Math.imul(high ^ unit, 0x9e3779b1)
    low = Math.imul(low ^ unit, 0x85ebca77)
  }
  high = Math.imul(high ^ (high >>> 16), 0xc2b2ae3d) ^ Math.imul(low ^ (low >>> 13), 0x27d4eb2f)
  low = Math.imul(low ^ (low >>> 16), 0x165667b1) ^ Math.imul(high ^ (high >>> 13), 0x9e3779b1)
  return ((high >>> 11) * 2 ** 32 + (low >>> 0)) % Number.MAX_SAFE_INTEGER || 1
}

/** When a hub assigned an id, in milliseconds; `undefined` for one that it has from elsewhere. RFC 9562, section 5.7. */
export function timeOfId(id: string): number | undefined {
  const [, high, low] = /^urn:uuid:([\da-f]{8})-([\da-f]{4})-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/.exec(id) ?? []
  return high === undefined ? undefined : Number.parseInt(high + low, 16)
}
