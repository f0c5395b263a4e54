import { HubError } from '../errors.ts'
import { isCursor } from '../protocol/event-id.ts'
import type { Grant } from '../protocol/grant.ts'
import type { Matcher } from '../protocol/matcher.ts'
import { earliest, type Update } from '../protocol/update.ts'
import type { LogEntry, PublishKey, Transport } from '../transport.ts'
import { SharedBroadcast } from './cluster/shared-broadcast.ts'
import type { ClusterTimes } from './cluster.ts'
import { drain } from './drain.ts'
import { type DeliveryObserver, FanOut } from './fan-out.ts'
import { LogWriter, type LogWriterObserver } from './log-writer.ts'
import { Presence } from './presence.ts'
import { Recent } from './recent.ts'
import { type Cursor, locate, type Past, type Place, replay } from './replay.ts'
import type { RevocationList } from './revocation/revocation-list.ts'
import { Revocations } from './revocation/revocations.ts'
import { type EndReason, type Sink, Subscriber } from './subscriber.ts'
import { Subscribers } from './subscribers.ts'

export type { Cursor, PublishKey }

export interface HubOptions {
  readonly transport: Transport
  /** Bounds of the window of newest entries, unless the transport sets its own number of entries. */
  readonly recent: { readonly entries: number; readonly bytes: number }
  /** Bytes that may wait for one subscriber before it is ended as too slow. */
  readonly maxQueueBytes: number
  /** Announce subscriptions and keep a list of them. */
  readonly subscriptions: boolean
  /** What is known to be revoked. Absent: nothing yet. */
  readonly revoked?: RevocationList
  readonly observer: HubObserver
  readonly cluster?: ClusterTimes
}

/** What a hub does with its log that can fail. */
export type LogOperation = 'publish' | 'history'

/** Where the past of a subscriber that resumes begins: in the window, in the log, or in neither, which do not know its last event. */
export type ResumedFrom = 'window' | 'log' | 'nowhere'

/** What happens in a hub, for metrics and logs. Called on hot paths: must be quick and not throw. Times are in milliseconds. */
export interface HubObserver extends DeliveryObserver, LogWriterObserver {
  /** An update has come from the log, and is on its way to so many; `lagMs`: since it got its place there, where the log tells. */
  delivered(update: Update, subscribers: number, lagMs: number | undefined): void
  /** `requested`: the id of its last event, as it says. */
  resumed(from: ResumedFrom, requested: string): void
  /** A subscriber has come to the log's end. */
  replayed(subscriber: Subscriber, tookMs: number): void
  /** The log has refused something, or has failed at it. */
  logFailed(operation: LogOperation): void
  subscribed(subscriber: Subscriber): void
  unsubscribed(subscriber: Subscriber, reason: EndReason): void
  /** An error that no request can be told of. */
  failed(error: unknown, during: string): void
}

/** An update's way: `publish` stores it in the log, the log gives it back through `deliver`, `deliver` writes it to those it matches. */
export class Hub {
  /** Absent: subscriptions are neither announced nor listed. */
  readonly presence: Presence | undefined
  readonly revocations: Revocations
  readonly #transport: Transport
  readonly #writer: LogWriter
  readonly #maxQueueBytes: number
  readonly #observer: HubObserver
  readonly #recent: Recent
  readonly #past: Past
  readonly #fanOut: FanOut
  readonly #live = new Subscribers()
  readonly #connected = new Set<Subscriber>()
  /** To stop a reading of the log whose reader has gone; only while there is one. */
  readonly #replaying = new Map<Subscriber, AbortController>()
  #lastEventId: string = earliest
  #attached = false
  #draining = false
  #closed = false

