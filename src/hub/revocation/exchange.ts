import { setTimeout as after } from 'node:timers/promises'
import type { Broadcast } from '../../transport.ts'
import { type Clock, systemClock } from '../cluster/clock.ts'
import { ListSender } from '../cluster/list-sender.ts'
import type { ClusterTimes } from '../cluster.ts'
import { decodeMessage, type Ended, encodeLists, encodeMessage, type Message } from './message.ts'
import type { Revocation } from './revocation.ts'
import type { RevocationList } from './revocation-list.ts'

export interface ExchangeOptions {
  readonly broadcast: Broadcast
  readonly times: ClusterTimes
  readonly list: RevocationList
  /** Takes revocations of another node; how many streams that has closed here. */
  readonly take: (revocations: readonly Revocation[]) => number
  /** Ends a subscriber if it is here, and revokes its token. */
  readonly end: (subscriber: string, until: number | null) => Ended
  readonly failed: (error: unknown, during: string) => void
}

/** What came of a request at the other nodes. */
export interface Answers {
  readonly ended: readonly Ended[]
  /** Nodes that have not answered in time. They hear of it with one of the next beats. */
  readonly silent: number
  /** The request has gone out. If not, there may be nodes that are not known here, and none was told. */
  readonly isSent: boolean
}

interface Peer {
  heardAt: number
  digest: number | undefined
  /** At its last beat it knew something else than this node. */
  differs: boolean
}

interface Request {
  readonly ended: Ended[]
  readonly missing: Set<string>
  /** This node has heard its own request. */
  isHeard: boolean
  readonly changed: () => void
}

/** How long the other nodes have to say that streams are closed. Milliseconds. */
const patienceMs = 1000
const maxListBytes = 64 * 1024
/** Between two times that the same difference is asked about, in heartbeats: clocks that differ make one for as long as they do. */
const beatsBetween = 10

/**
 * Spreads revocations over the nodes of a hub. What changes is sent as it happens; a beat tells what a node knows by a digest, and who knows
 * something else for two of them asks for the whole. Lists are merged, so that their order, and who has sent them, does not matter.
 */
export class RevocationExchange {
  readonly #options: ExchangeOptions
  readonly #clock: Clock
  readonly #heartbeatMs: number
  readonly #leaseMs: number
  readonly #id = crypto.randomUUID()
  readonly #peers = new Map<string, Peer>()
  readonly #requests = new Map<string, Request>()
  readonly #informed = Promise.withResolvers<void>()
  #isInformed = false
  #asked: { at: number; difference: string } | undefined
  readonly #listSender: ListSender
  #sendFails = false
  #heardSelfAt = 0
  #stop: (() => void) | undefined

