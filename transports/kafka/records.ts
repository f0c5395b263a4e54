/**
 * Batches of records, as the protocol of Kafka has them in requests, in answers and on the disk (its message format 2). Numbers of variable
 * length are those of Protocol Buffers, with the sign in the lowest bit.
 */

/** A record that is to be stored, but for its place: key, value and headers, each with its length. */
export interface EncodedRecord {
  readonly keyAndValue: Buffer
  readonly headerCount: number
  readonly headers: Buffer
}

export interface StoredRecord {
  readonly offset: number
  /** When it was stored, or sent, in milliseconds. */
  readonly timeMs: number
  readonly value: Buffer | undefined
  readonly headers: readonly Header[]
}

export type Header = readonly [name: string, value: Buffer]

/** Undoes what a broker, or who else has written there, did to the records of a batch. */
export type Decompress = (algorithm: number, data: Buffer) => Buffer
export type Checksum = (data: Buffer) => number

/** How far into a batch its parts begin. */
const at = { length: 8, epoch: 12, magic: 16, checksum: 17, attributes: 21, lastDelta: 23, time: 27, maxTime: 35 }
const producerAt = 43
const countAt = 57
const recordsAt = 61
const magic = 2
const compressionBits = 0b111
const appendTimeBit = 0b1000
const controlBit = 0b10_0000

export function encodeRecord(value: Uint8Array, headers: readonly (readonly [string, string])[]): EncodedRecord {
  const parts = headers.map(([name, text]) => [Buffer.from(name), Buffer.from(text)] as const)
  const headerBytes = parts.reduce((sum, [name, text]) => sum + name.length + text.length + 10, 0)
  const keyAndValue = Buffer.allocUnsafe(value.length + 6)
  // There is no key.
  let end = writeInteger(keyAndValue, 0, -1)
  end = writeBytes(keyAndValue, end, value)
  const encoded = Buffer.allocUnsafe(headerBytes)
  let headersEnd = 0
  for (const [name, text] of parts) headersEnd = writeBytes(encoded, writeBytes(encoded, headersEnd, name), text)
  return {
    keyAndValue: keyAndValue.subarray(0, end),
    headerCount: headers.length,
    headers: encoded.subarray(0, headersEnd),
  }
}

/** At most how many bytes a record takes in a batch. */
export const sizeOf = ({ keyAndValue, headers }: EncodedRecord): number => keyAndValue.length + headers.length + 20

/** What a batch takes besides its records. */
export const batchOverheadBytes = recordsAt

/** `timesMs`: those of the records, one for each, or one for all. */
export function encodeBatch(
  records: readonly EncodedRecord[],
  timesMs: number | readonly number[],
  checksum: Checksum,
): Buffer {
  const times = typeof timesMs === 'number' ? [timesMs] : timesMs
  const firstMs = times[0]!
  const maxMs = times.reduce((max, timeMs) => Math.max(max, timeMs))
  const batch = Buffer.alloc(recordsAt + records.reduce((sum, record) => sum + sizeOf(record), 0))
  let end = recordsAt
  for (const [i, { keyAndValue, headerCount, headers }] of records.entries()) {
    const beyondFirstMs = (times[i] ?? firstMs) - firstMs
    const lengths = [beyondFirstMs, i, headerCount].reduce((sum, value) => sum + integerBytes(value), 0)
    // Attributes are the one byte more.
    end = writeInteger(batch, end, 1 + lengths + keyAndValue.length + headers.length)
    batch[end++] = 0
    end = writeInteger(batch, end, beyondFirstMs)
    end = writeInteger(batch, end, i)
    end += keyAndValue.copy(batch, end)
    end = writeInteger(batch, end, headerCount)
    end += headers.copy(batch, end)
  }
  batch.writeInt32BE(end - at.epoch, at.length)
  batch.writeInt32BE(-1, at.epoch)
  batch[at.magic] = magic
  batch.writeInt32BE(records.length - 1, at.lastDelta)
  batch.writeBigInt64BE(BigInt(firstMs), at.time)
  batch.writeBigInt64BE(BigInt(maxMs), at.maxTime)
  // No producer of the kind that numbers its batches: its number, epoch and first sequence.
  batch.fill(0xff, producerAt, countAt)
  batch.writeInt32BE(records.length, countAt)
  batch.writeUInt32BE(checksum(batch.subarray(at.attributes, end)), at.checksum)
  return batch.subarray(0, end)
}

