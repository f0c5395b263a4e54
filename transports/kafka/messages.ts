import type { Connection } from '../backend/connection.ts'
import { interpret } from './failure.ts'
import { OutOfRange, type Partition } from './partition.ts'

const maxBytes = 1 << 20
/** A broker answers after this time, if with nothing. */
const waitMs = 2000
/** An update does not wait longer for the messages that were sent before it. */
const patienceMs = 2000

/** Reads what nodes tell each other, in a topic of its own. */
export class Messages {
  readonly #connection: Connection<Partition>
  #receive: (message: Uint8Array) => void = () => {}
  #topicId: string | undefined
  #next = 0
  #bell = Promise.withResolvers<void>()
  #closed = false
  #following: Promise<void> | undefined

  constructor(connection: Connection<Partition>) {
    this.#connection = connection
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#receive = listener
  }

  /** Resolves when whatever is sent afterwards is heard. @throws HubError */
  async attach(): Promise<void> {
    const session = await this.#retry(session => this.#goToEnd(session))
    this.#following = this.#follow(session)
  }

  /** Resolves when everything up to an offset has been heard, or cannot be heard soon. */
  async heard(offset: number): Promise<void> {
    if (this.#next > offset) return
    const giveUp = Promise.withResolvers<void>()
    const timer = setTimeout(giveUp.resolve, patienceMs)
    const over = giveUp.promise.then(() => true)
    let isOver = false
    while (this.#next <= offset && !isOver && !this.#closed && this.#connection.current !== undefined) {
      isOver = await Promise.race([this.#bell.promise.then(() => false), over])
    }
    clearTimeout(timer)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#ring()
    await this.#connection.close()
    await this.#following
  }

  async #follow(first: Partition): Promise<void> {
    let session = first
    while (!this.#closed) {
      try {
        for (;;) await this.#hear(session)
      } catch (error) {
        this.#connection.drop(session, interpret(error))
        this.#ring()
      }
      try {
        session = await this.#retry(next => this.#check(next))
      } catch {
        // It is closed.
        return
      }
    }
  }

  async #hear(session: Partition): Promise<void> {
    try {
      const { records, end } = await session.fetch({ from: this.#next, waitMs, maxBytes })
      // One without a content is but to see whether it can be stored.
      for (const { value } of records) if (value !== undefined && value.length > 0) this.#receive(value)
      if (end === this.#next) return
      this.#next = end
    } catch (error) {
      if (!(error instanceof OutOfRange)) throw error
      await this.#goToEnd(session)
    }
    this.#ring()
  }

  /** Messages of before are of no use. */
  async #goToEnd(session: Partition): Promise<void> {
    this.#topicId = session.topicId
    this.#next = await session.findHigh()
  }

  /** Another topic of the same name has other offsets, and all of it is new. */
  async #check(session: Partition): Promise<void> {
    if (session.topicId === this.#topicId) return
    this.#topicId = session.topicId
    this.#next = await session.findLow()
  }

  async #retry(prepare: (session: Partition) => Promise<void>): Promise<Partition> {
    for (;;) {
      const session = await this.#connection.session()
      try {
        await prepare(session)
        return session
      } catch (error) {
        this.#connection.drop(session, interpret(error))
      }
    }
  }

  #ring(): void {
    this.#bell.resolve()
    this.#bell = Promise.withResolvers()
  }
}
