import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { ResponseReader } from '../../src/cli/bench/response-reader.ts'
import type { ClusterHub } from './cluster.ts'

/** When something happened: by the clock, in milliseconds, and by the updates published until then. */
export interface Moment {
  readonly atMs: number
  readonly published: number
}

export interface CrowdOptions {
  readonly topic: string
  /** The nodes that a balancer in front would choose from now. */
  readonly inRotation: () => readonly ClusterHub[]
  /** How many updates were published so far. */
  readonly published: () => number
}

/** Connections under way at once, when a crowd comes. */
const connectsAtOnce = 100

/**
 * Very many subscribers of one topic, who come back as EventSource does: after the time that they were told, with the id of their last event, and never
 * after an answer that is no event stream. A balancer in front gives each to the node that has the fewest. The data of updates is `PUBLISHER:NUMBER`.
 */
export class Crowd {
  readonly options: CrowdOptions
  readonly members: Member[] = []
  /** Streams that a node has ended. */
  readonly ends: Moment[] = []
  /** Streams that were opened after one had ended. */
  readonly returns: Moment[] = []
  /** Updates that came twice, or after one that was published later. */
  repeated = 0
  /** Updates that did not come before one that was published later. */
  lost = 0
  /** Those who were told for good that there is no stream. */
  failed: string[] = []
  readonly #sizes = new Map<ClusterHub, number>()
  readonly #changed = new EventEmitter().setMaxListeners(0)

  constructor(options: CrowdOptions) {
    this.options = options
  }

  /** Resolves when so many more have a stream. */
  async come(count: number): Promise<void> {
    let next = 0
    const openNext = async () => {
      while (next++ < count) await this.add(new Member(this, '')).opened
    }
    await Promise.all(Array.from({ length: Math.min(count, connectsAtOnce) }, openNext))
  }

  /** One who asks this node first, and wants all that was ever published. */
  arrive(hub: ClusterHub): Member {
    return this.add(new Member(this, '&last_event_id=earliest', hub))
  }

  add(member: Member): Member {
    this.members.push(member)
    return member
  }

  sizeAt(hub: ClusterHub): number {
    return this.#sizes.get(hub) ?? 0
  }

  choose(): ClusterHub {
    const [first, ...others] = this.options.inRotation()
    return others.reduce((best, hub) => (this.sizeAt(hub) < this.sizeAt(best) ? hub : best), first!)
  }

  joined(hub: ClusterHub): void {
    this.#sizes.set(hub, this.sizeAt(hub) + 1)
  }

  left(hub: ClusterHub): void {
    this.#sizes.set(hub, this.sizeAt(hub) - 1)
  }

  now(): Moment {
    return { atMs: performance.now(), published: this.options.published() }
  }

  tell(): void {
    this.#changed.emit('change')
  }

  /** Resolves when the condition holds of all of them, or one has failed. */
  async until(condition: (member: Member) => boolean): Promise<void> {
    for (const member of this.members) {
      while (!condition(member) && this.failed.length === 0) await once(this.#changed, 'change')
    }
  }

  close(): void {
    for (const member of this.members) member.close()
  }
}

class Member {
  /** Resolves when it has had an answer for the first time. */
  readonly opened: Promise<void>
  /** By publisher: the number that comes next. */
  readonly next: number[] = []
  /** Streams that it had. */
  streams = 0
  readonly #crowd: Crowd
  readonly #query: string
  readonly #tellOpened: () => void
  #hub: ClusterHub | undefined
  #socket: Socket | undefined
  #timer: NodeJS.Timeout | undefined
  #retryMs = 3000
  #lastEventId = ''
  #rest = ''
  #id = ''
  #data: string | undefined
  #isClosed = false

  constructor(crowd: Crowd, query: string, first?: ClusterHub) {
    this.#crowd = crowd
    this.#query = `topic=${encodeURIComponent(crowd.options.topic)}${query}`
    const { promise, resolve } = Promise.withResolvers<void>()
    this.opened = promise
    this.#tellOpened = resolve
    this.#open(first ?? crowd.choose())
  }

  #open(hub: ClusterHub): void {
    const { hostname, port } = new URL(hub.url)
    const reader = new ResponseReader(this)
    const last = this.#lastEventId === '' ? '' : `Last-Event-ID: ${this.#lastEventId}\r\n`
    const socket = connect(Number(port), hostname).setNoDelay()
    this.#hub = hub
    this.#socket = socket
    this.#crowd.joined(hub)
    this.#rest = ''
    socket
      .on('data', (bytes: Buffer) => reader.read(bytes, bytes.length))
      .on('error', () => {})
      .on('close', () => this.end())
    socket.write(
      `GET /.well-known/mercure?${this.#query} HTTP/1.1\r\nHost: hub.example\r\nAccept: text/event-stream\r\n${last}\r\n`,
    )
  }

  head(status: number): void {
    if (status !== 200) {
      this.#crowd.failed.push(`${status}`)
      this.#crowd.tell()
      return
    }
    if (this.streams++ > 0) this.#crowd.returns.push(this.#crowd.now())
    this.#tellOpened()
  }

  body(bytes: Buffer, from: number, to: number): void {
    const lines = (this.#rest + bytes.toString('latin1', from, to)).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) this.#read(line)
  }

  /** Its stream, or its connection, has ended. */
  end(): void {
    const hub = this.#hub
    if (hub === undefined) return
    this.#hub = undefined
    this.#socket?.removeAllListeners('close').destroy()
    this.#crowd.left(hub)
    if (this.#isClosed) return
    this.#crowd.ends.push(this.#crowd.now())
    this.#timer = setTimeout(() => this.#open(this.#crowd.choose()), this.#retryMs)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.end()
  }

  #read(line: string): void {
    if (line.startsWith('data: ')) this.#data = line.slice(6)
    else if (line.startsWith('id: ')) this.#id = line.slice(4)
    else if (line.startsWith('retry: ')) this.#retryMs = Number(line.slice(7))
    else if (line === '' && this.#data !== undefined) {
      this.#lastEventId = this.#id
      this.#receive(this.#data)
      this.#data = undefined
    }
  }

  #receive(data: string): void {
    const [publisher = 0, number = 0] = data.split(':').map(Number)
    const next = this.next[publisher] ?? 0
    if (number < next) this.#crowd.repeated++
    else {
      this.#crowd.lost += number - next
      this.next[publisher] = number + 1
    }
    this.#crowd.tell()
  }
}
