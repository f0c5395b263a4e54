import type { Update } from '../protocol/update.ts'

/**
 * The events that one subscriber receives in one turn of the event loop, as a node of a tree: subscribers that are sent the same
 * events in the same order hold the same node, and so share its joined bytes. `framed`, `deflated` and `zstandard` are for the streams
 * that write it: its forms in a transfer coding and in content codings, made once per node too.
 */
export class Batch {
  readonly event: Uint8Array
  readonly previous: Batch | undefined
  /** What the event says, for who is in this process; `undefined`: it is none, such as a comment. */
  readonly update: Update | undefined
  readonly byteLength: number
  /** One of its updates tells clients how long to wait before they reconnect. */
  readonly setsRetry: boolean
  framed: Uint8Array | undefined
  deflated: Batch | Promise<Batch> | undefined
  zstandard: Batch | Promise<Batch> | undefined
  #bytes: Uint8Array | undefined
  /** The continuation asked for last: nearly always the only one, since all subscribers of a topic get the same next event. */
  #next: Batch | undefined

  constructor(event: Uint8Array, update?: Update, previous?: Batch) {
    this.event = event
    this.previous = previous
    this.update = update
    this.byteLength = event.byteLength + (previous?.byteLength ?? 0)
    this.setsRetry = (update !== undefined && update.retry > 0) || previous?.setsRetry === true
  }

  /** The node for these events and one more. */
  append(event: Uint8Array, update?: Update): Batch {
    if (this.#next?.event !== event) this.#next = new Batch(event, update, this)
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
