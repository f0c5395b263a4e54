import { EventEmitter, once } from 'node:events'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { Batch } from '../../src/hub/batch.ts'
import type { EndReason, Sink } from '../../src/hub/subscriber.ts'

/**
 * A sink in memory, for tests of the hub without HTTP: it parses what it is given as a browser would. `pace` says how many events
 * are read before the reader pauses; `resume()` lets it go on.
 */
export class Collector implements Sink {
  readonly events: EventSourceMessage[] = []
  /** The most bytes that ever waited. */
  mostWaiting = 0
  ended: EndReason | undefined
  onEnd: (reason: EndReason) => void = () => {}
  readonly #changed = new EventEmitter().setMaxListeners(0)
  readonly #decoder = new TextDecoder()
  readonly #parser = createParser({ onEvent: event => this.events.push(event) })
  readonly #lowWater: number
  #paused = false
  #waiting: Uint8Array[] = []

  constructor(options: { lowWater?: number; paused?: boolean } = {}) {
    this.#lowWater = options.lowWater ?? 0
    this.#paused = options.paused ?? false
  }

  write(batch: Batch): void {
    this.#waiting.push(batch.bytes)
    this.mostWaiting = Math.max(this.mostWaiting, this.waitingBytes)
    if (!this.#paused) this.#read()
  }

  get waitingBytes(): number {
    return this.#waiting.reduce((sum, bytes) => sum + bytes.byteLength, 0)
  }

  async drained(): Promise<void> {
    while (this.waitingBytes > this.#lowWater && this.ended === undefined) await once(this.#changed, 'change')
  }

  end(reason: EndReason): void {
    if (this.ended !== undefined) return
    this.ended = reason
    this.#changed.emit('change')
    this.onEnd(reason)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#read()
  }

  /** Reads one write that waits. */
  readOne(): void {
    const bytes = this.#waiting.shift()
    if (bytes !== undefined) this.#feed(bytes)
  }

  get ids(): string[] {
    return this.events.map(({ id }) => id ?? '')
  }

  /** Resolves when so many events have arrived, or the stream has ended. */
  async received(count: number): Promise<void> {
    while (this.events.length < count && this.ended === undefined) await once(this.#changed, 'change')
  }

  #read(): void {
    for (const bytes of this.#waiting.splice(0)) this.#feed(bytes)
  }

  #feed(bytes: Uint8Array): void {
    this.#parser.feed(this.#decoder.decode(bytes, { stream: true }))
    this.#changed.emit('change')
  }
}
