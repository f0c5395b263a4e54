import { v7 as uuidv7 } from 'uuid'
import type { Subscription } from '../protocol/subscription.ts'
import type { Broadcast } from '../transport.ts'
import { Burials } from './cluster/burials.ts'
import { type Clock, systemClock } from './cluster/clock.ts'
import { cut, Fragments } from './cluster/fragments.ts'
import { ListSender } from './cluster/list-sender.ts'
import { type Burial, decodeMessage, encodeList, encodeMessage, type Message } from './cluster/message.ts'
import { Peer } from './cluster/peer.ts'

export interface ClusterTimes {
  /** How often a node says that it lives, in milliseconds. */
  readonly heartbeatMs?: number
  /** The silence after which a node counts as gone, in milliseconds: several heartbeats. */
  readonly leaseMs?: number
  readonly clock?: Clock
}

export interface ClusterOptions extends ClusterTimes {
  readonly broadcast: Broadcast
  /** This node's subscriptions, by subscriber; `changed` is called after each change. */
  readonly own: ReadonlyMap<string, readonly Subscription[]>
  /** Announces that subscriptions of a node that has gone have ended; resolves when that is stored. */
  readonly announceEnd: (subscriptions: readonly Subscription[]) => Promise<void>
  /** This node was taken for dead, and the end of its subscriptions announced: they are to be announced again. */
  readonly announceReturn: () => Promise<void>
  readonly failed: (error: unknown, during: string) => void
}

const defaultMaxBytes = 1 << 20

/**
 * The nodes of a hub and their subscriptions. Each keeps a copy of every other one's list: a change is sent as it happens, a beat tells the list's
 * version, and who has missed something asks for the whole. A node that is silent for the lease, or that the backend says has vanished,
 * is gone: its subscriptions leave the list, and one of the others announces their end.
 */
export class Cluster {
  /** Sorts by time: the lowest of the living nodes is the one that knows most. */
  readonly id = uuidv7()
  readonly #options: ClusterOptions
  readonly #clock: Clock
  readonly #heartbeatMs: number
  readonly #leaseMs: number
  readonly #fragments = new Fragments()
  readonly #peers = new Map<string, Peer>()
  readonly #burials: Burials
  /** Burials of this node that it has answered. */
  readonly #returns = new Set<string>()
  #version = 0
  #lists = 0
  #messages = 0
  readonly #listSender: ListSender
  /** When a message of this node last came back to it. */
  #heardSelfAt = 0
  #sendFails = false
  #stop: (() => void) | undefined

