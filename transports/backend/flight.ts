import { HubError } from '../../src/errors.ts'
import type { KeyedUpdate } from '../../src/transport.ts'
import type { Session } from './connection.ts'
import { Failure } from './failure.ts'
import { notSent, notStored, perhapsStored } from './refusals.ts'

/** An update whose publisher waits. */
export interface Publish<Item> {
  readonly item: Item
  readonly size: number
  /** After this, its publisher waits no longer. */
  readonly untilMs: number
  /** Its key's own text, where it has one. */
  readonly key: string | undefined
  /** With the update that has its key, where another one has. */
  resolve(first?: KeyedUpdate): void
  reject(error: HubError): void
}

/** A message for the session that there was when it was sent. */
export interface Message<S> {
  readonly bytes: Uint8Array
  readonly session: S
  resolve(): void
  reject(error: HubError): void
}

/** What is stored together. */
export interface Group<Item> {
  readonly messages: readonly Uint8Array[]
  readonly items: readonly Item[]
  /** The first so many updates are stored, whatever becomes of the others: their publishers are told now. */
  readonly acknowledge: (updates: number) => void
  /** This one update is not stored, for its own sake, and does not go again; the others are no worse for it. */
  readonly refuse: (index: number, error: HubError) => void
  /** This one is not stored, since its key is remembered with another. Said once the whole group is as it should be. */
  readonly repeat: (index: number, first: KeyedUpdate) => void
}

/** A group on its way to the backend, and what becomes of it. */
export class Flight<S extends Session, Item> implements Group<Item> {
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
  readonly repeat = (index: number, first: KeyedUpdate): void => this.#publishes[index]!.resolve(first)
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
      this.#refuse(() => error)
      this.#mayBeStored = true
      return undefined
    }
    const failure = Failure.of(error)
    for (const { reject } of this.#messages) reject(notSent(failure.message))
    if (failure.meaning === 'passing') this.#failure = failure
    else if (failure.meaning === 'broken') {
      this.#mayBeStored = true
      this.#refuse(isKeyed => perhapsStored(failure.message, { isKeyed }))
    } else this.#refuse(() => notStored(failure.message))
    return failure
  }

  #refuse(explain: (isKeyed: boolean) => HubError): void {
    for (const { key, reject } of this.unanswered) reject(explain(key !== undefined))
    this.#acknowledged = this.#publishes.length
  }
}
