import { HubError } from '../../src/errors.ts'
import type { Session } from './connection.ts'
import { Failure } from './failure.ts'
import { inTime } from './in-time.ts'
import { closed, unreadable } from './refusals.ts'

/** Sessions for those who read the past; more than so many wait for each other. */
const maxSessions = 3
/** A session that nobody has used for so long is ended. */
const idleMs = 10_000

/** Sessions that are opened when somebody reads, and shared. */
export class Readers<S extends Session> {
  readonly #connect: (signal: AbortSignal) => Promise<S>
  readonly #patienceMs: number
  readonly #idle: S[] = []
  readonly #waiting: PromiseWithResolvers<void>[] = []
  #busy = 0
  #timer: NodeJS.Timeout | undefined
  readonly #closing = new AbortController()

  /** `patienceMs`: how long a reader waits for its turn at most, in milliseconds; 0: for ever. */
  constructor(connect: (signal: AbortSignal) => Promise<S>, { patienceMs = 0 }: { readonly patienceMs?: number } = {}) {
    this.#connect = connect
    this.#patienceMs = patienceMs
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
      await this.#turnOf(turn)
    }
    if (this.#closing.signal.aborted) throw closed()
    this.#busy++
  }

  async #turnOf(turn: PromiseWithResolvers<void>): Promise<void> {
    try {
      await inTime(turn.promise, this.#patienceMs, () => unreadable('it does not answer those who read it before'))
    } catch (error) {
      const at = this.#waiting.indexOf(turn)
      if (at >= 0) this.#waiting.splice(at, 1)
      // It came too late, and is the next one's.
      else this.#waiting.shift()?.resolve()
      throw error
    }
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
