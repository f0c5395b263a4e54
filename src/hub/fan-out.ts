import type { Update } from '../protocol/update.ts'
import { Batch } from './batch.ts'
import type { Subscriber } from './subscriber.ts'

/** Subscribers written to before the event loop gets a turn for publishers and new connections; about 5 ms of writing. */
const writesPerTurn = 1024

/** How long updates take from their coming out of the log to being written, in milliseconds. */
export interface DeliveryObserver {
  /** To the first of the connections that get it. */
  firstWritten(afterMs: number): void
  /** To the last of them. */
  lastWritten(afterMs: number): void
}

/**
 * Writes each subscriber's events of a turn at once. As load grows a turn takes longer and the batches grow by themselves:
 * the cost of a delivery falls just when it matters.
 */
export class FanOut {
  #dirty: Subscriber[] = []
  #written = 0
  #scheduled = false
  /** The first node asked for last: where the tree of the current turn begins. */
  #root: Batch | undefined
  /** When the updates of this pass came, and how many of them have been written to somebody. */
  #arrivals: number[] = []
  #begun = 0
  readonly #observer: DeliveryObserver | undefined

  constructor(observer?: DeliveryObserver) {
    this.#observer = observer
  }

  /** An update that came at this time was handed over, to somebody at least. */
  time(arrivedAt: number): void {
    this.#arrivals.push(arrivedAt)
  }

  enqueue(subscriber: Subscriber, event: Uint8Array, update?: Update): void {
    const { pending } = subscriber
    if (pending !== undefined) {
      subscriber.pending = pending.append(event, update)
      return
    }
    if (this.#root?.event !== event) this.#root = new Batch(event, update)
    subscriber.pending = this.#root
    this.#dirty.push(subscriber)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    const dirty = this.#dirty
    const end = Math.min(dirty.length, this.#written + writesPerTurn)
    dirty[this.#written]!.flush()
    this.#tellFirst()
    for (let i = this.#written + 1; i < end; i++) dirty[i]!.flush()
    if (end < dirty.length) {
      this.#written = end
      setImmediate(this.#flush)
      return
    }
    this.#dirty = []
    this.#written = 0
    this.#root = undefined
    this.#scheduled = false
    this.#tellLast()
  }

  /** Those that came since the last turn are on their way now. */
  #tellFirst(): void {
    const now = performance.now()
    for (; this.#begun < this.#arrivals.length; this.#begun++) {
      this.#observer?.firstWritten(now - this.#arrivals[this.#begun]!)
    }
  }

  #tellLast(): void {
    const now = performance.now()
    for (const arrivedAt of this.#arrivals) this.#observer?.lastWritten(now - arrivedAt)
    this.#arrivals = []
    this.#begun = 0
  }
}
