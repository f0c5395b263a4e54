import { setImmediate as nextTurn } from 'node:timers/promises'
import { HubError } from '../../src/errors.ts'
import type { Update } from '../../src/protocol/update.ts'
import { answered, type Client, inTime } from './client.ts'
import { type Connection, closed } from './connection.ts'
import { encodeFields } from './entry.ts'
import { Failure } from './failure.ts'
import type { Keys } from './keys.ts'
import type { Outage } from './outage.ts'
import { append, run } from './scripts.ts'

export interface WriterOptions {
  readonly connection: Connection
  readonly keys: Keys
  /** Updates that the log keeps, at least; 0: all. */
  readonly maxLength: number
  /** Replicas that must have an update before its publisher is answered. */
  readonly replicas: number
  /** How long a publisher waits at most; 0: for ever. */
  readonly publishTimeoutMs: number
  readonly outage: Outage
}

interface Publish {
  /** What the script is given of it. */
  readonly args: readonly string[]
  readonly bytes: number
  /** After this, its publisher waits no longer. */
  readonly untilMs: number
  resolve(): void
  reject(error: HubError): void
}

interface Message {
  readonly bytes: Buffer
  readonly sent: PromiseWithResolvers<void>
}

/** What one script call takes of what waits: Redis does nothing else meanwhile. `texts`: of which updates consist. */
const groupBounds = { messages: 1000, updates: 256, texts: 20_000, bytes: 4 << 20 }
/** What may wait while Redis is slow or gone. */
const queueBounds = { updates: 100_000, bytes: 64 << 20 }
/** Messages live so long in Redis, for nodes that are behind by a moment. */
const messageAgeMs = 15_000
/** How long replicas are waited for where publishers wait for ever. */
const longestWaitMs = 10_000
/** The name of its trouble. */
const storing = 'storing'
/** How often what waits is looked at for what has waited too long. */
const sweepMs = 50

/**
 * Stores what is published, in groups: the updates that come while one is under way share the next call. One call at a time keeps their
 * order. While there is no connection they wait, for `publishTimeoutMs` at most; what was sent and not answered is not sent again.
 */
export class Writer {
  readonly #options: WriterOptions
  readonly #waiting: Publish[] = []
  #waitingBytes = 0
  /** Sent and not answered yet. */
  #group: readonly Publish[] = []
  readonly #messages: Message[] = []
  #running: Promise<void> | undefined
  #sweeper: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** Resolves when Redis has stored the update. Updates are stored in the order of the calls. */
  publish(update: Update): Promise<void> {
    if (this.#closed) return Promise.reject(closed())
    if (this.#waiting.length >= queueBounds.updates || this.#waitingBytes >= queueBounds.bytes) {
      return Promise.reject(notStored('too many wait for Redis already'))
    }
    const { publishTimeoutMs } = this.#options
    const fields = encodeFields(update)
    const bytes = Buffer.byteLength(update.data)
    const untilMs = publishTimeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + publishTimeoutMs
    return new Promise((resolve, reject) => {
      const args = [String(bytes), String(fields.length), ...fields]
      this.#waiting.push({ args, bytes, untilMs, resolve, reject })
      this.#waitingBytes += bytes
      this.#wake()
    })
  }

  /** Goes before the updates that are published after it; lost where there is no connection now. */
  send(message: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(closed())
    if (this.#options.connection.current === undefined) return Promise.reject(notStored('there is no connection'))
    const sent = Promise.withResolvers<void>()
    this.#messages.push({ bytes: Buffer.from(message), sent })
    this.#wake()
    return sent.promise
  }

  /** Asks for the storing of nothing, which fails where that of an update would. @throws Failure */
  async probe(client: Client, timeoutMs: number): Promise<void> {
    const { keys, outage } = this.#options
    const late = () => new Failure('broken', `it has not answered for ${timeoutMs / 1000} s`)
    await inTime(run(client, append, keys, ['0', '0', '0', '0']), timeoutMs, late)
    outage.end(storing)
  }

  /** Stores what was published before, if Redis takes it in time. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#options.connection.current === undefined) this.#refuseWaiting('the hub is shutting down')
    else await this.#running
  }

  #wake(): void {
    this.#running ??= this.#run()
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs)
  }

  async #run(): Promise<void> {
    // What else is published in this turn goes into the same call.
    await nextTurn()
    while (this.#waiting.length > 0 || this.#messages.length > 0) {
      const client = await this.#connected()
      if (client === undefined) break
      await this.#sendGroup(client)
    }
    this.#running = undefined
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }

  /** Messages do not wait for a connection, and updates not while the hub shuts down. */
  async #connected(): Promise<Client | undefined> {
    const { connection } = this.#options
    try {
      if (connection.current === undefined) {
        this.#refuseMessages('there is no connection')
        if (this.#closed) throw closed()
      }
      return await connection.client()
    } catch {
      this.#refuseWaiting('the hub is shutting down')
      return undefined
    }
  }

  async #sendGroup(client: Client): Promise<void> {
    const { connection, keys, maxLength, publishTimeoutMs, outage } = this.#options
    const messages = this.#messages.splice(0, groupBounds.messages)
    // Updates do not overtake the messages that were sent before them.
    const group = this.#messages.length > 0 ? [] : this.#takeGroup()
    this.#group = group
    const args = [String(maxLength), String(messageAgeMs), String(group.length), String(messages.length)]
    try {
      const stored = run(client, append, keys, [
        ...args,
        ...messages.map(({ bytes }) => bytes),
        ...group.flatMap(publish => publish.args),
      ])
      await answered(client, stored, publishTimeoutMs)
      outage.end(storing)
      for (const { sent } of messages) sent.resolve()
      const missing = await this.#missingReplicas(client)
      for (const { resolve, reject } of group) missing === 0 ? resolve() : reject(notReplicated(missing))
    } catch (error) {
      const failure = Failure.of(error)
      for (const { sent } of messages) sent.reject(notStored(failure.message))
      this.#takeFailure(group, failure)
      if (failure.meaning === 'passing' || failure.meaning === 'broken') connection.drop(client, failure)
      else outage.begin(storing, failure)
    }
    this.#group = []
  }

  #takeFailure(group: readonly Publish[], failure: Failure): void {
    if (failure.meaning === 'passing') {
      this.#putBack(group)
      return
    }
    const error = failure.meaning === 'broken' ? unknown(failure) : notStored(failure.message)
    for (const { reject } of group) reject(error)
  }