  constructor(options: ClusterOptions) {
    const { clock = systemClock, heartbeatMs = 3000, leaseMs = 10_000 } = options
    this.#options = options
    this.#clock = clock
    this.#heartbeatMs = heartbeatMs
    this.#leaseMs = leaseMs
    const { announceEnd } = options
    this.#burials = new Burials({ leaseMs, announceEnd, rank: () => this.#rank })
    this.#listSender = new ListSender({
      parts: () => encodeList(this.#lists++, this.#version, [...options.own]),
      deliver: part => this.#deliver(part),
      hasLeft: () => this.#stop === undefined,
      failed: error => options.failed(error, 'sending the list of subscriptions to the other nodes'),
    })
  }

  start(): void {
    const { broadcast } = this.#options
    broadcast.receive(bytes => this.#receive(bytes))
    for (const bytes of this.#fragmentsOf(encodeMessage({ type: 'gone' }))) broadcast.will?.(bytes)
    this.#heardSelfAt = this.#clock.now()
    this.#send({ type: 'ask', of: null })
    this.#beat()
    this.#stop = this.#clock.every(this.#heartbeatMs, () => this.#tick())
  }

  /** The other nodes forget this one. */
  leave(): void {
    if (this.#stop === undefined) return
    this.#stop()
    this.#stop = undefined
    this.#send({ type: 'leave' })
  }

  /** A subscriber of this node has come or, with `null`, left. */
  changed(subscriber: string, subscriptions: readonly Subscription[] | null): void {
    this.#version++
    if (this.#stop !== undefined) this.#send({ type: 'change', version: this.#version, subscriber, subscriptions })
  }

  /** The subscriptions of the other nodes, node by node. */
  get others(): readonly Pick<Peer, 'id' | 'subscriptions'>[] {
    return [...this.#peers.values()]
  }

  get #rank(): number {
    return [...this.#peers.keys()].filter(id => id < this.id).length
  }

  #tick(): void {
    const now = this.#clock.now()
    // Who does not hear itself is the one that is cut off, or was stopped: the others' silence says nothing then.
    const isCutOff = now - this.#heardSelfAt >= this.#leaseMs / 2
    for (const peer of this.#peers.values()) {
      if (isCutOff) peer.heardAt = now
      else if (now - peer.heardAt >= this.#leaseMs) this.#bury(peer)
    }
    if (!isCutOff) this.#holdBurials()
    this.#beat()
  }

  #beat(): void {
    const { holding } = this.#burials
    const burials = this.#burials.told(this.#clock.now())
    this.#send({ type: 'beat', version: this.#version, burials, ...(holding.length > 0 && { holding }) })
  }

  #receive(bytes: Uint8Array): void {
    try {
      const fragment = this.#fragments.add(bytes)
      if (fragment === undefined || this.#stop === undefined) return
      if (fragment.sender === this.id) this.#heardSelfAt = this.#clock.now()
      else this.#take(fragment.sender, decodeMessage(fragment.message))
    } catch (error) {
      this.#options.failed(error, 'reading a message of another node')
    }
  }

  #take(sender: string, message: Message): void {
    if (message.type === 'leave' || message.type === 'gone') {
      this.#remove(sender, message.type)
      return
    }
    const peer = this.#peers.get(sender) ?? this.#meet(sender)
    peer.heardAt = this.#clock.now()
    if (message.type === 'beat') {
      if (peer.isBehind(message.version)) this.#send({ type: 'ask', of: sender })
      for (const node of message.holding ?? []) this.#burials.postpone(node, peer.heardAt)
      for (const burial of message.burials) this.#takeBurial(burial)
    } else if (message.type === 'change') peer.change(message)
    else if (message.type === 'list') peer.addPart(message)
    else if (message.type === 'ask' && (message.of === null || message.of === this.id)) this.#listSender.ask()
  }

  #meet(id: string): Peer {
    const peer = this.#burials.return(id, this.#clock.now()) ?? new Peer(id, 0)
    this.#peers.set(id, peer)
    return peer
  }

  #remove(id: string, reason: 'leave' | 'gone'): void {
    this.#fragments.forget(id)
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    if (reason === 'gone') this.#bury(peer)
    else this.#peers.delete(id)
    this.#holdBurials()
  }

  #bury(peer: Peer): void {
    this.#peers.delete(peer.id)
    this.#fragments.forget(peer.id)
    this.#burials.add(peer, this.#clock.now())
  }

  #holdBurials(): void {
    this.#burials
      .hold(this.#clock.now())
      .then(held => {
        if (held && this.#stop !== undefined) this.#beat()
      })
      .catch(error => this.#options.failed(error, 'announcing the end of subscriptions'))
  }

  #takeBurial({ node, burial }: Burial): void {
    this.#burials.release(node)
    if (node !== this.id || this.#returns.has(burial)) return
    this.#returns.add(burial)
    void this.#options.announceReturn()
  }

  #send(message: Message): void {
    void this.#deliver(encodeMessage(message))
  }

  #fragmentsOf(message: Uint8Array): Generator<Uint8Array> {
    const maxBytes = this.#options.broadcast.maxBytes ?? defaultMaxBytes
    return cut(message, { sender: this.id, number: this.#messages++, maxBytes })
  }

  /** Whatever is lost is found out by the next beat: a failure is told once, and counts until something was sent. */
  async #deliver(message: Uint8Array): Promise<void> {
    try {
      await Promise.all([...this.#fragmentsOf(message)].map(bytes => this.#options.broadcast.send(bytes)))
      this.#sendFails = false
    } catch (error) {
      if (!this.#sendFails) this.#options.failed(error, 'sending a message to the other nodes')
      this.#sendFails = true
    }
  }
}
