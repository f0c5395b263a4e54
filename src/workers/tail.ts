/** The newest entries of the log as frames, for workers that start later than the log. */
export class Tail {
  readonly #maxEntries: number
  readonly #maxBytes: number
  #frames: (Buffer | undefined)[] = []
  /** How many frames at the front have left; cut off when they are half of all. */
  #gone = 0
  #bytes = 0

  constructor(bounds: { readonly entries: number; readonly bytes: number }) {
    this.#maxEntries = bounds.entries
    this.#maxBytes = bounds.bytes
  }

  append(frame: Buffer): void {
    this.#frames.push(frame)
    this.#bytes += frame.byteLength
    // The newest one stays, whatever its size: it has the id of the last event.
    while (this.#size > 1 && (this.#size > this.#maxEntries || this.#bytes > this.#maxBytes)) this.#dropOldest()
  }

  /** The newest frames, oldest first. */
  newest(count: number): readonly Buffer[] {
    return this.#frames.slice(Math.max(this.#gone, this.#frames.length - count)) as Buffer[]
  }

  get #size(): number {
    return this.#frames.length - this.#gone
  }

  #dropOldest(): void {
    this.#bytes -= this.#frames[this.#gone]!.byteLength
    this.#frames[this.#gone++] = undefined
    if (this.#gone * 2 <= this.#frames.length) return
    this.#frames = this.#frames.slice(this.#gone)
    this.#gone = 0
  }
}
