import { setTimeout as pause } from 'node:timers/promises'
import type { OpenArchive } from '../src/archive.ts'
import { HubError } from '../src/errors.ts'
import type { Update } from '../src/protocol/update.ts'
import type {
  Broadcast,
  History,
  HistoryStart,
  LogEntry,
  OpenTransport,
  Transport,
  TransportContext,
  TransportLog,
} from '../src/transport.ts'
import { openExplained } from './backend/archive.ts'
import { Connection } from './backend/connection.ts'
import { Failure } from './backend/failure.ts'
import { inTime } from './backend/in-time.ts'
import { Outage } from './backend/outage.ts'
import { Readers } from './backend/readers.ts'
import { closed, unreadable, unusable } from './backend/refusals.ts'
import { KafkaArchive } from './kafka/archive.ts'
import { Brokers } from './kafka/brokers.ts'
import { Extent } from './kafka/extent.ts'
import { type Log, readPages, type Use } from './kafka/history.ts'
import { Ids } from './kafka/ids.ts'
import { kafka, type Location, readLocation } from './kafka/location.ts'
import { Messages } from './kafka/messages.ts'
import type { Partition } from './kafka/partition.ts'
import { Progress } from './kafka/progress.ts'
import { Retention } from './kafka/retention.ts'
import { Tail } from './kafka/tail.ts'
import { inspectTopic, logTopic, presenceTopic, type WantedTopic } from './kafka/topic.ts'
import { createWriter, probe, WritingSession } from './kafka/writer.ts'

/**
 * `kafka://kafka/?addr=host:9092&addr=…&topic=mercure`: a log that many hubs share, in a topic of Kafka 2.4 or later that has one partition. Both are made where they are
 * not there: that topic, and `TOPIC.presence`, in which the nodes tell each other of their subscriptions. Options:
 *
 * - `addr`: brokers, of which one that answers tells the others; without it the host is one. `topic`, or the path.
 * - `user`, `password`, `mechanism` (`plain`, `scram-sha-256`, `scram-sha-512`), `tls=1`.
 * - `max_age`, `size_bytes`: what a topic that is made here keeps; by default what the brokers say. `replication`: on how many brokers.
 * - `size`: updates that are kept, at least; 0, the default, is no bound.
 * - `partitions=any`: of a topic with several partitions the first one will do.
 * - `ids`: of how many of the newest updates the ids are known; a million by default.
 * - `consumer_group`: in whose name the node says how far it has read, every few seconds, for tools that watch that; another one for each node.
 */
export const open: OpenTransport = async (url, context) => new KafkaTransport(readLocation(url), context)

export const checkUrl = (url: URL): void => void readLocation(url)

export const openArchive: OpenArchive = async (url, options) => {
  const location = readLocation(url)
  return await openExplained(kafka, () => KafkaArchive.open(location, options))
}

/** How much of the log is delivered as past at most, in bytes: the window of newest entries is bounded in bytes too. */
const maxBackfillBytes = 64 << 20
const maxMessageBytes = 256 * 1024
/** What lacks replicas is left alone for so long. */
const restMs = 250
/** What tells that the hub is ready answers within this time. */
const readyMs = 2000

class KafkaTransport implements Transport {
  readonly broadcast: Broadcast
  readonly #extent = new Extent()
  readonly #outage: Outage
  readonly #commands: Connection<WritingSession>
  readonly #following: Connection<Partition>
  readonly #readers: Readers<Partition>
  readonly #use: Use
  readonly #ids: Ids
  readonly #retention: Retention
  readonly #writer: ReturnType<typeof createWriter>
  readonly #messages: Messages
  readonly #tail: Tail
  readonly #progress: Progress | undefined
  readonly #timeoutMs: number
  #maxBatchBytes = Number.POSITIVE_INFINITY
  #hasTooFewReplicas = false
  #closing: Promise<void> | undefined

