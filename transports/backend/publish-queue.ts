import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Update } from '../../src/protocol/update.ts'
import type { KeyedUpdate, PublishKey } from '../../src/transport.ts'
import type { Connection, Session } from './connection.ts'
import { Flight, type Group, type Message, type Publish } from './flight.ts'
import type { Outage } from './outage.ts'
import { closed, notSent, notStored, perhapsStored } from './refusals.ts'

export type { Group }

export interface PublishQueueOptions<S extends Session, Item> {
  readonly connection: Connection<S>
  readonly outage: Outage
  /** How long a publisher waits at most, in milliseconds; 0: for ever. */
  readonly publishTimeoutMs: number
  /** What the backend takes of an update and its key, and how large that is, in whatever unit the bounds of a group have. */
  readonly encode: (update: Update, key?: PublishKey) => { readonly item: Item; readonly size: number }
  /** What one group has at most; a larger update is a group of its own. */
  readonly groupBounds: GroupBounds
  /** Groups that may be under way at the same time, for a `store` that keeps the order of its calls. Absent: 1. */
  readonly groupsUnderWay?: number
  /**
   * Resolves when the messages are sent and all updates are stored, in their order and after the messages; rejects in time itself when the backend
   * does not answer.
   * @throws Failure, which says what became of what is not acknowledged; HubError, for updates that are stored, and not as they should be
   */
  readonly store: (session: S, group: Group<Item>) => Promise<void>
}

export interface GroupBounds {
  readonly updates: number
  readonly size: number
}

/** What may wait while the backend is slow or gone. */
const queueBounds = { updates: 100_000, size: 64 << 20 }
/** What one group has at most of messages. */
const messageBounds = { messages: 1000, bytes: 4 << 20 }
/** How often what waits is looked at for what has waited too long. */
const sweepMs = 50
/** The names of its troubles. A backend that sends messages may store nothing all the same. */
const storing = 'storing'
const sending = 'sending'

/**
 * Stores what is published, in groups: the updates that come while one is under way share the next, and with it the way to the backend and the wait for
 * its disk. While there is no connection they wait, for `publishTimeoutMs` at most. What was sent and not answered is not sent again; what was
 * certainly not stored is, unless something after it was. Messages never wait for a connection.
 */
