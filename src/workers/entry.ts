import { encodeEvent } from '../protocol/event-stream.ts'
import type { Update } from '../protocol/update.ts'
import type { HistoryPage, LogEntry, PublishKey } from '../transport.ts'

// Both: the length of the head (4 bytes, big-endian), the head as JSON, and what is long as it is.

type UpdateHead = readonly [id: string, topics: readonly string[], type: string, retry: number, isPrivate: boolean]
type EntryHead = readonly [position: string, reused: boolean, ...update: UpdateHead]

/** An update on its way to the log. */
export function encodeUpdate(update: Update): Buffer {
  return join(headOf(update), Buffer.from(update.data))
}

export function decodeUpdate(bytes: Buffer): Update {
  const { head, rest } = split<UpdateHead>(bytes)
  const [id, topics, type, retry, isPrivate] = head
  return { id, topics, type, retry, private: isPrivate, data: rest.toString() }
}

/** The same with a key. */
export const encodeKeyedUpdate = (update: Update, key: PublishKey): Buffer => join(key, encodeUpdate(update))

export function decodeKeyedUpdate(bytes: Buffer): { readonly update: Update; readonly key: PublishKey } {
  const { head, rest } = split<PublishKey>(bytes)
  return { update: decodeUpdate(rest), key: head }
}

/** An entry on its way from the log, with its event: that is encoded once, whoever sends it to subscribers. */
export function encodeEntry(entry: LogEntry): Buffer {
  return join(entryHead(entry), eventOf(entry))
}

/** The event shares the memory of `bytes`. */
export function decodeEntry(bytes: Buffer): LogEntry {
  const { head, rest } = split<EntryHead>(bytes)
  return toEntry(head, rest)
}

/** A page of the history, or `undefined` after the last one: the heads of all its entries first, then their events. */
export function encodePage(page: HistoryPage | undefined): Buffer {
  const entries = page?.entries ?? []
  const events = entries.map(eventOf)
  return join([page?.end ?? null, entries.map(entryHead), events.map(event => event.byteLength)], Buffer.concat(events))
}

export function decodePage(bytes: Buffer): HistoryPage | undefined {
  const { head, rest } = split<[end: string | null, heads: readonly EntryHead[], lengths: readonly number[]]>(bytes)
  const [end, heads, lengths] = head
  if (end === null) return undefined
  let at = 0
  const entries = heads.map((head, i) => {
    const start = at
    at += lengths[i]!
    return toEntry(head, rest.subarray(start, at))
  })
  return { entries, end }
}

const eventOf = ({ event, update }: LogEntry): Uint8Array => event ?? encodeEvent(update)

const entryHead = ({ position, reused, update }: LogEntry): EntryHead => [position, reused === true, ...headOf(update)]

function toEntry([position, reused, ...update]: EntryHead, event: Buffer): LogEntry {
  return { position, reused, update: new DeliveredUpdate(update, event), event }
}

const headOf = ({ id, topics, type, retry, private: isPrivate }: Update): UpdateHead => [
  id,
  topics,
  type,
  retry,
  isPrivate,
]

const lengthBytes = 4

function join(head: object, rest: Uint8Array): Buffer {
  const text = JSON.stringify(head)
  const headBytes = Buffer.byteLength(text)
  const bytes = Buffer.allocUnsafe(lengthBytes + headBytes + rest.byteLength)
  bytes.writeUInt32BE(headBytes, 0)
  bytes.write(text, lengthBytes)
  bytes.set(rest, lengthBytes + headBytes)
  return bytes
}

function split<Head>(bytes: Buffer): { head: Head; rest: Buffer } {
  const end = lengthBytes + bytes.readUInt32BE(0)
  return { head: JSON.parse(bytes.toString('utf8', lengthBytes, end)) as Head, rest: bytes.subarray(end) }
}

const dataPrefix = '\ndata: '
const eventEnd = '\n\n'

/** Its data is read from the event when somebody wants it: every line break is a LF there. */
class DeliveredUpdate implements Update {
  readonly id: string
  readonly topics: readonly string[]
  readonly type: string
  readonly retry: number
  readonly private: boolean
  readonly #event: Buffer

  constructor([id, topics, type, retry, isPrivate]: UpdateHead, event: Buffer) {
    this.id = id
    this.topics = topics
    this.type = type
    this.retry = retry
    this.private = isPrivate
    this.#event = event
  }

  get data(): string {
    // The id has a line before the data, and no line break.
    const start = this.#event.indexOf(dataPrefix) + dataPrefix.length
    return this.#event.toString('utf8', start, this.#event.length - eventEnd.length).replaceAll(dataPrefix, '\n')
  }
}
