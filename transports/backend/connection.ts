import { HubError } from '../../src/errors.ts'
import { Failure } from './failure.ts'
import type { Outage } from './outage.ts'
import { closed, misconfigured } from './refusals.ts'

/**
 * What a backend's client has opened: one connection, or as many as it needs. It never connects again and never sends a thing twice: whoever
 * uses it knows what became of what was asked, and asks for another session when this one is over.
 */
export interface Session {
  /** Nothing can be asked on it any more, or not for long. */
  readonly isOver: boolean
  /** Why it is over, where that is known. */
  readonly reason?: Failure | undefined
  /** Resolves when it is over, for whatever reason. */
  readonly ended: Promise<void>
  /** Ends it, with a word to the server where there is one; resolves when it is over, which it is soon. */
  end(): Promise<void>
  /** Ends it at once: what was asked and is not answered fails. */
  kill(): void
}

export interface ConnectionOptions<S extends Session> {
  /** What it is for, in messages. */
  readonly name: string
  /** Gives a session that works; gives up when aborted. @throws Failure; HubError `configuration_invalid` */
  readonly connect: (signal: AbortSignal) => Promise<S>
  readonly outage: Outage
}

const shortestPauseMs = 50
const longestPauseMs = 2000

/** Keeps a session from when it is first wanted: where one has ended, another is opened. */
export class Connection<S extends Session> {
  readonly #options: ConnectionOptions<S>
  #session: S | undefined
  #next = expectation<S>()
  #hasConnected = false
  #pauseMs = 0
  #timer: NodeJS.Timeout | undefined
  #connecting: Promise<void> | undefined
  readonly #closing = new AbortController()

  constructor(options: ConnectionOptions<S>) {
    this.#options = options
  }

  /** The session of now. */
  get current(): S | undefined {
    const session = this.#session
    if (session?.isOver) this.drop(session, session.reason ?? connectionClosed())
    return this.#session
  }

  /**
   * A session, once there is one.
   * @throws HubError `configuration_invalid` when there can be none as the hub is configured, and was none yet; `transport_unavailable` after `close`
   */
  session(): Promise<S> {
    if (!this.#closing.signal.aborted) this.#connecting ??= this.#connect()
    const session = this.current
    return session === undefined ? this.#next.promise : Promise.resolve(session)
  }

  /** The session is of no use any more. */
  drop(session: S, reason: Failure): void {
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
      void session.ended.then(() => this.drop(session, session.reason ?? connectionClosed()))
      this.#hasConnected = true
      this.#pauseMs = 0
      this.#session = session
      outage.end(name)
      this.#next.resolve(session)
    } catch (error) {
      if (this.#closing.signal.aborted) return
      const failure = Failure.of(error)
      if (failure.meaning === 'misconfigured' && !this.#hasConnected) {
        this.#next.reject(error instanceof HubError ? error : misconfigured(outage.backend, failure.message))
        return
      }
      outage.begin(name, failure)
      this.#retry()
    }
  }

  /** Sooner at first, then more and more patiently; never all nodes at the same time. */
  #retry(): void {
    const pauseMs = this.#pauseMs * (0.75 + 0.5 * Math.random())
    this.#pauseMs = Math.min(longestPauseMs, Math.max(shortestPauseMs, this.#pauseMs * 2))
    this.#timer = setTimeout(() => {
      this.#connecting = this.#connect()
    }, pauseMs)
  }
}

/** Nobody need be waiting for it when it is rejected. */
function expectation<Value>(): PromiseWithResolvers<Value> {
  const expected = Promise.withResolvers<Value>()
  expected.promise.catch(() => {})
  return expected
}

const connectionClosed = (): Failure => new Failure('broken', 'the connection was closed')
