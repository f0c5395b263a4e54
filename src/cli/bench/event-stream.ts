import type { Socket } from 'node:net'
import { describeFailure } from '../connection-failure.ts'
import { insecureRemedy, openConnection, type Target } from './connection.ts'
import { describeRefusal } from './failures.ts'
import { MarkerScanner } from './marker.ts'
import { ResponseReader } from './response-reader.ts'

export interface EventStreamOptions {
  readonly target: Target
  /** The request as text. */
  readonly request: string
  /** A marker has arrived. */
  found(stream: EventStream, run: number, publisher: number, number: number, micros: number): void
  /** The stream has ended before it was closed. */
  ended(why: string): void
}

/** One subscriber of a load. It does not come back when the hub ends it. */
export class EventStream {
  readonly index: number
  readonly topic: number
  isOpen = false
  readonly #socket: Socket
  readonly #options: EventStreamOptions
  readonly #opened = Promise.withResolvers<void>()
  readonly #scanner = new MarkerScanner()
  #status = 0
  #refusal = ''

  /** `index`: its number among the streams. */
  constructor(index: number, topic: number, options: EventStreamOptions) {
    this.index = index
    this.topic = topic
    this.#options = options
    const reader = new ResponseReader(this)
    this.#socket = openConnection(options.target, {
      read: (bytes, length) => reader.read(bytes, length),
      close: error => this.#end(describeFailure(error, options.target.url, insecureRemedy)),
    })
    this.#socket.write(options.request)
  }

  /** Resolves when the hub has answered 200. @throws Error with what it said instead */
  get opened(): Promise<void> {
    return this.#opened.promise
  }

  get isConnected(): boolean {
    return !this.#socket.connecting
  }

  close(): void {
    this.isOpen = false
    this.#socket.destroy()
  }

  head(status: number): void {
    this.#status = status
    if (status !== 200) return
    this.isOpen = true
    this.#opened.resolve()
  }

  body(bytes: Buffer, from: number, to: number): void {
    if (this.#status === 200) this.#scanner.scan(bytes, from, to, this.#found)
    else this.#refusal += bytes.toString('utf8', from, to).slice(0, 1000)
  }

  end(): void {
    if (this.#status === 200) this.#end('the hub ended the stream')
    else this.#opened.reject(new Error(describeRefusal('subscribing', this.#status, this.#refusal)))
    this.#socket.destroy()
  }

  readonly #found = (run: number, publisher: number, number: number, micros: number): void =>
    this.#options.found(this, run, publisher, number, micros)

  #end(why: string): void {
    this.#opened.reject(new Error(`subscribing: ${why}`))
    if (!this.isOpen) return
    this.isOpen = false
    this.#options.ended(why)
  }
}
