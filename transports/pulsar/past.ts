import type { Session } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import { inTime } from '../backend/in-time.ts'
import type { Client, Message, Reader, Topic } from './client.ts'
import { unfold } from './entry.ts'
import { compare, isAfter, type Position, readerStart } from './position.ts'

/** Part of the log, in its order. */
export interface Page {
  readonly messages: readonly Message[]
  /** The place of the last message. */
  readonly end: Position
}

/** The message that reaches the bytes is the last one of a page. */
const pageBounds = { messages: 1000, bytes: 512 * 1024 }
/** Messages on their way to a reader, who holds them while it waits. */
const messagesAhead = 50
const answerMs = 10_000

/** Reads parts of the log. A part that follows the one before it is read on with the same reader. */
export class PastReader implements Session {
  readonly ended: Promise<void>
  readonly #end: () => void
  readonly #client: Client
  readonly #topic: Topic
  readonly #closing = new AbortController()
  #reader: Reader | undefined
  /** The place up to which the reader has given what it has. */
  #place: Position | 'earliest' | undefined
  /** What it has given, and where of that. */
  #rest: readonly Message[] = []
  #at = 0

  constructor(client: Client, topic: Topic) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = resolve
    this.#client = client
    this.#topic = topic
  }

  get isOver(): boolean {
    return this.#closing.signal.aborted
  }

  /** What follows a place, up to another one at most, which is in the log or was; `undefined`: nothing does. @throws Failure */
  async page(after: Position | 'earliest', upTo: Position): Promise<Page | undefined> {
    if (after !== 'earliest' && !isAfter(upTo, after)) return undefined
    await this.#goTo(after)
    const messages: Message[] = []
    let bytes = 0
    while (messages.length < pageBounds.messages && bytes < pageBounds.bytes) {
      if (this.#at === this.#rest.length) {
        if (this.#place !== 'earliest' && !isAfter(upTo, this.#place!)) break
        await this.#fetch()
      }
      const message = this.#rest[this.#at]!
      if (isAfter(message.position, upTo)) break
      this.#at++
      messages.push(message)
      this.#place = message.position
      bytes += message.payload.length
    }
    const end = messages.at(-1)?.position
    return end === undefined ? undefined : { messages, end }
  }

  async end(): Promise<void> {
    this.kill()
  }

  kill(): void {
    this.#closing.abort()
    this.#leave()
    this.#end()
  }

  async #goTo(place: Position | 'earliest'): Promise<void> {
    if (this.#reader?.isOver === false && isSame(this.#place, place)) return
    this.#leave()
    const options = { after: place === 'earliest' ? place : readerStart(place), ahead: messagesAhead, isLive: false }
    this.#reader = await this.#client.openReader(this.#topic, options, this.#closing.signal)
    this.#place = place
  }

  #leave(): void {
    void this.#reader?.end()
    this.#reader = undefined
    this.#rest = []
    this.#at = 0
  }

  async #fetch(): Promise<void> {
    const late = () => new Failure('broken', `it has not sent what is in the log for ${answerMs / 1000} s`)
    do {
      const messages = (await inTime(this.#reader!.read(), answerMs, late)).flatMap(unfold)
      const place = this.#place
      // A reader begins with the entry in which the place is.
      this.#rest = place === 'earliest' ? messages : messages.filter(({ position }) => isAfter(position, place!))
      this.#at = 0
    } while (this.#rest.length === 0)
  }
}

const isSame = (a: Position | 'earliest' | undefined, b: Position | 'earliest'): boolean =>
  a === b || (a !== undefined && a !== 'earliest' && b !== 'earliest' && a.index === b.index && compare(a, b) === 0)
