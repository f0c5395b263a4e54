/** `If-None-Match` names the tag (RFC 9110, section 13.1.2): as the only one, in a list, made weak by a proxy, or by `*`. */
export function namesTag(condition: string | undefined, tag: string): boolean {
  if (condition === undefined) return false
  if (condition === tag || condition.trim() === '*') return true
  for (const [opaque] of condition.matchAll(/"[^"]*"/g)) if (opaque === tag) return true
  return false
}
