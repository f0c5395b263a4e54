import type { Subscription } from '../../protocol/subscription.ts'
import type { Message } from './message.ts'

type Change = Extract<Message, { type: 'change' }>
type ListPart = Extract<Message, { type: 'list' }>

/** Changes kept until those before them arrive; beyond, the whole list is asked for. */
const maxAhead = 10_000

/** Another node, and a copy of its subscriptions. */
export class Peer {
  readonly id: string
  heardAt: number
  #subscriptions = new Map<string, readonly Subscription[]>()
  /** Of the copy; -1: nothing of the list is known yet. */
  #version = -1
  /** The version that the node had at its last beat. */
  #told = -1
  readonly #ahead = new Map<number, Change>()
  #list:
    | { readonly number: number; readonly entries: Map<string, readonly Subscription[]>; readonly parts: Set<number> }
    | undefined
  #lastPart = 0
  #listGrew = false

  constructor(id: string, now: number) {
    this.id = id
    this.heardAt = now
  }

  get subscriptions(): ReadonlyMap<string, readonly Subscription[]> {
    return this.#subscriptions
  }

  /** Takes the version that a beat told. True: a part of the list is missing for longer than messages are on their way. */
  isBehind(version: number): boolean {
    if (this.#version === -1 && version === 0) this.#version = 0
    // What a beat counts may come after it: only what the last beat counted already has been lost.
    const missing = this.#version < (this.#version === -1 ? version : this.#told)
    const coming = this.#listGrew
    this.#told = version
    this.#listGrew = false
    return missing && !coming
  }

  /** Changes are applied in their order, in whatever order they come. */
  change(change: Change): void {
    const isNext = change.version === this.#version + 1
    if (isNext || (change.version > this.#version && this.#ahead.size < maxAhead))
      this.#ahead.set(change.version, change)
    this.#applyAhead()
  }

  /** The list takes the copy's place when all its parts are here. */
  addPart({ version, list, part, last, entries }: ListPart): void {
    if (version <= this.#version) return
    if (this.#list === undefined || this.#list.number < list) {
      this.#list = { number: list, entries: new Map(), parts: new Set() }
      this.#lastPart = Number.POSITIVE_INFINITY
    }
    if (this.#list.number !== list) return
    this.#listGrew = true
    for (const [subscriber, subscriptions] of entries) this.#list.entries.set(subscriber, subscriptions)
    this.#list.parts.add(part)
    if (last) this.#lastPart = part
    if (this.#list.parts.size <= this.#lastPart) return
    this.#subscriptions = this.#list.entries
    this.#version = version
    this.#list = undefined
    for (const older of this.#ahead.keys()) if (older <= version) this.#ahead.delete(older)
    this.#applyAhead()
  }

  #applyAhead(): void {
    if (this.#version === -1) return
    for (;;) {
      const change = this.#ahead.get(this.#version + 1)
      if (change === undefined) return
      this.#ahead.delete(change.version)
      this.#version = change.version
      if (change.subscriptions === null) this.#subscriptions.delete(change.subscriber)
      else this.#subscriptions.set(change.subscriber, change.subscriptions)
    }
  }
}