  constructor({ transport, recent, maxQueueBytes, subscriptions, revoked, observer, cluster = {} }: HubOptions) {
    const broadcast = transport.broadcast && new SharedBroadcast(transport.broadcast)
    this.#transport = transport
    this.#writer = new LogWriter(transport, observer)
    this.#maxQueueBytes = maxQueueBytes
    this.#observer = observer
    this.#fanOut = new FanOut(observer)
    this.#recent = new Recent({ ...recent, entries: transport.recentEntries ?? recent.entries })
    this.#past = {
      recent: this.#recent,
      history: transport.history?.bind(transport),
      holds: transport.holds?.bind(transport),
    }
    if (subscriptions) {
      this.presence = new Presence({
        publish: update => this.#writer.store(update),
        broadcast,
        times: cluster,
        failed: (error, during) => observer.failed(error, during),
      })
    }
    this.revocations = new Revocations({
      list: revoked,
      connected: this.#connected,
      broadcast,
      records: transport.records,
      times: cluster,
      failed: (error, during) => observer.failed(error, during),
    })
    this.#backfill = Math.max(1, transport.recentEntries ?? recent.entries)
  }

  readonly #backfill: number

  /** Attaches to the log's tail; the window is filled when this resolves. Until then the hub refuses everybody. */
  async start(): Promise<void> {
    await this.#transport.start({ backfill: this.#backfill }, (entry, live) => this.#deliver(entry, live))
    await this.revocations.load()
    this.#attached = true
    this.presence?.start()
    this.revocations.start()
  }

  /**
   * A hub that shuts down, or has not reached its log yet, takes no subscribers.
   * @throws HubError `shutting_down`, `transport_unavailable`
   */
  requireOpen(): void {
    this.#requireNotClosing()
    this.#requireAttached()
  }

  #requireNotClosing(): void {
    if (this.isClosing) throw shuttingDown()
  }

  #requireAttached(): void {
    if (this.#attached) return
    throw new HubError('transport_unavailable', 'This hub has not reached its log yet: try again in a moment.')
  }

  /** Resolves when the update is stored: every subscriber of every node then gets it. A hub that is drained takes updates until it is closed. */
  async publish(update: Update): Promise<void> {
    if (this.#closed) throw shuttingDown()
    this.#requireAttached()
    await this.#writer.publish(update)
  }

  /**
   * The same, unless an update was stored with this key before: then nothing is stored, and it gives the id of that update.
   * @throws HubError `idempotency_key_reused` where that was another update
   */
  async publishOnce(update: Update, key: PublishKey): Promise<string | undefined> {
    if (this.#closed) throw shuttingDown()
    this.#requireAttached()
    return await this.#writer.publishOnce(update, key)
  }

  #deliver(entry: LogEntry, live: boolean): void {
    const { update, event } = this.#recent.append(entry)
    if (isCursor(update.id)) this.#lastEventId = update.id
    if (!live) return
    const arrivedAt = performance.now()
    this.presence?.delivered(update.id)
    let subscribers = 0
    this.#live.match(update, subscriber => {
      this.#fanOut.enqueue(subscriber, event, update)
      subscribers++
    })
    if (subscribers > 0) this.#fanOut.time(arrivedAt)
    const { storedAt } = entry
    this.#observer.delivered(update, subscribers, storedAt === undefined ? undefined : Date.now() - storedAt)
  }

  /** Where a subscriber with these matchers resumes. Comes before `subscribe`, since the response head tells the client. */
  async locate(lastEventId: string | undefined, matchers: readonly Matcher[], signal: AbortSignal): Promise<Cursor> {
    this.requireOpen()
    try {
      const cursor = await locate(lastEventId, matchers, this.#past, signal)
      if (lastEventId !== undefined) this.#observer.resumed(resumedFrom(cursor), lastEventId)
      return cursor
    } catch (error) {
      if (!signal.aborted) this.#observer.logFailed('history')
      throw error
    }
  }

  /**
   * Registers a subscriber, sends it its past and then, with no gap, what is delivered live. One that is not announced is in no list of
   * subscriptions either: the application that runs this hub.
   */
  subscribe(options: {
    matchers: readonly Matcher[]
    grant: Grant | null
    cursor: Cursor
    sink: Sink
    isAnnounced?: boolean
  }): Subscriber {
    this.requireOpen()
    const { matchers, grant, sink, cursor, isAnnounced = true } = options
    this.revocations.check(grant)
    const id = `urn:uuid:${crypto.randomUUID()}`
    const subscriber = new Subscriber({ id, matchers, grant, sink, isAnnounced, maxQueueBytes: this.#maxQueueBytes })
    this.#connected.add(subscriber)
    this.#observer.subscribed(subscriber)
    if (cursor.from === undefined) this.#goLive(subscriber)
    else this.#replay(subscriber, cursor.from)
    if (isAnnounced) this.presence?.add(subscriber)
    return subscriber
  }

  #replay(subscriber: Subscriber, from: Place): void {
    const abort = new AbortController()
    const startedAt = performance.now()
    const goLive = () => {
      this.#goLive(subscriber)
      this.#observer.replayed(subscriber, performance.now() - startedAt)
    }
    this.#replaying.set(subscriber, abort)
    replay(subscriber, from, this.#past, goLive, abort.signal)
      .catch(error => {
        if (abort.signal.aborted) return
        this.#observer.logFailed('history')
        this.#observer.failed(error, 'replaying history')
        subscriber.end('history unavailable')
      })
      .finally(() => this.#replaying.delete(subscriber))
  }

  #goLive(subscriber: Subscriber): void {
    subscriber.state = 'live'
    this.#live.add(subscriber)
  }

  /** Forgets a subscriber whose connection has ended. Idempotent. */
  unsubscribe(subscriber: Subscriber, reason: EndReason): void {
    if (!this.#connected.delete(subscriber)) return
    if (subscriber.state === 'live') this.#live.remove(subscriber)
    subscriber.state = 'closed'
    this.#replaying.get(subscriber)?.abort()
    this.presence?.remove(subscriber)
    this.#observer.unsubscribed(subscriber, reason)
  }

  /** It shuts down: it is drained, or closed. */
  get isClosing(): boolean {
    return this.#draining || this.#closed
  }

  /** The id of the newest entry delivered here, or `earliest`. */
  get lastEventId(): string {
    return this.#lastEventId
  }

  /** How many subscribers there are. */
  get connected(): number {
    return this.#connected.size
  }

  /** How many subscribers are sent their past now. */
  get replaying(): number {
    return this.#replaying.size
  }

  /** What the window of newest entries holds, and may hold. */
  get window(): Readonly<Record<'entries' | 'bytes' | 'maxEntries' | 'maxBytes', number>> {
    const { start, end, bytes, maxEntries, maxBytes } = this.#recent
    return { entries: end - start, bytes, maxEntries, maxBytes }
  }

  async ready(): Promise<void> {
    this.#requireNotClosing()
    await this.#transport.ready?.()
    this.requireOpen()
  }

  /**
   * Takes no subscribers any more, is not ready, and ends those that it has evenly within `timeMs`, while updates are taken and delivered.
   * Resolves when they are gone; those of the application that runs this hub stay until it is closed, and miss nothing.
   */
  async drain(timeMs: number): Promise<void> {
    this.#draining = true
    const clients = [...this.#connected].filter(({ isAnnounced }) => isAnnounced)
    await drain(clients, timeMs)
  }

  /** Ends every stream that is left, waits for publishes under way, closes the transport. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    for (const subscriber of [...this.#connected]) subscriber.end('shutdown')
    this.presence?.leave()
    this.revocations.leave()
    await this.#transport.close()
  }
}

const shuttingDown = (): HubError =>
  new HubError('shutting_down', 'This hub is shutting down: try again, at another node or in a moment.')

const resumedFrom = ({ from }: Cursor): ResumedFrom =>
  from === undefined ? 'nowhere' : from.pages === undefined ? 'window' : 'log'
