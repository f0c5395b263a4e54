import { HubError } from '../errors.ts'
import type { Grant } from '../protocol/grant.ts'
import type { Matcher } from '../protocol/matcher.ts'
import { earliest, type Update } from '../protocol/update.ts'
import type { LogEntry, Transport } from '../transport.ts'
import type { ClusterTimes } from './cluster.ts'
import { FanOut } from './fan-out.ts'
import { Presence } from './presence.ts'
import { Recent } from './recent.ts'
import { type Cursor, locate, type Past, type Place, replay } from './replay.ts'
import { type EndReason, type Sink, Subscriber } from './subscriber.ts'
import { Subscribers } from './subscribers.ts'

export type { Cursor }

export interface HubOptions {
  readonly transport: Transport
  /** Bounds of the window of newest entries, unless the transport sets its own number of entries. */
  readonly recent: { readonly entries: number; readonly bytes: number }
  /** Bytes that may wait for one subscriber before it is ended as too slow. */
  readonly maxQueueBytes: number
  /** Announce subscriptions and keep a list of them. */
  readonly subscriptions: boolean
  readonly observer: HubObserver
  readonly cluster?: ClusterTimes
}

/** What happens in a hub, for metrics and logs. Called on hot paths: must be quick and not throw. */
export interface HubObserver {
  published(update: Update): void
  delivered(update: Update, subscribers: number): void
  subscribed(subscriber: Subscriber): void
  unsubscribed(subscriber: Subscriber, reason: EndReason): void
  /** An error that no request can be told of. */
  failed(error: unknown, during: string): void
}

/** An update's way: `publish` stores it in the log, the log gives it back through `deliver`, `deliver` writes it to those it matches. */
export class Hub {
  /** Absent: subscriptions are neither announced nor listed. */
  readonly presence: Presence | undefined
  readonly #transport: Transport
  readonly #maxQueueBytes: number
  readonly #observer: HubObserver
  readonly #recent: Recent
  readonly #past: Past
  readonly #fanOut = new FanOut()
  readonly #live = new Subscribers()
  readonly #connected = new Set<Subscriber>()
  /** To stop a reading of the log whose reader has gone; only while there is one. */
  readonly #replaying = new Map<Subscriber, AbortController>()
  #lastEventId: string = earliest
  #attached = false
  #closing = false

  constructor({ transport, recent, maxQueueBytes, subscriptions, observer, cluster = {} }: HubOptions) {
    this.#transport = transport
    this.#maxQueueBytes = maxQueueBytes
    this.#observer = observer
    this.#recent = new Recent({ ...recent, entries: transport.recentEntries ?? recent.entries })
    this.#past = {
      recent: this.#recent,
      history: transport.history?.bind(transport),
      holds: transport.holds?.bind(transport),
    }
    if (subscriptions) {
      this.presence = new Presence({
        publish: update => transport.publish(update),
        broadcast: transport.broadcast,
        times: cluster,
        failed: (error, during) => observer.failed(error, during),
      })
    }
    this.#backfill = Math.max(1, transport.recentEntries ?? recent.entries)
  }

  readonly #backfill: number

  /** Attaches to the log's tail; the window is filled when this resolves. Until then the hub refuses everybody. */
  async start(): Promise<void> {
    await this.#transport.start({ backfill: this.#backfill }, (entry, live) => this.#deliver(entry, live))
    this.#attached = true
    this.presence?.start()
  }

  /**
   * A hub that shuts down, or has not reached its log yet, takes no updates and no subscribers.
   * @throws HubError `shutting_down`, `transport_unavailable`
   */
  requireOpen(): void {
    this.#requireNotClosing()
    if (this.#attached) return
    throw new HubError('transport_unavailable', 'This hub has not reached its log yet: try again in a moment.')
  }

  #requireNotClosing(): void {
    if (!this.#closing) return
    throw new HubError('shutting_down', 'This hub is shutting down: try again, at another node or in a moment.')
  }

  /** Resolves when the update is stored: every subscriber of every node then gets it. */
  async publish(update: Update): Promise<void> {
    this.requireOpen()
    await this.#transport.publish(update)
    this.#observer.published(update)
  }

  #deliver(entry: LogEntry, live: boolean): void {
    const { update, event } = this.#recent.append(entry)
    this.#lastEventId = update.id
    if (!live) return
    this.presence?.delivered(update.id)
    let subscribers = 0
    this.#live.match(update, subscriber => {
      this.#fanOut.enqueue(subscriber, event, update)
      subscribers++
    })
    this.#observer.delivered(update, subscribers)
  }

  /** Where a subscriber with these matchers resumes. Comes before `subscribe`, since the response head tells the client. */
  locate(lastEventId: string | undefined, matchers: readonly Matcher[], signal: AbortSignal): Promise<Cursor> {
    this.requireOpen()
    return locate(lastEventId, matchers, this.#past, signal)
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
    const id = `urn:uuid:${crypto.randomUUID()}`
    const subscriber = new Subscriber({ id, matchers, grant, sink, maxQueueBytes: this.#maxQueueBytes })
    this.#connected.add(subscriber)
    this.#observer.subscribed(subscriber)
    if (cursor.from === undefined) this.#goLive(subscriber)
    else this.#replay(subscriber, cursor.from)
    if (isAnnounced) this.presence?.add(subscriber)
    return subscriber
  }

  #replay(subscriber: Subscriber, from: Place): void {
    const abort = new AbortController()
    this.#replaying.set(subscriber, abort)
    replay(subscriber, from, this.#past, () => this.#goLive(subscriber), abort.signal)
      .catch(error => {
        if (abort.signal.aborted) return
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

  get isClosing(): boolean {
    return this.#closing
  }

  /** The id of the newest entry delivered here, or `earliest`. */
  get lastEventId(): string {
    return this.#lastEventId
  }

  /** Bytes held by the window of newest entries. */
  get recentBytes(): number {
    return this.#recent.bytes
  }

  async ready(): Promise<void> {
    this.#requireNotClosing()
    await this.#transport.ready?.()
    this.requireOpen()
  }

  /** Ends every stream, waits for publishes under way, closes the transport. Idempotent. */
  async close(): Promise<void> {
    this.#closing = true
    for (const subscriber of [...this.#connected]) subscriber.end('shutdown')
    this.presence?.leave()
    await this.#transport.close()
  }
}
