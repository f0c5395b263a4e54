import { HubError } from '../../src/errors.ts'
import type { Session } from './connection.ts'
import { Failure } from './failure.ts'
import { notSent, notStored, perhapsStored } from './refusals.ts'

/** An update whose publisher waits. */
export interface Publish<Item> {
  readonly item: Item
  readonly size: number
  /** After this, its publisher waits no longer. */
  readonly untilMs: number
  resolve(): void
  reject(error: HubError): void
}

/** A message for the session that there was when it was sent. */
export interface Message<S> {
  readonly bytes: Uint8Array
  readonly session: S
  resolve(): void
  reject(error: HubError): void
}

/** A group on its way to the backend, and what becomes of it. */
export class Flight<S extends Session, Item> {
  readonly session: S
  /** Higher than those of all that departed before. */
  readonly number: number
  readonly messages: readonly Uint8Array[]
  readonly items: readonly Item[]
  readonly #messages: readonly Message<S>[]
  readonly #publishes: readonly Publish<Item>[]
  /** These are values of their own, since a `store` may hand them on. */
  readonly acknowledge = (updates: number): void => {
    if (updates > 0) this.#mayBeStored = true
    while (this.#acknowledged < Math.min(updates, this.#publishes.length)) {
      this.#publishes[this.#acknowledged++]!.resolve()
    }
  }
  readonly refuse = (index: number, error: HubError): void => {
    const publish = this.#publishes[index]!
    this.#refused.add(publish)
    publish.reject(error)
  }
  readonly #refused = new Set<Publish<Item>>()
  #acknowledged = 0
  #isUnderWay = true
  #mayBeStored = false
  #failure: Failure | undefined

  constructor(session: S, number: number, messages: readonly Message<S>[], publishes: readonly Publish<Item>[]) {
    this.session = session
    this.number = number
    this.#messages = messages
    this.#publishes = publishes
    this.messages = messages.map(({ bytes }) => bytes)
    this.items = publishes.map(({ item }) => item)
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay
  }

  /** Something of it is in the log, or may be. */
  get mayBeStored(): boolean {
    return this.#mayBeStored
  }

  /** Why it has certainly not been stored, and may go again. */
  get failure(): Failure | undefined {
    return this.#failure
  }

  get unanswered(): readonly Publish<Item>[] {
    return this.#publishes.slice(this.#acknowledged).filter(publish => !this.#refused.has(publish))
  }

  succeed(): void {
    this.#isUnderWay = false
    for (const { resolve } of this.#messages) resolve()
    this.acknowledge(this.#publishes.length)
  }

  /** The failure, unless it was stored; those who need not wait for more are told. */
  fail(error: unknown): Failure | undefined {
    this.#isUnderWay = false
    if (error instanceof HubError) {
      for (const { resolve } of this.#messages) resolve()
      this.#refuse(error)
      this.#mayBeStored = true
      return undefined
    }
    const failure = Failure.of(error)
    for (const { reject } of this.#messages) reject(notSent(failure.message))
    if (failure.meaning === 'passing') this.#failure = failure
    else if (failure.meaning === 'broken') {
      this.#mayBeStored = true
      this.#refuse(perhapsStored(failure.message))
    } else this.#refuse(notStored(failure.message))
    return failure
  }

  #refuse(error: HubError): void {
    for (const { reject } of this.unanswered) reject(error)
    this.#acknowledged = this.#publishes.length
  }
}
