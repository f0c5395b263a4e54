import { HubError } from '../../src/errors.ts'
import type { Update } from '../../src/protocol/update.ts'
import type { Connection, Session } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import type { Outage } from '../backend/outage.ts'
import { type Group, PublishQueue } from '../backend/publish-queue.ts'
import { encodeAfter, encodeUpdate } from './entry.ts'
import type { Partition } from './partition.ts'
import { batchOverheadBytes, type EncodedRecord, encodeRecord, sizeOf } from './records.ts'

/** The two topics, to write to. */
export class WritingSession implements Session {
  readonly log: Partition
  readonly messages: Partition
  /** The largest batch that the log takes. */
  readonly maxBatchBytes: number
  readonly ended: Promise<void>
  /** The offset of the newest message that was sent here. */
  lastMessage: number | undefined

  constructor(log: Partition, messages: Partition, maxBatchBytes: number) {
    this.log = log
    this.messages = messages
    this.maxBatchBytes = maxBatchBytes
    this.ended = Promise.race([log.ended, messages.ended])
  }

  get isOver(): boolean {
    return this.log.isOver || this.messages.isOver
  }

  async end(): Promise<void> {
    await Promise.all([this.log.end(), this.messages.end()])
  }

  kill(): void {
    this.log.kill()
    this.messages.kill()
  }
}

export interface WriterOptions {
  readonly connection: Connection<WritingSession>
  readonly outage: Outage
  /** How long a publisher waits at most, in milliseconds; 0: for ever. */
  readonly publishTimeoutMs: number
  /** The largest batch that the log takes, as far as is known. */
  readonly maxBatchBytes: () => number
  /** Called when too few brokers have the log for what the topic demands (`min.insync.replicas`); another connection is of no use soon. */
  readonly hasTooFewReplicas: () => void
}

/** What goes to Kafka in one batch at most, in bytes. */
const groupBounds = { updates: 1000, size: 900_000 }
const tooFewReplicas = 'NOT_ENOUGH_REPLICAS'

export function createWriter(options: WriterOptions): PublishQueue<WritingSession, EncodedRecord> {
  const { connection, outage, publishTimeoutMs, maxBatchBytes, hasTooFewReplicas } = options
  return new PublishQueue({
    ...{ connection, outage, publishTimeoutMs, groupBounds },
    encode: update => encode(update, maxBatchBytes()),
    async store(session, group) {
      try {
        await store(session, group, publishTimeoutMs)
      } catch (error) {
        const failure = Failure.of(error)
        if (failure.code === tooFewReplicas) hasTooFewReplicas()
        throw failure
      }
    },
  })
}

/** @throws HubError `body_too_large` */
function encode(update: Update, maxBatchBytes: number): { item: EncodedRecord; size: number } {
  const item = encodeUpdate(update)
  const size = sizeOf(item)
  if (size + batchOverheadBytes <= maxBatchBytes) return { item, size }
  throw new HubError(
    'body_too_large',
    `The update is too large for the log of this hub, a topic of Kafka that takes ${maxBatchBytes} bytes (max.message.bytes).`,
  )
}

/** @throws Failure */
async function store(session: WritingSession, group: Group<EncodedRecord>, timeoutMs: number): Promise<void> {
  if (group.messages.length > 0) await sendMessages(session, group.messages, timeoutMs)
  const [first, ...rest] = group.items
  if (first === undefined) return
  // Every node hears the messages before it delivers what was published after them.
  const marked = session.lastMessage === undefined ? first : encodeAfter(first, session.lastMessage)
  let stored = 0
  for (const batch of batchesOf([marked, ...rest], session.maxBatchBytes)) {
    await session.log.produce(batch, timeoutMs)
    stored += batch.length
    group.acknowledge(stored)
  }
}

async function sendMessages(
  session: WritingSession,
  messages: readonly Uint8Array[],
  timeoutMs: number,
): Promise<void> {
  try {
    const records = messages.map(message => encodeRecord(message, []))
    for (const batch of batchesOf(records, groupBounds.size)) {
      const { offset } = await session.messages.produce(batch, timeoutMs)
      session.lastMessage = offset + batch.length - 1
    }
  } catch (error) {
    // Of the updates behind them nothing has been sent.
    const { message, code } = Failure.of(error)
    throw new Failure('passing', message, code)
  }
}

/** Stores what is no message, where those are. @throws Failure */
export async function probe({ messages }: WritingSession, timeoutMs: number): Promise<void> {
  await messages.produce([encodeRecord(new Uint8Array(), [])], timeoutMs)
}

/** In batches that a topic takes. */
export function* batchesOf(records: readonly EncodedRecord[], maxBytes: number): Generator<EncodedRecord[]> {
  let batch: EncodedRecord[] = []
  let bytes = batchOverheadBytes
  for (const record of records) {
    const size = sizeOf(record)
    if (batch.length > 0 && bytes + size > maxBytes) {
      yield batch
      batch = []
      bytes = batchOverheadBytes
    }
    batch.push(record)
    bytes += size
  }
  if (batch.length > 0) yield batch
}
