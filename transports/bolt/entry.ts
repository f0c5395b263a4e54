import type { Update } from '../../src/protocol/update.ts'
import { type EventFields, parseEvent, readData } from './event.ts'

/**
 * What is stored of an update, so that a replay copies `event` and matches `topics` without decoding the data:
 *
 *     flags   1 byte: 1 private, 2 the data is stored apart
 *     time    6 bytes: milliseconds since 1970, big-endian
 *     topics  the length of what follows of them, then for each its length and its UTF-8
 *     data    with flag 2: its length and its UTF-8
 *     event   the rest: the update as event-stream bytes, which hold id, type, retry and data
 *
 * A length is a base-128 number of up to 28 bits, low group first, bit 7 set in every byte but the last.
 */
export interface StoredEntry {
  /** Decodes what is asked for. */
  readonly update: Update
  readonly event: Uint8Array
  /** When it was stored, in milliseconds since 1970. */
  readonly timeMs: number
}

const privateFlag = 1
const dataApartFlag = 2
const headBytes = 7

/** `event` is the update as `encodeEvent` gives it: there, every line break is a LF, so that data with a CR is stored apart. */
export function encodeEntry(update: Update, event: Uint8Array, timeMs: number): Buffer {
  const topicsBytes = update.topics.reduce((sum, topic) => sum + prefixedBytes(topic), 0)
  const dataApart = update.data.includes('\r') ? update.data : undefined
  const entry = Buffer.allocUnsafe(
    headBytes +
      lengthBytes(topicsBytes) +
      topicsBytes +
      (dataApart === undefined ? 0 : prefixedBytes(dataApart)) +
      event.byteLength,
  )
  entry[0] = (update.private ? privateFlag : 0) | (dataApart === undefined ? 0 : dataApartFlag)
  entry.writeUIntBE(timeMs, 1, 6)
  let at = writeLength(entry, topicsBytes, headBytes)
  for (const topic of update.topics) at = writePrefixed(entry, topic, at)
  if (dataApart !== undefined) at = writePrefixed(entry, dataApart, at)
  entry.set(event, at)
  return entry
}

/**
 * The event shares the memory of `bytes`.
 * @throws RangeError for bytes that are no entry
 */
export function decodeEntry(bytes: Buffer): StoredEntry {
  const flags = bytes[0]!
  const cursor = { at: headBytes }
  const topicsBytes = readLength(bytes, cursor)
  const topicsEnd = cursor.at + topicsBytes
  const topics: string[] = []
  while (cursor.at < topicsEnd) topics.push(readPrefixed(bytes, cursor))
  let dataApart: string | undefined
  if ((flags & dataApartFlag) !== 0) dataApart = readPrefixed(bytes, cursor)
  const event = bytes.subarray(cursor.at)
  return {
    update: new StoredUpdate(event, topics, (flags & privateFlag) !== 0, dataApart),
    event,
    timeMs: entryTime(bytes),
  }
}

export const entryTime = (bytes: Buffer): number => bytes.readUIntBE(1, 6)

/** A replay asks for topics and privacy; the rest is read from the event when somebody wants it. */
class StoredUpdate implements Update {
  readonly topics: readonly string[]
  readonly private: boolean
  readonly #event: Buffer
  readonly #dataApart: string | undefined
  #fields: EventFields | undefined

  constructor(event: Buffer, topics: readonly string[], isPrivate: boolean, dataApart: string | undefined) {
    this.topics = topics
    this.private = isPrivate
    this.#event = event
    this.#dataApart = dataApart
  }

  get id(): string {
    return this.#parsed.id
  }

  get type(): string {
    return this.#parsed.type
  }

  get retry(): number {
    return this.#parsed.retry
  }

  get data(): string {
    return this.#dataApart ?? readData(this.#event, this.#parsed)
  }

  get #parsed(): EventFields {
    this.#fields ??= parseEvent(this.#event)
    return this.#fields
  }
}

function lengthBytes(length: number): number {
  let bytes = 1
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) bytes++
  return bytes
}

function prefixedBytes(text: string): number {
  const bytes = Buffer.byteLength(text)
  return lengthBytes(bytes) + bytes
}

function writeLength(target: Buffer, length: number, offset: number): number {
  let at = offset
  let rest = length
  for (; rest > 0x7f; rest >>>= 7) target[at++] = (rest & 0x7f) | 0x80
  target[at++] = rest
  return at
}

function writePrefixed(target: Buffer, text: string, offset: number): number {
  const at = writeLength(target, Buffer.byteLength(text), offset)
  return at + target.write(text, at)
}

function readLength(bytes: Buffer, cursor: { at: number }): number {
  let length = 0
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = bytes.readUInt8(cursor.at++)
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) return length
  }
  throw new RangeError('a length of more than 28 bits')
}

function readPrefixed(bytes: Buffer, cursor: { at: number }): string {
  const length = readLength(bytes, cursor)
  const start = cursor.at
  cursor.at += length
  return bytes.toString('utf8', start, cursor.at)
}