  /** How many replicas less than asked for have what this connection has written. */
  async #missingReplicas(client: Client): Promise<number> {
    const { replicas, publishTimeoutMs } = this.#options
    if (replicas === 0) return 0
    // Time is left to tell its publishers what is known.
    const timeoutMs = (publishTimeoutMs === 0 ? longestWaitMs : publishTimeoutMs) / 2
    return Math.max(0, replicas - (await answered(client, client.wait(replicas, Math.ceil(timeoutMs)), timeoutMs * 2)))
  }

  #takeGroup(): Publish[] {
    let count = 0
    let bytes = 0
    let texts = 0
    for (const publish of this.#waiting) {
      const isFull = bytes + publish.bytes > groupBounds.bytes || texts + publish.args.length > groupBounds.texts
      if (count === groupBounds.updates || (count > 0 && isFull)) break
      bytes += publish.bytes
      texts += publish.args.length
      count++
    }
    this.#waitingBytes -= bytes
    return this.#waiting.splice(0, count)
  }

  #putBack(group: readonly Publish[]): void {
    this.#waiting.unshift(...group)
    for (const { bytes } of group) this.#waitingBytes += bytes
  }

  /** Those who wait longest are first. */
  #sweep(): void {
    const now = performance.now()
    const overdue = this.#waiting.findIndex(({ untilMs }) => untilMs > now)
    this.#refuse(this.#waiting.splice(0, overdue < 0 ? this.#waiting.length : overdue), 'Redis cannot be used')
    for (const { untilMs, reject } of this.#group) {
      if (untilMs <= now) reject(unknown(new Failure('broken', 'it has not answered in time')))
    }
  }

  #refuseWaiting(reason: string): void {
    this.#refuse(this.#waiting.splice(0), reason)
    this.#refuseMessages(reason)
  }

  #refuseMessages(reason: string): void {
    for (const { sent } of this.#messages.splice(0)) sent.reject(notStored(reason))
  }

  #refuse(publishes: readonly Publish[], reason: string): void {
    for (const { bytes, reject } of publishes) {
      this.#waitingBytes -= bytes
      reject(notStored(reason))
    }
  }
}

const notStored = (reason: string): HubError =>
  new HubError(
    'transport_unavailable',
    'The update was not stored: this hub cannot write its log now. Publish it again later.',
    { cause: new Error(reason) },
  )

const unknown = ({ message }: Failure): HubError =>
  new HubError(
    'transport_unavailable',
    'It is not known whether the update was stored: the log has not answered. Published again, it may come twice; give it an id to recognise it by.',
    { cause: new Error(message) },
  )

const notReplicated = (missing: number): HubError =>
  new HubError(
    'transport_unavailable',
    'The update is stored, but not as safely as this hub is told to store it. Published again, it comes twice.',
    { cause: new Error(`${missing} more replicas should have it`) },
  )
