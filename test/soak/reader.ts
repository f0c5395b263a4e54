import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { ResponseReader } from '../../src/cli/bench/response-reader.ts'
import type { ClusterHub } from '../support/cluster.ts'
import { signToken } from '../support/token.ts'
import { Ledger } from './ledger.ts'
import type { Nodes } from './nodes.ts'
import type { Publications } from './publications.ts'
import { readSerial, type Selection, topicOf } from './selection.ts'

export interface ReaderOptions {
  readonly name: string
  readonly query: string
  readonly selection: Selection
  readonly nodes: Nodes
  readonly publications: Publications
  /** Milliseconds since the soak began. */
  readonly now: () => number
  /** Something that the ledgers will show, and when it happened. */
  readonly notice: (text: string) => void
  /** Something else that must not happen. */
  readonly alarm: (text: string) => void
}

/** The longest that a reader waits before it comes back. */
const returnMs = 1000

/** A subscriber that comes back with the id of its last event, to any node, for as long as it is there; it enters into a ledger what it receives. */
export class Reader {
  readonly options: ReaderOptions
  ledger: Ledger
  /** The ledgers of its earlier lives. */
  readonly closed: Ledger[] = []
  /** Streams that were opened. */
  streams = 0
  /** It has one now. */
  isOpen = false
  /** Its token may be revoked. */
  mayBeRevoked = false
  /** It is certainly, as long as the memory of the nodes is this one. */
  revokedIn: number | undefined
  /** How often its revoked token was refused. */
  refusals = 0
  /** Streams that were cut when it had taken nothing for a while. */
  cuts = 0
  #hasPaused = false
  /** The memory of the nodes when its newest stream was opened. */
  #openedIn: number | undefined
  #tokens = 0
  #token: string | undefined
  #lastEventId: string | undefined
  #socket: Socket | undefined
  #ended = Promise.withResolvers<void>()

  constructor(options: ReaderOptions) {
    this.options = options
    this.ledger = new Ledger(options.name, options.selection)
  }

  /** Resolves when the stream that it has now has ended. */
  get ended(): Promise<void> {
    return this.isOpen ? this.#ended.promise : Promise.resolve()
  }