/**
 * The records from an offset on. `end`: the offset after the last one that is in whole batches, records that are not for readers included.
 */
export function decodeBatches(
  data: Buffer,
  from: number,
  decompress: Decompress,
): { readonly records: StoredRecord[]; readonly end: number } {
  const records: StoredRecord[] = []
  let end = from
  let start = 0
  while (data.length - start >= recordsAt) {
    const size = at.epoch + data.readInt32BE(start + at.length)
    // The last one may be cut off.
    if (data.length - start < size) break
    const batch = data.subarray(start, start + size)
    start += size
    // Kafka 4 stores no older formats, and a hub never did.
    if (batch[at.magic] !== magic) continue
    const last = Number(batch.readBigInt64BE(0)) + batch.readInt32BE(at.lastDelta)
    if (last < from) continue
    end = last + 1
    if ((batch.readInt16BE(at.attributes) & controlBit) === 0) decodeBatch(batch, from, decompress, records)
  }
  return { records, end }
}

function decodeBatch(batch: Buffer, from: number, decompress: Decompress, records: StoredRecord[]): void {
  const first = Number(batch.readBigInt64BE(0))
  const attributes = batch.readInt16BE(at.attributes)
  const firstTimeMs = Number(batch.readBigInt64BE(at.time))
  const appendTimeMs = (attributes & appendTimeBit) === 0 ? undefined : Number(batch.readBigInt64BE(at.maxTime))
  const count = batch.readInt32BE(countAt)
  const algorithm = attributes & compressionBits
  const body = batch.subarray(recordsAt)
  const cursor = new Cursor(algorithm === 0 ? body : decompress(algorithm, body))
  for (let i = 0; i < count; i++) {
    const length = cursor.integer()
    const end = cursor.place + length
    cursor.skip(1)
    const timeMs = appendTimeMs ?? firstTimeMs + cursor.integer()
    if (appendTimeMs !== undefined) cursor.integer()
    const offset = first + cursor.integer()
    if (offset >= from) {
      cursor.bytes()
      const value = cursor.bytes()
      const headers: Header[] = []
      for (let left = cursor.integer(); left > 0; left--) {
        headers.push([cursor.bytes()?.toString() ?? '', cursor.bytes() ?? empty])
      }
      records.push({ offset, timeMs, value, headers })
    }
    cursor.place = end
  }
}

const empty = Buffer.alloc(0)

class Cursor {
  readonly #data: Buffer
  place = 0

  constructor(data: Buffer) {
    this.#data = data
  }

  skip(bytes: number): void {
    this.place += bytes
  }

  integer(): number {
    let low = 0
    let scale = 1
    for (;;) {
      const byte = this.#data[this.place++]
      if (byte === undefined) throw new RangeError('A record ends too early.')
      low += (byte & 0x7f) * scale
      if (byte < 0x80) break
      scale *= 0x80
    }
    return low % 2 === 0 ? low / 2 : -(low + 1) / 2
  }

  bytes(): Buffer | undefined {
    const length = this.integer()
    if (length < 0) return undefined
    this.place += length
    return this.#data.subarray(this.place - length, this.place)
  }
}

/** @returns where it ends */
function writeInteger(target: Buffer, start: number, value: number): number {
  let rest = signLast(value)
  let end = start
  // Bits beyond the 32nd are out of reach of the operators for them.
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target[end++] = (rest % 0x80) + 0x80
  target[end++] = rest
  return end
}

function integerBytes(value: number): number {
  let bytes = 1
  for (let rest = signLast(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

const signLast = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value)

function writeBytes(target: Buffer, start: number, bytes: Uint8Array): number {
  const end = writeInteger(target, start, bytes.length)
  target.set(bytes, end)
  return end + bytes.length
}
