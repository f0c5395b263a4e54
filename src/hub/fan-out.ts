import type { Subscriber } from './subscriber.ts'

/**
 * The events that one subscriber receives in one turn of the event loop, as a node of a tree: subscribers that are sent the same
 * events in the same order hold the same node, and so share its joined bytes. `framed` is for the stream that writes it: framing
 * of its transfer coding, made once per node too.
 */
export class Batch {
  readonly event: Uint8Array
  readonly previous: Batch | undefined
  readonly byteLength: number
  framed: Uint8Array | undefined
  #bytes: Uint8Array | undefined
  /** The continuation asked for last: nearly always the only one, since all subscribers of a topic get the same next event. */
  #next: Batch | undefined

  constructor(event: Uint8Array, previous?: Batch) {
    this.event = event
    this.previous = previous
    this.byteLength = event.byteLength + (previous?.byteLength ?? 0)
  }

  /** The node for these events and one more. */
  append(event: Uint8Array): Batch {
    if (this.#next?.event !== event) this.#next = new Batch(event, this)
    return this.#next
  }

  get bytes(): Uint8Array {
    this.#bytes ??= this.previous === undefined ? this.event : this.copyTo(new Uint8Array(this.byteLength), 0)
    return this.#bytes
  }

  /** Copies the joined events into `target` at `offset`. */
  copyTo(target: Uint8Array, offset: number): Uint8Array {
    let end = offset + this.byteLength
    for (let node: Batch | undefined = this; node !== undefined; node = node.previous) {
      end -= node.event.byteLength
      target.set(node.event, end)
    }
    return target
  }
}

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

  enqueue(subscriber: Subscriber, event: Uint8Array): void {
    const { pending } = subscriber
    if (pending !== undefined) {
      subscriber.pending = pending.append(event)
      return
    }
    if (this.#root?.event !== event) this.#root = new Batch(event)
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
