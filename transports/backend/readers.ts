import { HubError } from '../../src/errors.ts'
import type { Session } from './connection.ts'
import { Failure } from './failure.ts'
import { closed, unreadable } from './refusals.ts'

/** Sessions for those who read the past; more than so many wait for each other. */
const maxSessions = 3
/** A session that nobody has used for so long is ended. */
const idleMs = 10_000

/** Sessions that are opened when somebody reads, and shared. */
export class Readers<S extends Session> {
  readonly #connect: (signal: AbortSignal) => Promise<S>
  readonly #idle: S[] = []
  readonly #waiting: PromiseWithResolvers<void>[] = []
  #busy = 0
  #timer: NodeJS.Timeout | undefined
  readonly #closing = new AbortController()

  constructor(connect: (signal: AbortSignal) => Promise<S>) {
    this.#connect = connect
  }

  /** Runs a reading, once more when the session turns out to have ended meanwhile. @throws HubError `transport_unavailable` */
  async use<Result>(read: (session: S) => Promise<Result>): Promise<Result> {
    await this.#take()
    try {
      const kept = this.#idle.pop()
      try {
        return await this.#run(kept ?? (await this.#connect(this.#closing.signal)), read)
      } catch (error) {
        if (kept === undefined || !(error instanceof Failure) || error.meaning !== 'broken') throw error
        return await this.#run(await this.#connect(this.#closing.signal), read)
      }
    } catch (error) {
      throw error instanceof HubError ? error : unreadable(Failure.of(error).message)
    } finally {
      this.#busy--
      this.#waiting.shift()?.resolve()
    }
  }

  async #run<Result>(session: S, read: (session: S) => Promise<Result>): Promise<Result> {
    try {
      const result = await read(session)
      this.#keep(session)
      return result
    } catch (error) {
      if (error instanceof Failure) session.kill()
      else this.#keep(session)
      throw error
    }
  }

  async #take(): Promise<void> {
    while (this.#busy >= maxSessions && !this.#closing.signal.aborted) {
      const turn = Promise.withResolvers<void>()
      this.#waiting.push(turn)
      await turn.promise
    }
    if (this.#closing.signal.aborted) throw closed()
    this.#busy++
  }

  #keep(session: S): void {
    if (this.#closing.signal.aborted) {
      void session.end()
      return
    }
    this.#idle.push(session)
    void session.ended.then(() => {
      const at = this.#idle.indexOf(session)
      if (at >= 0) this.#idle.splice(at, 1)
    })
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#endIdle(), idleMs).unref()
  }

  async #endIdle(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map(session => session.end()))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    for (const { resolve } of this.#waiting.splice(0)) resolve()
    await this.#endIdle()
  }
}
