import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createParser, type EventSourceMessage } from 'eventsource-parser'

/** An open event stream, read as a browser reads it. */
export class EventStream {
  readonly response: Response
  readonly events: EventSourceMessage[] = []
  readonly retries: number[] = []
  /** Every byte of the body so far, as text. */
  text = ''
  ended = false
  readonly #abort: AbortController
  readonly #changed = new EventEmitter().setMaxListeners(0)

  /** Opens a stream; its head has arrived when this resolves. Fails unless the answer is an event stream. */
  static async open(url: string, init: RequestInit = {}): Promise<EventStream> {
    const abort = new AbortController()
    return await EventStream.read(await fetch(url, { ...init, signal: abort.signal }), abort)
  }

  /** Reads an answer; `abort` ends its request. */
  static async read(response: Response, abort: AbortController): Promise<EventStream> {
    if (response.status !== 200) assert.fail(`${response.status}: ${await response.text()}`)
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    return new EventStream(response, abort)
  }

  private constructor(response: Response, abort: AbortController) {
    this.response = response
    this.#abort = abort
    this.#read().catch(() => {})
  }

  get ids(): string[] {
    return this.events.map(({ id }) => id ?? '')
  }

  get data(): string[] {
    return this.events.map(({ data }) => data)
  }

  /** The next events after those that were taken before, `count` of them; fails when the stream ends first. */
  async take(count = 1): Promise<EventSourceMessage[]> {
    const from = this.#taken
    this.#taken += count
    while (this.events.length < this.#taken && !this.ended) await once(this.#changed, 'change')
    assert.ok(
      this.events.length >= this.#taken,
      `the stream ended after ${this.events.length} events: ${this.text.slice(-500)}`,
    )
    return this.events.slice(from, from + count)
  }
  #taken = 0

  /** Resolves when the body so far satisfies the condition; fails when the stream ends first. */
  async until(condition: (text: string) => boolean): Promise<void> {
    while (!condition(this.text) && !this.ended) await once(this.#changed, 'change')
    assert.ok(condition(this.text), `the stream ended first: ${this.text.slice(-500)}`)
  }

  /** Resolves when the hub has ended the stream. */
  async end(): Promise<void> {
    while (!this.ended) await once(this.#changed, 'change')
  }

  close(): void {
    this.#abort.abort()
  }

  async #read(): Promise<void> {
    const parser = createParser({ onEvent: event => this.events.push(event), onRetry: ms => this.retries.push(ms) })
    try {
      for await (const text of this.response.body!.pipeThrough(new TextDecoderStream())) {
        this.text += text
        parser.feed(text)
        this.#changed.emit('change')
      }
    } finally {
      this.ended = true
      this.#changed.emit('change')
    }
  }
}