  constructor(location: Location, { log, publishTimeoutMs = 5000 }: TransportContext) {
    const [updates, messages] = [logTopic(location), presenceTopic(location)]
    const outage = new Outage(kafka, log)
    const brokers = new Brokers(location)
    const extent = this.#extent
    this.#outage = outage
    this.#timeoutMs = publishTimeoutMs
    this.#commands = new Connection({
      name: 'commands',
      outage,
      connect: signal => this.#openWriting(brokers, { updates, messages }, log, signal),
    })
    this.#following = new Connection({
      name: 'tail',
      outage,
      connect: signal => brokers.openPartition(updates, signal),
    })
    const hearing = new Connection({
      name: 'messages',
      outage,
      connect: signal => brokers.openPartition(messages, signal),
    })
    this.#readers = new Readers(signal => brokers.openPartition(updates, signal), { patienceMs: publishTimeoutMs })
    this.#use = read => this.#readers.use(read)
    const caughtUp = async () => this.#tail.reached(await this.#use(session => session.findHigh()))
    this.#ids = new Ids({ span: location.ids, use: this.#use, extent, caughtUp, log })
    this.#retention = new Retention({ entries: location.bounds.entries, use: this.#use, extent, log })
    const maxBatchBytes = () => this.#maxBatchBytes
    this.#writer = createWriter({
      ...{ connection: this.#commands, outage, publishTimeoutMs, maxBatchBytes },
      hasTooFewReplicas: () => {
        this.#hasTooFewReplicas = true
      },
    })
    this.#messages = new Messages(hearing)
    this.#tail = new Tail({
      connection: this.#following,
      extent,
      ids: this.#ids,
      heard: offset => this.#messages.heard(offset),
      moved: end => this.#retention.moved(end),
      log,
    })
    const { group, topic } = location
    const last = () => this.#tail.last
    this.#progress = group === undefined ? undefined : new Progress({ brokers, group, topic, last, log })
    this.broadcast = {
      maxBytes: maxMessageBytes,
      send: message => this.#writer.send(message),
      receive: listener => this.#messages.onMessage(listener),
    }
  }

  /** Where too few replicas were found, there are enough again. */
  async #openWriting(
    brokers: Brokers,
    topics: { readonly updates: WantedTopic; readonly messages: WantedTopic },
    log: TransportLog,
    signal: AbortSignal,
  ): Promise<WritingSession> {
    if (this.#hasTooFewReplicas) await pause(restMs, undefined, { signal })
    const opened: Partition[] = []
    const openOne = async (topic: WantedTopic): Promise<Partition> => {
      const partition = await brokers.openPartition(topic, signal)
      opened.push(partition)
      return partition
    }
    try {
      const updates = await openOne(topics.updates)
      this.#maxBatchBytes = (await inspectTopic(updates, topics.updates, log)).maxBatchBytes
      const session = new WritingSession(updates, await openOne(topics.messages), this.#maxBatchBytes)
      if (this.#hasTooFewReplicas) await probe(session, readyMs)
      this.#hasTooFewReplicas = false
      return session
    } catch (error) {
      for (const partition of opened) partition.kill()
      throw error
    }
  }

  async start({ backfill }: { backfill: number }, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    await this.#commands.session()
    // The topics are there now.
    await this.#messages.attach()
    await this.#tail.attach({ entries: backfill, bytes: maxBackfillBytes }, deliver)
    this.#progress?.start()
  }

  async publish(update: Update): Promise<void> {
    return await this.#writer.publish(update)
  }

  async history(from: HistoryStart, { signal }: { signal: AbortSignal }): Promise<History> {
    const log: Log = {
      use: this.#use,
      extent: this.#extent,
      isReused: update => this.#ids.isReused(update),
    }
    // History ends with what was delivered here; a log that is only looked at has no such end.
    const upTo = this.#tail.last ?? (await this.#inTime(this.#use(session => session.findHigh()))) - 1
    if (from === 'earliest') return { found: true, pages: readPages(log, { after: undefined, upTo }, signal) }
    const mark = 'id' in from ? await this.#inTime(this.#ids.find(from.id)) : this.#find(from.position, upTo)
    const position = mark === undefined ? {} : { position: this.#extent.positionOf(mark) }
    return { found: mark !== undefined, ...position, pages: readPages(log, { after: mark ?? upTo, upTo }, signal) }
  }

  /** A reader waits for Kafka no longer than a publisher does. */
  #inTime<Value>(answer: Promise<Value>): Promise<Value> {
    return inTime(answer, this.#timeoutMs, () => unreadable('Kafka does not answer'))
  }

  /** The offset at a position after which everything is still there. */
  #find(position: string, upTo: number): number | undefined {
    const offset = this.#extent.offsetAt(position)
    return offset !== undefined && offset <= upTo && offset >= this.#extent.low - 1 ? offset : undefined
  }

  holds(position: string): boolean {
    const offset = this.#extent.offsetAt(position)
    return offset !== undefined && offset >= this.#extent.low
  }

  /** Asks whether the leader answers, and is still the one; after a failure also whether anything can be stored again. */
  async ready(): Promise<void> {
    if (this.#closing !== undefined) throw closed()
    const session = this.#commands.current
    if (session === undefined || this.#following.current === undefined) throw unusable(kafka, this.#outage.reason)
    if (this.#tail.overdueMs > readyMs) throw unusable(kafka, 'it does not answer to who reads the log')
    const late = () => unusable(kafka, 'it does not answer')
    const hasFailed = this.#outage.reason !== undefined
    try {
      await inTime(session.log.findHigh(), readyMs, late)
      if (hasFailed) await inTime(probe(session, readyMs), readyMs, late)
      this.#writer.recover()
    } catch (error) {
      throw error instanceof HubError ? error : unusable(kafka, Failure.of(error).message)
    }
    if (this.#outage.reason !== undefined) throw unusable(kafka, this.#outage.reason)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#writer.close()
    this.#ids.close()
    await this.#retention.close()
    await this.#progress?.close()
    await Promise.all([this.#tail.close(), this.#messages.close(), this.#commands.close(), this.#readers.close()])
  }
}
