import type { Update } from '../protocol/update.ts'
import { Batch } from './batch.ts'
import type { Subscriber } from './subscriber.ts'

/** Subscribers written to before the event loop gets a turn for publishers and new connections; about 5 ms of writing. */
const writesPerTurn = 1024

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
    for (let i = this.#written; i < end; i++) dirty[i]!.flush()
    if (end < dirty.length) {
      this.#written = end
      setImmediate(this.#flush)
      return
    }
    this.#dirty = []
    this.#written = 0
    this.#root = undefined
    this.#scheduled = false
  }
}
