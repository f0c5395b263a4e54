import type { Update } from '../../src/protocol/update.ts'
import type { LogEntry } from '../../src/transport.ts'
import type { Message, OutgoingMessage } from './client.ts'
import { formatPosition, type Position } from './position.ts'

/** An update at its place. */
export interface Placed {
  readonly position: Position
  readonly update: Update
}

/** The data are the payload, and all else properties, for people as well: `pulsar-client read` shows who published what. */
export function encodeUpdate({ id, topics, data, type, retry, private: isPrivate }: Update): OutgoingMessage {
  const properties: Record<string, string> = { id, topics: JSON.stringify(topics) }
  if (type !== '') properties.type = type
  if (retry !== 0) properties.retry = String(retry)
  if (isPrivate) properties.private = '1'
  return { payload: Buffer.from(data), properties }
}

/** `undefined` for what no hub has stored, and for a mark. */
export function decodeUpdate({ position, payload, properties }: Message): Placed | undefined {
  const { id, topics, type = '', retry = '0' } = properties
  const names = topics === undefined ? undefined : readTopics(topics)
  if (id === undefined || names === undefined) return undefined
  const data = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString()
  const isPrivate = properties.private === '1'
  return { position, update: { id, topics: names, data, type, retry: Number(retry), private: isPrivate } }
}

function readTopics(text: string): string[] | undefined {
  try {
    const topics: unknown = JSON.parse(text)
    return Array.isArray(topics) && topics.length > 0 && topics.every(topic => typeof topic === 'string')
      ? topics
      : undefined
  } catch {
    return undefined
  }
}

export const toLogEntry = ({ position, update }: Placed): LogEntry => ({ position: formatPosition(position), update })

/** A message by which a hub finds out where the log ends. It is no update. */
export const mark: OutgoingMessage = { payload: new Uint8Array(0), properties: { mark: '1' } }

export const isMark = ({ properties }: Message): boolean => properties.mark !== undefined

/** For an update that was stored somewhere before, at this time. */
export const withTime = (message: OutgoingMessage, timeMs: number): OutgoingMessage => ({
  ...message,
  properties: { ...message.properties, time: String(timeMs) },
})

/** When an update was stored first, in milliseconds since 1970. */
export function readTime({ properties, timeMs }: Message): number {
  const time = Number(properties.time ?? timeMs)
  return Number.isFinite(time) ? time : timeMs
}

/** Others are to know a node's updates and messages by it: it is unlike every other, those of before included. */
export const createNodeName = (): string => crypto.randomUUID().replaceAll('-', '').slice(0, 12)

/** What a node says of itself with each update. */
export interface Stamp {
  readonly node: string
  /** How many updates it had sent to the log, this one included. */
  readonly updates: number
  /** How many messages it had sent to the other nodes. */
  readonly messages: number
}

export const stamp = (message: OutgoingMessage, { node, updates, messages }: Stamp): OutgoingMessage => ({
  ...message,
  properties: { ...message.properties, hub: `${node}:${updates}:${messages}` },
})

export function readStamp({ properties }: OutgoingMessage): Stamp | undefined {
  const [, node, updates, messages] = /^(\w{1,40}):(\d{1,15}):(\d{1,15})$/.exec(properties.hub ?? '') ?? []
  if (node === undefined) return undefined
  return { node, updates: Number(updates), messages: Number(messages) }
}

/** What one message has of several at most, in bytes: the frames of Pulsar's WebSocket API have 1 MiB as a rule, and are text. */
const maxFoldBytes = 256 * 1024

/** Makes few messages of many, each of which Pulsar has its work with. Gives how many are in each, too. */
export function fold(messages: readonly OutgoingMessage[]): { message: OutgoingMessage; count: number }[] {
  const folded: { message: OutgoingMessage; count: number }[] = []
  for (let from = 0; from < messages.length; ) {
    const parts: Uint8Array[] = []
    let bytes = 0
    let to = from
    for (; to < messages.length; to++) {
      const { payload, properties } = messages[to]!
      const head = Buffer.from(JSON.stringify(properties))
      bytes += head.length + payload.length
      if (to > from && bytes > maxFoldBytes) break
      parts.push(head, payload)
    }
    const count = to - from
    const message = count === 1 ? messages[from]! : { payload: pack(parts), properties: { updates: String(count) } }
    folded.push({ message, count })
    from = to
  }
  return folded
}

/** What was sent as one message, each at its own place. */
export function unfold(message: Message): readonly Message[] {
  const { position, payload, properties, timeMs } = message
  const last = readStamp(message)
  const parts = properties.updates === undefined ? [] : unpack(payload)
  const count = parts.length / 2
  if (last === undefined || count === 0 || count !== Number(properties.updates)) return [message]
  try {
    return Array.from({ length: count }, (_, index) => {
      const properties = JSON.parse(Buffer.from(parts[2 * index]!).toString()) as Record<string, string>
      const part = stamp(
        { payload: parts[2 * index + 1]!, properties },
        { ...last, updates: last.updates - count + 1 + index },
      )
      return { ...part, position: { ...position, index }, timeMs }
    })
  } catch {
    return [message]
  }
}

/** Several texts or messages as one: each with its length in front. */
export function pack(messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap(message => {
      const length = Buffer.allocUnsafe(4)
      length.writeUInt32BE(message.length)
      return [length, message]
    }),
  )
}

export function unpack(payload: Uint8Array): Uint8Array[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const messages: Uint8Array[] = []
  for (let at = 0; at + 4 <= payload.length; ) {
    const end = at + 4 + view.getUint32(at)
    messages.push(payload.subarray(at + 4, end))
    at = end
  }
  return messages
}
