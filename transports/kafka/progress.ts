import type { TransportLog } from '../../src/transport.ts'
import { inTime } from '../backend/in-time.ts'
import { type Connection, kill, load } from './broker.ts'
import type { Brokers } from './brokers.ts'
import { interpret } from './failure.ts'

export interface ProgressOptions {
  readonly brokers: Brokers
  readonly group: string
  readonly topic: string
  /** The offset of what was delivered last. */
  readonly last: () => number | undefined
  readonly log: TransportLog
}

const everyMs = 5000
const answerMs = 5000
/** A failure that lasts is logged again after this time. */
const remindAfterMs = 60_000

/**
 * Says now and then how far this node has read, in the name of a consumer group, for those who watch how far consumers are behind. Nothing is read
 * from there, and the node is no member of the group: it need not be let in.
 */
export class Progress {
  readonly #options: ProgressOptions
  readonly #closing = new AbortController()
  #connection: Connection | undefined
  #committed: number | undefined
  #committing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #toldAtMs = Number.NEGATIVE_INFINITY

  constructor(options: ProgressOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#committing ??= this.#commit().finally(() => {
        this.#committing = undefined
      })
    }, everyMs)
  }

  /** What was read last is said once more, if that is possible. */
  async close(): Promise<void> {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    await this.#committing
    if (this.#connection !== undefined) await this.#commit()
    this.#closing.abort()
    if (this.#connection !== undefined) kill(this.#connection)
  }

  async #commit(): Promise<void> {
    const { brokers, group, topic, last, log } = this.#options
    const offset = last()
    if (offset === undefined || offset === this.#committed) return
    try {
      const { offsetCommitV6 } = await load()
      if (!this.#connection?.isConnected()) {
        this.#connection = await brokers.openCoordinator(group, this.#closing.signal)
      }
      const place = { partitionIndex: 0, committedOffset: BigInt(offset + 1), committedLeaderEpoch: -1 }
      const topics = [{ name: topic, partitions: [{ ...place, committedMetadata: null }] }]
      const noMember = [-1, '', null] as const
      const committed = offsetCommitV6.api.async(this.#connection, group, ...noMember, topics)
      await inTime(committed, answerMs, () => new Error(`it has not answered for ${answerMs / 1000} s`))
      this.#committed = offset
    } catch (error) {
      if (this.#connection !== undefined) kill(this.#connection)
      this.#connection = undefined
      if (this.#closing.signal.aborted || performance.now() - this.#toldAtMs < remindAfterMs) return
      this.#toldAtMs = performance.now()
      log.warn(
        { group, reason: interpret(error).message },
        'consumer_group: Kafka cannot be told how far this hub has read.',
      )
    }
  }
}
