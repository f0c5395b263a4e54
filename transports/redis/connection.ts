import { HubError } from '../../src/errors.ts'
import type { Client } from './client.ts'
import { Failure } from './failure.ts'
import type { Outage } from './outage.ts'

export interface ConnectionOptions {
  /** What it is for, in messages. */
  readonly name: string
  /** Gives a client that works. @throws Failure, HubError */
  readonly connect: () => Promise<Client>
  readonly outage: Outage
}

const shortestPauseMs = 50
const longestPauseMs = 2000

/** Keeps a client connected from when it is first wanted: where one has ended, another is made. */
export class Connection {
  readonly #options: ConnectionOptions
  #client: Client | undefined
  #next = Promise.withResolvers<Client>()
  #isWanted = false
  #hasConnected = false
  #pauseMs = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#next.promise.catch(() => {})
  }

  /** The client of now. */
  get current(): Client | undefined {
    const client = this.#client
    if (client !== undefined && client.status !== 'ready') this.drop(client, connectionClosed())
    return this.#client
  }

  /**
   * A client, once there is one.
   * @throws HubError `configuration_invalid` when there can be none as the hub is configured, and was none yet; `transport_unavailable` after `close`
   */
  client(): Promise<Client> {
    if (!this.#isWanted && !this.#closed) {
      this.#isWanted = true
      void this.#connect()
    }
    const client = this.current
    return client === undefined ? this.#next.promise : Promise.resolve(client)
  }

  /** The client is of no use any more. */
  drop(client: Client, reason: Failure): void {
    if (client !== this.#client) return
    this.#client = undefined
    this.#next = Promise.withResolvers()
    this.#next.promise.catch(() => {})
    client.disconnect()
    if (this.#closed) return
    this.#options.outage.begin(this.#options.name, reason)
    this.#retry()
  }

  /** What was asked before may still be answered, or not. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#next.reject(closed())
    const client = this.#client
    if (client === undefined) return
    this.#client = undefined
    this.#next = Promise.withResolvers()
    this.#next.promise.catch(() => {})
    this.#next.reject(closed())
    const ended = Promise.withResolvers<void>()
    client.once('end', ended.resolve)
    client.disconnect()
    if (client.status !== 'end') await ended.promise
  }

  async #connect(): Promise<void> {
    const { name, connect, outage } = this.#options
    try {
      const client = await connect()
      if (this.#closed) {
        client.disconnect()
        return
      }
      client.once('end', () => this.drop(client, connectionClosed()))
      this.#hasConnected = true
      this.#pauseMs = 0
      this.#client = client
      outage.end(name)
      this.#next.resolve(client)
    } catch (error) {
      if (this.#closed) return
      const fatal = fatalError(error)
      if (fatal !== undefined && !this.#hasConnected) {
        this.#next.reject(fatal)
        return
      }
      outage.begin(name, Failure.of(error))
      this.#retry()
    }
  }

  /** Sooner at first, then more and more patiently; never all nodes at the same time. */
  #retry(): void {
    const pauseMs = this.#pauseMs * (0.75 + 0.5 * Math.random())
    this.#pauseMs = Math.min(longestPauseMs, Math.max(shortestPauseMs, this.#pauseMs * 2))
    this.#timer = setTimeout(() => void this.#connect(), pauseMs)
  }
}

function fatalError(error: unknown): HubError | undefined {
  if (error instanceof HubError) return error
  if (!(error instanceof Failure) || error.meaning !== 'misconfigured') return undefined
  return new HubError('configuration_invalid', `transport_url, redis: ${error.message}.`)
}

const connectionClosed = (): Failure => new Failure('broken', 'the connection was closed')

export const closed = (): HubError => new HubError('transport_unavailable', 'The log is closed.')
