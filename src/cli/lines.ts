import { HubError } from '../errors.ts'

/** More than a line of an export can have: the longest string has 512 MiB. */
const maxLineBytes = 256 << 20
const lineFeed = 0x0a

export interface Line {
  readonly bytes: Uint8Array
  /** Where the next line begins, in bytes. */
  readonly end: number
}

/**
 * Lines without their LF, which alone breaks them: `node:readline` does so at U+2028 too, which JSON text may hold.
 * @throws HubError `configuration_invalid` for a line of more than 256 MiB
 */
export async function* readLines(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<Line> {
  let parts: Uint8Array[] = []
  let length = 0
  let end = 0
  const keep = (part: Uint8Array) => {
    parts.push(part)
    length += part.length
    if (length > maxLineBytes)
      throw new HubError('configuration_invalid', `a line has more than ${maxLineBytes >> 20} MiB.`)
  }
  for await (const piece of source) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece
    let start = 0
    for (let at = chunk.indexOf(lineFeed); at !== -1; at = chunk.indexOf(lineFeed, start)) {
      keep(chunk.subarray(start, at))
      end += length + 1
      yield { bytes: Buffer.concat(parts), end }
      parts = []
      length = 0
      start = at + 1
    }
    keep(chunk.subarray(start))
  }
  if (length > 0) yield { bytes: Buffer.concat(parts), end: end + length }
}
