/**
 * The longest id of an update, in bytes of UTF-8. It comes back as the header `Last-Event-ID`, and servers and proxies take a head of some
 * KiB, cookies and tokens included.
 */
export const maxIdBytes = 1024

/** What keeps a client from sending an id back. */
export type IdFlaw = 'is empty' | 'is too long' | 'has a control character' | 'has a space at an end'

/** Why a client that reconnects could not send the id in these bytes as a header; `undefined`: it can. Looks at `maxIdBytes` at most. */
export function findIdFlaw(bytes: Uint8Array, start = 0, end = bytes.length): IdFlaw | undefined {
  if (end === start) return 'is empty'
  if (end - start > maxIdBytes) return 'is too long'
  // RFC 9110, section 5.5: no control characters; the white space around a value is no part of it.
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte < space || byte === del) return 'has a control character'
  }
  if (bytes[start] === space || bytes[end - 1] === space) return 'has a space at an end'
  return undefined
}

/** A client that reconnects can say that this was its last event. */
export const isCursor = (id: string): boolean =>
  (id.length <= maxIdBytes && visibleAscii.test(id)) || findIdFlaw(utf8.encode(id)) === undefined

/** Nearly every id: it need not be encoded to be known as good. */
const visibleAscii = /^[!-~]+$/

const space = 0x20
const del = 0x7f
const utf8 = new TextEncoder()