export class PublishQueue<S extends Session, Item> {
  readonly #options: PublishQueueOptions<S, Item>
  readonly #maxFlights: number
  readonly #waiting: Publish<Item>[] = []
  #waitingSize = 0
  readonly #messages: Message<S>[] = []
  /** In the order of their departure. Those that failed and may go again stay until all others have come back. */
  #flights: Flight<S, Item>[] = []
  #departures = 0
  /** The last one of which something was stored, or may be. */
  #lastStored = 0
  #bell = Promise.withResolvers<void>()
  #running: Promise<void> | undefined
  #sweeper: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: PublishQueueOptions<S, Item>) {
    this.#options = options
    this.#maxFlights = options.groupsUnderWay ?? 1
  }

  /** Resolves when the update is stored. Updates are stored in the order of the calls. @throws HubError `transport_unavailable` */
  async publish(update: Update): Promise<void> {
    await this.#enqueue(update)
  }

  /** For a `store` that knows keys: as the port says. @throws HubError `transport_unavailable` */
  publishOnce(update: Update, key: PublishKey): Promise<KeyedUpdate | undefined> {
    return this.#enqueue(update, key)
  }

  #enqueue(update: Update, key?: PublishKey): Promise<KeyedUpdate | undefined> {
    if (this.#closed) return Promise.reject(closed())
    if (this.#waiting.length >= queueBounds.updates || this.#waitingSize >= queueBounds.size) {
      return Promise.reject(notStored('too many wait already'))
    }
    const { publishTimeoutMs, encode } = this.#options
    const { item, size } = encode(update, key)
    const untilMs = publishTimeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + publishTimeoutMs
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, size, untilMs, key: key?.text, resolve, reject })
      this.#waitingSize += size
      this.#wake()
    })
  }

  /** Goes before the updates that are published after it; lost where there is no connection now. @throws HubError `transport_unavailable` */
  send(message: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(closed())
    const session = this.#options.connection.current
    if (session === undefined) return Promise.reject(notSent('there is no connection'))
    return new Promise((resolve, reject) => {
      this.#messages.push({ bytes: message, session, resolve, reject })
      this.#wake()
    })
  }

  /** What was refused would be stored now: a transport that has found that out says so. */
  recover(): void {
    this.#end(storing)
  }

  #end(trouble: typeof storing | typeof sending): void {
    if (trouble === storing) this.#options.outage.end(storing)
    // What stores, sends.
    this.#options.outage.end(sending)
  }

  /** Stores what was published before, if the backend takes it in time. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#options.connection.current !== undefined) await this.#running
    this.#refuseAll('the hub is shutting down')
  }

  #wake(): void {
    this.#running ??= this.#run()
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs)
    if (this.#mayDepart) this.#bell.resolve()
  }

  get #hasWork(): boolean {
    return this.#waiting.length > 0 || this.#messages.length > 0
  }

  /** Nothing departs behind one that has failed before it is known which others have. */
  get #mayDepart(): boolean {
    return this.#flights.length < this.#maxFlights && this.#flights.every(({ failure }) => failure === undefined)
  }

  async #run(): Promise<void> {
    // What else is published in this turn goes into the same group.
    await nextTurn()
    for (;;) {
      if (this.#hasWork && this.#mayDepart) {
        const session = await this.#connected()
        if (session !== undefined) this.#depart(session)
      } else if (this.#flights.length > 0) {
        const mayDepart = this.#mayDepart
        this.#bell = Promise.withResolvers()
        await this.#bell.promise
        // It was rung for what is published now.
        if (mayDepart) await nextTurn()
      } else break
    }
    this.#running = undefined
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }

  /** Messages do not wait for a connection, and updates not while the hub shuts down. */
  async #connected(): Promise<S | undefined> {
    const { connection } = this.#options
    if (connection.current === undefined) {
      this.#loseMessages('there is no connection')
      if (this.#closed) this.#refuseAll('the hub is shutting down')
      if (this.#waiting.length === 0) return undefined
    }
    try {
      return await connection.session()
    } catch {
      this.#refuseAll('there is no connection')
      return undefined
    }
  }

  #depart(session: S): void {
    const messages = this.#takeMessages(session)
    // Updates do not overtake the messages that were sent before them.
    const publishes = this.#messages.length > 0 ? [] : this.#takePublishes()
    if (messages.length === 0 && publishes.length === 0) return
    this.#departures++
    const flight = new Flight(session, this.#departures, messages, publishes)
    this.#flights.push(flight)
    void this.#store(flight).then(() => {
      this.#land()
      this.#bell.resolve()
    })
  }

  async #store(flight: Flight<S, Item>): Promise<void> {
    const { connection, outage, store } = this.#options
    const trouble = flight.items.length > 0 ? storing : sending
    try {
      await store(flight.session, flight)
      flight.succeed()
      this.#end(trouble)
    } catch (error) {
      const failure = flight.fail(error)
      if (failure === undefined) this.#end(trouble)
      else if (failure.meaning === 'passing' || failure.meaning === 'broken') connection.drop(flight.session, failure)
      else outage.begin(trouble, failure)
    }
    if (flight.mayBeStored) this.#lastStored = Math.max(this.#lastStored, flight.number)
  }

  /** Takes the flights that are over; what failed and may go again does so once no other is under way. */
  #land(): void {
    if (this.#flights.some(({ isUnderWay }) => isUnderWay)) {
      this.#flights = this.#flights.filter(({ isUnderWay, failure }) => isUnderWay || failure !== undefined)
      return
    }
    const flights = this.#flights
    this.#flights = []
    const now = performance.now()
    const again: Publish<Item>[] = []
    for (const { failure, number, unanswered } of flights) {
      if (failure === undefined) continue
      for (const publish of unanswered) {
        // Whoever was told already is not to be stored after that, nor anything behind what was published later.
        if (number >= this.#lastStored && publish.untilMs > now) again.push(publish)
        else publish.reject(notStored(failure.message))
      }
    }
    this.#waiting.unshift(...again)
    for (const { size } of again) this.#waitingSize += size
  }

  /** Those that were sent on another connection are lost with it. */
  #takeMessages(session: S): Message<S>[] {
    let count = 0
    let bytes = 0
    for (const message of this.#messages) {
      if (count === messageBounds.messages || (count > 0 && bytes + message.bytes.length > messageBounds.bytes)) break
      bytes += message.bytes.length
      count++
    }
    const taken = this.#messages.splice(0, count)
    const lost = taken.filter(message => message.session !== session)
    for (const { reject } of lost) reject(notSent('the connection was closed'))
    return lost.length === 0 ? taken : taken.filter(message => message.session === session)
  }

  #takePublishes(): Publish<Item>[] {
    const { updates, size: maxSize } = this.#options.groupBounds
    let count = 0
    let taken = 0
    const keys = new Set<string>()
    for (const { size, key } of this.#waiting) {
      // What becomes of the first one with a key is known before another's turn comes.
      if (key !== undefined && keys.has(key)) break
      if (key !== undefined) keys.add(key)
      if (count === updates || (count > 0 && taken + size > maxSize)) break
      taken += size
      count++
    }
    this.#waitingSize -= taken
    return this.#waiting.splice(0, count)
  }

  /** Those who wait longest are first. */
  #sweep(): void {
    const now = performance.now()
    const inTime = this.#waiting.findIndex(({ untilMs }) => untilMs > now)
    const overdue = this.#waiting.splice(0, inTime < 0 ? this.#waiting.length : inTime)
    this.#refuse(overdue, 'the backend has not taken it in time')
    for (const { failure, unanswered } of this.#flights) {
      for (const { untilMs, key, reject } of unanswered) {
        if (untilMs > now) continue
        if (failure !== undefined) reject(notStored(failure.message))
        else reject(perhapsStored('no answer has come in time', { isKeyed: key !== undefined }))
      }
    }
  }

  #refuseAll(reason: string): void {
    this.#refuse(this.#waiting.splice(0), reason)
    this.#loseMessages(reason)
  }

  #loseMessages(reason: string): void {
    for (const { reject } of this.#messages.splice(0)) reject(notSent(reason))
  }

  #refuse(publishes: readonly Publish<Item>[], reason: string): void {
    for (const { size, reject } of publishes) {
      this.#waitingSize -= size
      reject(notStored(reason))
    }
  }
}
