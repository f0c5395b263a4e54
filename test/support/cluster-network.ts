import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../src/hub/cluster/clock.ts'
import { Hub } from '../../src/hub/hub.ts'
import type { Subscriber } from '../../src/hub/subscriber.ts'
import type { Update } from '../../src/protocol/update.ts'
import type { Broadcast, LogEntry, Transport } from '../../src/transport.ts'
import { Collector } from './collector.ts'
import { topicMatchers } from './node.ts'
import { createRandom } from './random.ts'

export interface NetworkOptions {
  readonly seed?: number
  /** How many of the messages are lost, from 0 to 1. */
  readonly loss?: number
  /** The longest delay of a message, in milliseconds: those on their way at once arrive in any order. */
  readonly delayMs?: number
  readonly maxBytes?: number
  /** What an update takes to be stored, in milliseconds. */
  readonly publishMs?: number
  /** The backend says so when a node vanishes. */
  readonly knowsDeaths?: boolean
}

/** What happens at a time of the network's own clock. */
interface Appointment {
  readonly at: number
  readonly action: () => void
}

/** Hubs in one process, with one log, that speak to each other over a network with a clock of its own, which loses, delays and reorders messages. */
export class ClusterNetwork {
  readonly nodes: ClusterNode[] = []
  /** Every update that was published, in the order of the log. */
  readonly log: Update[] = []
  readonly failures: unknown[] = []
  /** Messages sent, and the longest of them. */
  sent = 0
  longest = 0
  now = 0
  readonly options: Required<NetworkOptions>
  readonly #random: ReturnType<typeof createRandom>
  #appointments: Appointment[] = []

  constructor(options: NetworkOptions = {}) {
    this.options = { seed: 0, loss: 0, delayMs: 0, maxBytes: 1 << 20, publishMs: 0, knowsDeaths: false, ...options }
    this.#random = createRandom(this.options.seed)
  }

  /** Starts another hub; it beats every second, and its lease is ten. */
  async start(): Promise<ClusterNode> {
    const node = new ClusterNode(this)
    this.nodes.push(node)
    await node.hub.start()
    return node
  }

  publish(update: Update): void {
    this.log.push(update)
    for (const node of this.nodes) if (!node.isDead) node.append({ position: String(this.log.length), update })
  }

  broadcast(message: Uint8Array, from: ClusterNode): void {
    this.sent++
    this.longest = Math.max(this.longest, message.byteLength)
    if (from.isDead || from.isCutOff) return
    for (const node of this.nodes) {
      if (this.#random.next() < this.options.loss) continue
      this.at(this.now + this.#random.next() * this.options.delayMs, () => {
        if (!node.isDead && !node.isCutOff) node.receive(message)
      })
    }
  }

  at(at: number, action: () => void): void {
    this.#appointments.push({ at, action })
  }

  /** Lets so much of the network's time pass, or until so many things have happened. */
  async pass(ms: number, most = Number.POSITIVE_INFINITY): Promise<void> {
    const end = this.now + ms
    for (let count = 0; ; count++) {
      if (count === most) return
      const next = this.#appointments.reduce<Appointment | undefined>(
        (first, one) => (first === undefined || one.at < first.at ? one : first),
        undefined,
      )
      if (next === undefined || next.at > end) break
      this.#appointments = this.#appointments.filter(one => one !== next)
      this.now = Math.max(this.now, next.at)
      next.action()
      await nextTurn()
    }
    this.now = end
  }

  /** How often each subscription was announced as active, and as ended: in the order of the log, `+` and `-` by topic. */
  announcements(topic: string): string {
    return this.log
      .map(({ data }) => JSON.parse(data))
      .filter(document => document.topic === topic)
      .map(document => (document.active ? '+' : '-'))
      .join('')
  }
}

export class ClusterNode implements Clock {
  readonly hub: Hub
  readonly network: ClusterNetwork
  /** Has ended without a word. */
  isDead = false
  /** Lives, and its messages go nowhere; the log is another matter. */
  isCutOff = false
  #deliver: (entry: LogEntry, live: boolean) => void = () => {}
  #listener: (message: Uint8Array) => void = () => {}
  #will: Uint8Array | undefined
  #closed = false
  readonly #subscribers = new Map<string, { subscriber: Subscriber; collector: Collector }>()

  constructor(network: ClusterNetwork) {
    this.network = network
    const broadcast: Broadcast = {
      maxBytes: network.options.maxBytes,
      send: async message => network.broadcast(message, this),
      receive: listener => {
        this.#listener = listener
      },
      will: message => {
        this.#will = message
      },
    }
    const transport: Transport = {
      recentEntries: 10,
      start: async (_options, deliver) => {
        this.#deliver = deliver
      },
      publish: async update => {
        const { publishMs } = network.options
        if (publishMs > 0) await new Promise<void>(resolve => network.at(network.now + publishMs, resolve))
        // Who has died meanwhile may have sent it before.
        network.publish(update)
      },
      broadcast,
      close: async () => {
        this.#closed = true
      },
    }
    this.hub = new Hub({
      transport,
      recent: { entries: 10, bytes: 1 << 20 },
      maxQueueBytes: 1 << 20,
      subscriptions: true,
      observer: {
        published: () => {},
        delivered: () => {},
        firstWritten: () => {},
        lastWritten: () => {},
        resumed: () => {},
        replayed: () => {},
        repeated: () => {},
        logFailed: () => {},
        subscribed: () => {},
        unsubscribed: () => {},
        failed: error => network.failures.push(error),
      },
      cluster: { heartbeatMs: 1000, leaseMs: 10_000, clock: this },
    })
  }

  now(): number {
    return this.network.now
  }

  every(intervalMs: number, action: () => void): () => void {
    let stopped = false
    const again = () => {
      if (stopped || this.isDead) return
      action()
      this.network.at(this.network.now + intervalMs, again)
    }
    this.network.at(this.network.now + intervalMs, again)
    return () => {
      stopped = true
    }
  }

  append(entry: LogEntry): void {
    if (!this.#closed) this.#deliver(entry, true)
  }

  receive(message: Uint8Array): void {
    if (!this.#closed) this.#listener(message)
  }

  async join(topic: string): Promise<Subscriber> {
    const matchers = topicMatchers(topic)
    const collector = new Collector()
    const cursor = await this.hub.locate(undefined, matchers, new AbortController().signal)
    const subscriber = this.hub.subscribe({ matchers, grant: null, cursor, sink: collector })
    collector.onEnd = reason => this.hub.unsubscribe(subscriber, reason)
    this.#subscribers.set(topic, { subscriber, collector })
    return subscriber
  }

  part(topic: string): void {
    this.#subscribers.get(topic)?.collector.end('client closed')
    this.#subscribers.delete(topic)
  }

  /** The topics that are subscribed to here. */
  get joined(): string[] {
    return [...this.#subscribers.keys()]
  }

  /** The topics of the whole cluster's subscriptions, as this node lists them. */
  get listed(): string[] {
    return [...this.hub.presence!.list()].map(({ pattern }) => pattern).sort()
  }

  /** Ends as a process does that is killed. */
  kill(): void {
    this.isDead = true
    if (!this.network.options.knowsDeaths || this.#will === undefined) return
    for (const node of this.network.nodes) if (!node.isDead) node.receive(this.#will)
  }
}
