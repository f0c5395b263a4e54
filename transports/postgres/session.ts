import type { Socket } from 'node:net'
import type { Client } from 'pg'
import type * as backend from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import { interpret } from './failure.ts'
import type { Tables } from './tables.ts'

/** A statement; one with a name is prepared once for a session. */
export interface Statement {
  readonly name?: string
  readonly text: string
}

/** A row of an answer: PostgreSQL's texts, in the order of the columns. */
export type Row = readonly (string | null)[]

export interface Notification {
  readonly payload: string
}

/** A connection to a server, with the tables of the log in it. */
export class Session implements backend.Session {
  readonly tables: Tables
  readonly ended: Promise<void>
  readonly #client: Client
  readonly #socket: Socket
  #turn: Promise<unknown> = Promise.resolve()
  #reason: Failure | undefined

  constructor(client: Client, socket: Socket, tables: Tables) {
    this.tables = tables
    this.#client = client
    this.#socket = socket
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    client.once('end', resolve)
    client.on('error', () => this.kill())
    if (socket.destroyed) resolve()
  }

  get isOver(): boolean {
    return this.#socket.destroyed
  }

  get reason(): Failure | undefined {
    return this.#reason
  }

  onNotification(listener: (payload: string) => void): void {
    this.#client.on('notification', ({ payload }) => listener(payload ?? ''))
  }

  /**
   * What the server answers; one statement at a time. A session that owes an answer for `timeoutMs` (0: for ever) is ended.
   * @throws Failure
   */
  query(statement: Statement, values: readonly unknown[], timeoutMs: number): Promise<readonly Row[]> {
    const turn = this.#turn.then(() => this.#query(statement, values, timeoutMs))
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #query(statement: Statement, values: readonly unknown[], timeoutMs: number): Promise<readonly Row[]> {
    if (this.isOver) throw new Failure('passing', this.#reason?.message ?? 'the connection was closed')
    const late = () => {
      this.#reason = new Failure('broken', `the server has not answered for ${timeoutMs / 1000} s`)
      this.kill()
    }
    const timer = timeoutMs === 0 ? undefined : setTimeout(late, timeoutMs)
    try {
      const { rows } = await this.#client.query<string[]>({ ...statement, values: [...values], rowMode: 'array' })
      return rows
    } catch (error) {
      throw this.#reason ?? interpret(error)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Waits for what was asked before. */
  async end(): Promise<void> {
    await this.#turn
    this.#client.end().catch(() => {})
    const timer = setTimeout(() => this.kill(), 500)
    await this.ended
    clearTimeout(timer)
  }

  kill(): void {
    this.#socket.destroy()
  }
}
