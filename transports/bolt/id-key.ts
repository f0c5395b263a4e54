import { hash } from 'node:crypto'

/** LMDB allows for more, but long keys make its trees deep. Longer texts are indexed by their hash. */
const maxKeyBytes = 255

/** A text as an index key: its UTF-8, or, for one that LMDB cannot take, a byte that no UTF-8 has and its hash. */
export function keyOf(text: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length > 0 && bytes.length <= maxKeyBytes) return bytes
  return Buffer.concat([Buffer.of(0xff), hash('sha256', bytes, 'buffer')])
}
