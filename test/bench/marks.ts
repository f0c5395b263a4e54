const mark = 0x7e // "~"

/** Reads bytes of a stream in any portions, and tells each text that stands between two "~". */
export function readMarks(found: (text: string) => void): (chunk: Buffer) => void {
  /** What has come of a mark that is not whole. */
  let rest: Buffer = Buffer.alloc(0)
  return chunk => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    for (;;) {
      const begin = bytes.indexOf(mark, at)
      const end = begin === -1 ? -1 : bytes.indexOf(mark, begin + 1)
      if (end === -1) {
        rest = begin === -1 ? Buffer.alloc(0) : bytes.subarray(begin)
        return
      }
      found(bytes.toString('latin1', begin + 1, end))
      at = end + 1
    }
  }
}
