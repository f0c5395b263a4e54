/** An entry's number as eight bytes, high byte first, so that the order of the bytes is the order of the numbers. */
function write(sequence: number, target: Buffer, at: number): number {
  target.writeUInt32BE(Math.floor(sequence / 2 ** 32), at)
  return target.writeUInt32BE(sequence % 2 ** 32, at + 4)
}

const read = (source: Buffer, at: number): number => source.readUInt32BE(at) * 2 ** 32 + source.readUInt32BE(at + 4)

/** For a table whose keys are numbers. */
export const sequenceKeys = { writeKey: write, readKey: read }

/** For a table whose values are numbers, several of which may have the same key. */
export const sequenceValues = {
  writeKey: write,
  readKey: read,
  encode(sequence: number): Buffer {
    const bytes = Buffer.allocUnsafe(8)
    write(sequence, bytes, 0)
    return bytes
  },
  decode: (bytes: Buffer): number => read(bytes, 0),
}