  constructor(options: ExchangeOptions) {
    const { clock = systemClock, heartbeatMs = 3000, leaseMs = 10_000 } = options.times
    this.#options = options
    this.#clock = clock
    this.#heartbeatMs = heartbeatMs
    this.#leaseMs = leaseMs
    this.#listSender = new ListSender({
      parts: () => this.#lists(options.list.all),
      deliver: part => this.#deliver(part),
      hasLeft: () => this.#stop === undefined,
      failed: error => options.failed(error, 'sending the list of revocations to the other nodes'),
    })
  }

  start(): void {
    this.#heardSelfAt = this.#clock.now()
    this.#options.broadcast.receive(bytes => this.#receive(bytes))
    this.#send({ node: this.#id, type: 'hello' })
    this.#stop = this.#clock.every(this.#heartbeatMs, () => this.#tick())
  }

  leave(): void {
    if (this.#stop === undefined) return
    this.#stop()
    this.#stop = undefined
    this.#send({ node: this.#id, type: 'leave' })
  }

  /** Resolves when this node knows what one of the others knows, or after this time: it may be alone. */
  async informed(withinMs: number): Promise<void> {
    await Promise.race([this.#informed.promise, after(withinMs, undefined, { ref: false })])
    this.#isInformed = true
  }

  /** The other nodes that are taken to live. */
  get peers(): number {
    return this.#peers.size
  }

  /** Sends revocations to all nodes. Resolves when they have closed what they had to. */
  spread(revocations: readonly Revocation[]): Promise<Answers> {
    return this.#request(request => [...this.#lists(revocations, request)])
  }

  /** Has a subscriber ended wherever it is. */
  end(subscriber: string, until: number | null): Promise<Answers> {
    return this.#request(request => [encodeMessage({ node: this.#id, type: 'end', subscriber, until, request })])
  }

  async #request(encode: (request: string) => readonly Uint8Array[]): Promise<Answers> {
    const id = crypto.randomUUID()
    const all = Promise.withResolvers<void>()
    const request: Request = {
      ended: [],
      missing: new Set(this.#peers.keys()),
      isHeard: false,
      changed: () => {
        if (request.isHeard && request.missing.size === 0) all.resolve()
      },
    }
    this.#requests.set(id, request)
    for (const bytes of encode(id)) void this.#deliver(bytes)
    await Promise.race([all.promise, after(patienceMs, undefined, { ref: false })])
    this.#requests.delete(id)
    const { ended, missing, isHeard } = request
    return { ended, silent: missing.size, isSent: isHeard || ended.length > 0 }
  }

  #tick(): void {
    const now = this.#clock.now()
    // Who does not hear itself is cut off: the others' silence says nothing then.
    const isCutOff = now - this.#heardSelfAt >= this.#leaseMs / 2
    for (const [node, peer] of this.#peers) {
      if (isCutOff) peer.heardAt = now
      else if (now - peer.heardAt >= this.#leaseMs) this.#peers.delete(node)
    }
    this.#options.list.prune()
    this.#beat()
  }

  #beat(): void {
    const { digest } = this.#options.list
    this.#send({ node: this.#id, type: 'beat', digest, isInformed: this.#isInformed })
  }

  #receive(bytes: Uint8Array): void {
    try {
      const message = decodeMessage(bytes)
      if (message === undefined || this.#stop === undefined) return
      if (message.node === this.#id) this.#hearSelf(message)
      else this.#take(message)
    } catch (error) {
      this.#options.failed(error, 'reading a message of another node about revocations')
    }
  }

  #hearSelf(message: Message): void {
    this.#heardSelfAt = this.#clock.now()
    const request =
      'request' in message && message.type !== 'done' ? this.#requests.get(message.request ?? '') : undefined
    if (request === undefined) return
    request.isHeard = true
    request.changed()
  }

  #take(message: Message): void {
    const { node, type } = message
    if (type === 'leave') {
      this.#peers.delete(node)
      return
    }
    const peer = this.#peers.get(node) ?? { heardAt: 0, digest: undefined, differs: false }
    peer.heardAt = this.#clock.now()
    this.#peers.set(node, peer)
    if (type === 'hello') this.#beat()
    else if (type === 'beat') this.#compare(node, peer, message)
    else if (type === 'ask') {
      if (message.of === this.#id) this.#listSender.ask()
    } else if (type === 'list') {
      const closed = this.#options.take(message.revocations)
      if (message.request !== undefined) this.#answer(message.request, { closed })
      else if (peer.digest === this.#options.list.digest) this.#informed.resolve()
    } else if (type === 'end') this.#answer(message.request, this.#options.end(message.subscriber, message.until))
    else if (type === 'done') this.#takeAnswer(node, message.request, message.ended)
  }

  #compare(node: string, peer: Peer, { digest, isInformed }: Extract<Message, { type: 'beat' }>): void {
    const own = this.#options.list.digest
    const differed = peer.differs
    peer.digest = digest
    peer.differs = digest !== own
    if (!peer.differs) {
      if (isInformed) this.#informed.resolve()
      return
    }
    // What has just changed is on its way. Who has just come cannot wait for a second beat.
    if (!differed && this.#isInformed) return
    const now = this.#clock.now()
    const difference = `${own} ${digest}`
    const intervalMs = this.#asked?.difference === difference ? beatsBetween * this.#heartbeatMs : this.#heartbeatMs / 2
    if (this.#asked !== undefined && now - this.#asked.at < intervalMs) return
    this.#asked = { at: now, difference }
    this.#send({ node: this.#id, type: 'ask', of: node })
  }

  #answer(request: string, ended: Ended): void {
    this.#send({ node: this.#id, type: 'done', request, ended })
  }

  #takeAnswer(node: string, request: string, answer: Ended): void {
    const asked = this.#requests.get(request)
    if (asked === undefined) return
    asked.ended.push(answer)
    asked.missing.delete(node)
    asked.changed()
  }

  #lists(revocations: readonly Revocation[], request?: string): Generator<Uint8Array> {
    const maxBytes = Math.min(maxListBytes, this.#options.broadcast.maxBytes ?? maxListBytes)
    return encodeLists(this.#id, revocations, { maxBytes, ...(request !== undefined && { request }) })
  }

  #send(message: Message): void {
    void this.#deliver(encodeMessage(message))
  }

  /** Whatever is lost is found out by the next beats: a failure is told once, and counts until something was sent. */
  async #deliver(bytes: Uint8Array): Promise<void> {
    try {
      await this.#options.broadcast.send(bytes)
      this.#sendFails = false
    } catch (error) {
      if (!this.#sendFails) this.#options.failed(error, 'telling the other nodes of revocations')
      this.#sendFails = true
    }
  }
}
