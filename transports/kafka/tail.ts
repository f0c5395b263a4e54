import type { LogEntry, TransportLog } from '../../src/transport.ts'
import type { Connection } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import { decodeUpdate } from './entry.ts'
import type { Extent } from './extent.ts'
import { interpret } from './failure.ts'
import { type Bounds, readNewest } from './history.ts'
import type { Ids } from './ids.ts'
import { type Fetched, OutOfRange, type Partition } from './partition.ts'
import type { StoredRecord } from './records.ts'
import { Trail } from './trail.ts'

export interface TailOptions {
  readonly connection: Connection<Partition>
  readonly extent: Extent
  readonly ids: Ids
  /** Resolves when the messages up to an offset of theirs have been heard. */
  readonly heard: (messageOffset: number) => Promise<void>
  /** Called when the end of the log has moved. */
  readonly moved: (end: number) => void
  readonly log: TransportLog
}

const maxBytes = 1 << 20
/** A broker answers after this time, if with nothing. */
const waitMs = 1000
/** Whoever asks for what has just been stored does not wait longer for it. */
const patienceMs = 2000

/** Reads what is appended to the log, by whomever. */
export class Tail {
  readonly #options: TailOptions
  #deliver: (entry: LogEntry, live: boolean) => void = () => {}
  #topicId: string | undefined
  /** The offset of the next record. */
  #next = 0
  /** The offset of the update that was delivered last, or before the first one. */
  #last: number | undefined
  readonly #trail = new Trail()
  #bell = Promise.withResolvers<void>()
  #isForeignTold = false
  #answeredAtMs = 0
  #closed = false
  #following: Promise<void> | undefined

  constructor(options: TailOptions) {
    this.#options = options
  }

  /** The offset of the update that was delivered last; `undefined`: the tail is not attached. */
  get last(): number | undefined {
    return this.#last
  }

  /** How long Kafka owes an answer beyond the time in which there is always one, in milliseconds. */
  get overdueMs(): number {
    return Math.max(0, performance.now() - this.#answeredAtMs - waitMs)
  }

  /** Delivers the newest updates as past; resolves when it follows the log. @throws HubError */
  async attach(bounds: Bounds, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    const { connection, extent, ids } = this.#options
    for (;;) {
      const session = await connection.session()
      try {
        const [low, high] = await Promise.all([session.findLow(), session.findHigh()])
        extent.see(low, extent.era)
        const newest = await readNewest(session, high, bounds, extent)
        this.#deliver = deliver
        this.#topicId = session.topicId
        this.#next = high
        this.#last = newest.at(-1)?.offset ?? high - 1
        this.#answeredAtMs = performance.now()
        ids.fill(newest[0]?.offset ?? high)
        for (const placed of newest) {
          const { offset, update } = placed
          this.#trail.add(offset, update.id)
          deliver({ position: extent.positionOf(offset), update, reused: ids.add(placed) }, false)
        }
        this.#following = this.#follow(session)
        return
      } catch (error) {
        connection.drop(session, interpret(error))
      }
    }
  }

  /** Resolves when everything before an offset has been delivered, or cannot be soon. */
  async reached(offset: number): Promise<void> {
    const giveUp = Promise.withResolvers<void>()
    const timer = setTimeout(giveUp.resolve, patienceMs)
    const over = giveUp.promise.then(() => true)
    let isOver = false
    while (this.#last !== undefined && this.#next < offset && !isOver && !this.#closed) {
      isOver = await Promise.race([this.#bell.promise.then(() => false), over])
    }
    clearTimeout(timer)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#ring()
    await this.#options.connection.close()
    await this.#following
  }

  async #follow(first: Partition): Promise<void> {
    const { connection } = this.#options
    let session = first
    while (!this.#closed) {
      try {
        for (;;) await this.#read(session)
      } catch (error) {
        connection.drop(session, interpret(error))
      }
      try {
        session = await connection.session()
        await this.#check(session)
      } catch (error) {
        connection.drop(session, interpret(error))
      }
    }
  }

  /** Delivers what comes next, or waits for it. */
  async #read(session: Partition): Promise<void> {
    const { extent, moved } = this.#options
    let fetched: Fetched
    try {
      fetched = await session.fetch({ from: this.#next, waitMs, maxBytes })
    } catch (error) {
      if (!(error instanceof OutOfRange)) throw error
      await this.#findPlace(session)
      return
    }
    this.#answeredAtMs = performance.now()
    extent.see(fetched.low, extent.era)
    for (const record of fetched.records) {
      const delivered = this.#take(record, session)
      if (delivered !== undefined) await delivered
    }
    this.#next = fetched.end
    this.#ring()
    if (fetched.records.length > 0) moved(this.#next)
  }

  /** A promise where there is something to wait for: most updates are delivered at once. */
  #take(record: StoredRecord, { topic }: Partition): Promise<void> | undefined {
    const { extent, ids, heard } = this.#options
    const placed = decodeUpdate(record)
    if (placed === undefined) {
      this.#tellForeign(topic, record.offset)
      return undefined
    }
    const { offset, timeMs, update, after } = placed
    const deliver = () => {
      this.#next = offset + 1
      this.#last = offset
      this.#trail.add(offset, update.id)
      const position = extent.positionOf(offset)
      this.#deliver({ position, update, reused: ids.add(placed), storedAt: timeMs }, true)
    }
    if (after !== undefined) return heard(after).then(deliver)
    deliver()
    return undefined
  }

  /** Finds out whether the log is still the one that was read: where it is not, nothing might ever come after the last place. */
  async #check(session: Partition): Promise<void> {
    const isAnother = session.topicId !== this.#topicId
    const [low, high] = await Promise.all([session.findLow(), session.findHigh()])
    this.#answeredAtMs = performance.now()
    const fork = isAnother ? low : await this.#trail.findFork(session, this.#options.extent)
    this.#topicId = session.topicId
    if (fork !== undefined) this.#beginAgain(session, fork, low)
    else if (this.#next > high) this.#beginAgain(session, high, low)
  }

  /** What comes next is not there. */
  async #findPlace(session: Partition): Promise<void> {
    const { log, extent } = this.#options
    const low = await session.findLow()
    // Another connection tells what became of it.
    if (this.#next >= low) throw new Failure('passing', 'the log ends before what was read of it')
    log.error(
      { topic: session.topic, offset: this.#next, updates: low - this.#next },
      'Updates left the log before this hub had read them: it was away for too long, or the topic keeps too few.',
    )
    extent.see(low, extent.era)
    this.#next = low
  }

  #beginAgain({ topic }: Partition, next: number, low: number): void {
    const { log, ids, extent } = this.#options
    log.error(
      { topic, offset: next },
      'Kafka has lost updates that were stored: the topic was made anew, or its leader was behind. Going on with what it has now.',
    )
    this.#trail.cut(next)
    extent.beginEra(low)
    ids.reset()
    ids.fill(next)
    this.#next = next
    this.#last = next - 1
  }

  #ring(): void {
    this.#bell.resolve()
    this.#bell = Promise.withResolvers()
  }

  #tellForeign(topic: string, offset: number): void {
    if (this.#isForeignTold) return
    this.#isForeignTold = true
    this.#options.log.warn({ topic, offset }, 'The topic has records that no hub has stored; they are passed over.')
  }
}
