import type { Archive, ArchivedUpdate } from '../../src/archive.ts'
import { Failure } from '../backend/failure.ts'
import { Brokers } from './brokers.ts'
import { decodeUpdate, encodeUpdate } from './entry.ts'
import { Extent } from './extent.ts'
import { fetchPage } from './history.ts'
import type { Location } from './location.ts'
import type { Partition } from './partition.ts'
import { inspectTopic, logTopic } from './topic.ts'
import { batchesOf } from './writer.ts'

const answerMs = 30_000
const silent = { info() {}, warn() {}, error() {} }

/** A log in Kafka without a hub; hubs may be writing it. */
export class KafkaArchive implements Archive {
  readonly #session: Partition
  readonly #maxBatchBytes: number

  /** @throws Failure; HubError `configuration_invalid` */
  static async open(location: Location, { writable }: { writable: boolean }): Promise<KafkaArchive> {
    const topic = { ...logTopic(location), mustExist: !writable }
    const session = await new Brokers(location).openPartition(topic, new AbortController().signal)
    try {
      const { maxBatchBytes } = await inspectTopic(session, topic, silent)
      return new KafkaArchive(session, maxBatchBytes)
    } catch (error) {
      session.kill()
      throw error
    }
  }

  private constructor(session: Partition, maxBatchBytes: number) {
    this.#session = session
    this.#maxBatchBytes = maxBatchBytes
  }

  async *read(): AsyncGenerator<readonly ArchivedUpdate[]> {
    const session = this.#session
    const extent = new Extent()
    const end = await session.findHigh()
    for (let next = await session.findLow(); next < end; ) {
      const page = await fetchPage(session, next, extent)
      if (page?.end === next) return
      next = page?.end ?? extent.low
      const updates = page?.records.map(decodeUpdate).filter(update => update !== undefined && update.offset < end)
      if (updates !== undefined && updates.length > 0) yield updates as ArchivedUpdate[]
    }
  }

  async append(updates: readonly ArchivedUpdate[]): Promise<number> {
    const now = Date.now()
    const records = updates.map(({ update }) => encodeUpdate(update))
    let appended = 0
    let displaced = 0
    for (const batch of batchesOf(records, this.#maxBatchBytes)) {
      const part = updates.slice(appended, appended + batch.length)
      // Kafka takes none from the future.
      const timesMs = part.map(({ timeMs = now }) => Math.min(timeMs, now))
      const { hasOtherTime } = await this.#append(() => this.#session.produce(batch, answerMs, timesMs), appended > 0)
      displaced += part.filter(({ timeMs }) => timeMs !== undefined && (hasOtherTime || timeMs > now)).length
      appended += batch.length
    }
    return displaced
  }

  /** More than the topic takes in one batch is not stored as one: where the rest fails, some of it is stored. */
  async #append<Result>(append: () => Promise<Result>, isRest: boolean): Promise<Result> {
    try {
      return await append()
    } catch (error) {
      throw isRest ? new Failure('broken', Failure.of(error).message) : error
    }
  }

  async close(): Promise<void> {
    await this.#session.end()
  }
}