  /** Of its token. */
  get subject(): string {
    return `${this.options.name}-${this.#tokens}`
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.options.selection.isAuthorized) await this.#renewToken()
    while (!signal.aborted) {
      const hub = this.options.nodes.pick()
      // What was revoked is forgotten.
      if (this.revokedIn !== this.options.nodes.memory) this.revokedIn = undefined
      const wasRevoked = this.revokedIn !== undefined
      const status = hub === undefined ? 0 : await this.#stream(hub)
      await this.#heed(status, status === 200 && wasRevoked && this.revokedIn === this.#openedIn)
      await sleep(Math.random() * returnMs, undefined, { signal }).catch(() => {})
    }
  }

  /** Breaks its connection. */
  leave(): void {
    this.#socket?.resetAndDestroy()
  }

  /** Leaves, and comes back as somebody new, who knows of nothing or of a late update. */
  beginAnew(): void {
    this.leave()
    this.closed.push(this.ledger)
    const { name, selection, publications } = this.options
    const after = Math.random() < 0.5 ? publications.newest : undefined
    this.ledger = new Ledger(name, selection, after)
    this.#lastEventId = after?.id
  }

  /** Takes nothing more from its connection. */
  pause(): void {
    this.#hasPaused = true
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  /** It has a stream, or can go on from what it has received. */
  get hasBegun(): boolean {
    return this.isOpen || this.#lastEventId !== undefined
  }

  /** Resolves when the stream has ended, with the answer's status; 0: there was none. */
  #stream(hub: ClusterHub): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>()
    const { hostname, port } = new URL(hub.url)
    const socket = connect(Number(port), hostname).setNoDelay()
    const { ledger } = this
    const parser = createParser({ onEvent: event => this.#receive(event, ledger) })
    let answer = 0
    const reader = new ResponseReader({
      head: status => {
        answer = status
        if (status === 200) this.#opened(hub, ledger)
      },
      body: (bytes, from, to) => {
        if (answer === 200) parser.feed(bytes.toString('latin1', from, to))
      },
      // Bytes that come after the last chunk would be another answer.
      end: () => {
        this.#hasPaused = false
        socket.destroy()
      },
    })
    socket
      .on('data', (bytes: Buffer) => {
        if (ledger === this.ledger) reader.read(bytes, bytes.length)
      })
      .on('error', () => {})
      .on('close', () => {
        if (this.isOpen && this.#hasPaused) this.cuts++
        this.isOpen = false
        this.#ended.resolve()
        resolve(answer)
      })
    socket.write(`${this.#head()}\r\n\r\n`)
    this.#socket = socket
    return promise
  }

  #head(): string {
    const lines = [
      `GET /.well-known/mercure?${this.options.query} HTTP/1.1`,
      'Host: hub.example',
      'Accept: text/event-stream',
      ...(this.#token === undefined ? [] : [`Authorization: Bearer ${this.#token}`]),
      ...(this.#lastEventId === undefined ? [] : [`Last-Event-ID: ${this.#lastEventId}`]),
    ]
    return lines.join('\r\n')
  }

  #opened(hub: ClusterHub, ledger: Ledger): void {
    const { now, nodes } = this.options
    this.streams++
    this.isOpen = true
    this.#ended = Promise.withResolvers()
    this.#hasPaused = false
    this.#openedIn = nodes.memory
    ledger.visits.push({ atMs: now(), node: nodes.numberOf(hub), index: ledger.received })
  }

  #receive({ id, data }: EventSourceMessage, ledger: Ledger): void {
    // What it left behind when it began anew.
    if (ledger !== this.ledger) return
    if (id !== undefined) this.#lastEventId = id
    const update = readSerial(data)
    const { publications, notice } = this.options
    // Where nobody knows what became of some, only the log tells.
    if (update === undefined || ledger.enter(update) || publications.unknown > 0) return
    notice(`${ledger.reader}: ${update.publisher}:${update.number} came out of turn`)
  }

  /** What an answer means for the next attempt. `wasTaken`: there was a stream for a token that was revoked before. */
  async #heed(status: number, wasTaken: boolean): Promise<void> {
    const { name, alarm } = this.options
    if (status === 401 && this.mayBeRevoked) this.refusals++
    else if (status !== 0 && status !== 200 && status !== 503) alarm(`${name} was refused with ${status}`)
    if (wasTaken) alarm(`${name} was given a stream for a token that was revoked`)
    if (status === 401 || wasTaken) await this.#renewToken()
  }

  async #renewToken(): Promise<void> {
    this.#tokens++
    this.#token = await signToken({ mercure: { subscribe: ['*'] }, sub: this.subject })
    this.mayBeRevoked = false
    this.revokedIn = undefined
  }
}

/** Who asks for what: everything in the ways that there are, or some topics; with a token or without. */
export function selectFor(index: number, publishers: number): { query: string; selection: Selection } {
  const isAuthorized = index % 3 !== 0
  const all = [
    'topic=*',
    `topic=${encodeURIComponent('https://example.com/soak/{publisher}')}`,
    `match_urlpattern=${encodeURIComponent('https://example.com/soak/:publisher')}`,
  ]
  if (index % 2 === 0) {
    return { query: all[(index / 2) % all.length]!, selection: { publishers: undefined, isAuthorized } }
  }
  const some = new Set([index, index * 7 + 1, index * 3 + 2].map(number => number % publishers))
  const query = [...some].map(publisher => `topic=${encodeURIComponent(topicOf(publisher))}`).join('&')
  return { query, selection: { publishers: some, isAuthorized } }
}
