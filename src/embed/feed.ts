import { HubError } from '../errors.ts'
import type { Batch } from '../hub/batch.ts'
import type { EndReason, Sink } from '../hub/subscriber.ts'
import type { Update } from '../protocol/update.ts'

/**
 * Updates as they are asked for, each once, in the order of the log. Ends when the hub is closed.
 * @throws HubError `overloaded` for a reader so slow that what waits for it is more than `max_queue_bytes`, or its share of
 * `max_queue_bytes_total`; `transport_unavailable` where the log fails while the past is read. To go on, subscribe again with the id of the last update.
 */
export interface Updates extends AsyncIterableIterator<Update, undefined>, AsyncDisposable {
  /**
   * After which update it begins: the `lastEventId` that was asked for, or `earliest` where the log does not know it, and updates may have been
   * missed. `undefined`: none was asked for.
   */
  readonly lastEventId: string | undefined
  /** Ends the subscription; leaving a `for await` does. Idempotent. */
  return(): Promise<IteratorReturnResult<undefined>>
}

/** All that waits for subscribers of this process, to which the waiting of these belongs. */
export interface Bounds {
  add(waiter: Feed): void
  remove(waiter: Feed): void
  /** Where that is too much, subscribers end in this call, perhaps this one. */
  hold(bytes: Uint8Array): void
  release(bytes: Uint8Array): void
}

/** A replay goes on when no more than this waits. */
const fewBytes = 16 * 1024

interface Waiting {
  /** Its bytes, by which it is counted as what waits for connections is. */
  readonly event: Uint8Array
  readonly update: Update
}

/** A subscriber inside of the application: its updates wait here until they are asked for. */
export class Feed implements Sink, Updates {
  readonly lastEventId: string | undefined
  readonly #bounds: Bounds
  readonly #signal: AbortSignal | undefined
  #queue: Waiting[] = []
  /** How many at the front of the queue were taken; cut off when they are half of it. */
  #taken = 0
  #waitingBytes = 0
  #ended: EndReason | undefined
  #tellEnd: ((reason: EndReason) => void) | undefined
  #changed = Promise.withResolvers<void>()

  constructor(lastEventId: string | undefined, bounds: Bounds, signal: AbortSignal | undefined) {
    this.lastEventId = lastEventId
    this.#bounds = bounds
    this.#signal = signal
    signal?.addEventListener('abort', this.#abort)
  }

  /** Calls `tell` when it has ended, at once if it has. */
  onEnd(tell: (reason: EndReason) => void): void {
    this.#tellEnd = tell
    if (this.#ended !== undefined) tell(this.#ended)
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  write(batch: Batch): void {
    const events: Waiting[] = []
    for (let node: Batch | undefined = batch; node !== undefined; node = node.previous) {
      if (node.update !== undefined) events.push({ event: node.event, update: node.update })
    }
    for (const waiting of events.reverse()) this.#append(waiting)
    this.#wake()
  }

  async drained(): Promise<void> {
    while (this.#waitingBytes > fewBytes && this.#ended === undefined) await this.#changed.promise
  }

  /** What waits is given out before it is over, except to one who was too slow, or has left. */
  end(reason: EndReason): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    this.#signal?.removeEventListener('abort', this.#abort)
    if (reason === 'too slow' || reason === 'client closed') while (this.#take() !== undefined);
    this.#wake()
    this.#tellEnd?.(reason)
  }

  async next(): Promise<IteratorResult<Update, undefined>> {
    for (;;) {
      const update = this.#take()
      if (update !== undefined) {
        if (this.#waitingBytes <= fewBytes) this.#wake()
        return { value: update, done: false }
      }
      if (this.#ended !== undefined) return this.#conclude(this.#ended)
      await this.#changed.promise
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.end('client closed')
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #conclude(reason: EndReason): IteratorReturnResult<undefined> {
    if (reason === 'too slow') {
      throw new HubError(
        'overloaded',
        'This subscriber was too slow, and what waited for it was dropped: subscribe again, with the id of its last update as lastEventId.',
      )
    }
    if (reason === 'history unavailable') {
      throw new HubError(
        'transport_unavailable',
        'The log could not be read to its end: subscribe again, with the id of the last update as lastEventId.',
      )
    }
    if (reason === 'client closed') this.#signal?.throwIfAborted()
    return { value: undefined, done: true }
  }

  readonly #abort = (): void => this.end('client closed')

  #append(waiting: Waiting): void {
    if (this.#ended !== undefined) return
    if (this.#taken === this.#queue.length) this.#bounds.add(this)
    this.#queue.push(waiting)
    this.#waitingBytes += waiting.event.byteLength
    this.#bounds.hold(waiting.event)
  }

  #take(): Update | undefined {
    const waiting = this.#queue[this.#taken]
    if (waiting === undefined) return undefined
    this.#taken++
    this.#waitingBytes -= waiting.event.byteLength
    this.#bounds.release(waiting.event)
    if (this.#taken === this.#queue.length) this.#bounds.remove(this)
    if (this.#taken * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#taken)
      this.#taken = 0
    }
    return waiting.update
  }

  #wake(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }
}
