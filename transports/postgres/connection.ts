import { HubError } from '../../src/errors.ts'
import { Failure } from './failure.ts'
import type { Outage } from './outage.ts'
import type { Session } from './session.ts'

export interface ConnectionOptions {
  /** What it is for, in messages. */
  readonly name: string
  /** Gives a session that works, unless aborted. @throws Failure, HubError */
  readonly connect: (signal: AbortSignal) => Promise<Session>
  readonly outage: Outage
}

const shortestPauseMs = 50
const longestPauseMs = 2000

/** Keeps a session: where one has ended, another is opened. */
export class Connection {
  readonly #options: ConnectionOptions
  #session: Session | undefined
  #next = expectation<Session>()
  #hasConnected = false
  #pauseMs = 0
  #timer: NodeJS.Timeout | undefined
  #connecting: Promise<void> = Promise.resolve()
  readonly #closing = new AbortController()

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** The session of now. */
  get current(): Session | undefined {
    return this.#session
  }

  /** From now on there is one as soon as there can be. */
  open(): void {
    this.#connecting = this.#connect()
  }

  /**
   * A session, once there is one.
   * @throws HubError `configuration_invalid` when there can be none as the hub is configured, and was none yet; `transport_unavailable` after `close`
   */
  session(): Promise<Session> {
    return this.#session === undefined ? this.#next.promise : Promise.resolve(this.#session)
  }

  /** The session is of no use any more. */
  drop(session: Session, reason: Failure): void {
    session.kill()
    if (session !== this.#session) return
    this.#session = undefined
    this.#next = expectation()
    if (this.#closing.signal.aborted) {
      this.#next.reject(closed())
      return
    }
    this.#options.outage.begin(this.#options.name, reason)
    this.#retry()
  }

  /** What was asked before is still answered. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    this.#next.reject(closed())
    await this.#session?.end()
    await this.#connecting
  }

  async #connect(): Promise<void> {
    const { name, connect, outage } = this.#options
    try {
      const session = await connect(this.#closing.signal)
      if (this.#closing.signal.aborted) {
        await session.end()
        return
      }
      void session.ended.then(() => this.drop(session, new Failure('broken', 'the connection was closed')))
      this.#hasConnected = true
      this.#pauseMs = 0
      this.#session = session
      outage.end(name)
      this.#next.resolve(session)
    } catch (error) {
      if (this.#closing.signal.aborted) return
      const fatal = this.#hasConnected ? undefined : fatalError(error)
      if (fatal !== undefined) {
        this.#next.reject(fatal)
        return
      }
      outage.begin(name, error instanceof HubError ? new Failure('misconfigured', error.message) : Failure.of(error))
      this.#retry()
    }
  }

  /** Sooner at first, then more and more patiently; never all nodes at the same time. */
  #retry(): void {
    const pauseMs = this.#pauseMs * (0.75 + 0.5 * Math.random())
    this.#pauseMs = Math.min(longestPauseMs, Math.max(shortestPauseMs, this.#pauseMs * 2))
    this.#timer = setTimeout(() => this.open(), pauseMs)
  }
}

/** Nobody need be waiting for it when it is rejected. */
function expectation<Value>(): PromiseWithResolvers<Value> {
  const expected = Promise.withResolvers<Value>()
  expected.promise.catch(() => {})
  return expected
}

function fatalError(error: unknown): HubError | undefined {
  if (error instanceof HubError) return error
  const failure = Failure.of(error)
  if (failure.meaning !== 'misconfigured') return undefined
  return new HubError('configuration_invalid', `transport_url, postgres: ${failure.message}.`)
}

export const closed = (): HubError => new HubError('transport_unavailable', 'The log is closed.')
