import type { TransportLog } from '../../src/transport.ts'
import { Failure } from '../backend/failure.ts'
import type { LogBounds } from './bounds.ts'
import type { Use } from './history.ts'

export interface RetentionOptions {
  readonly bounds: LogBounds
  readonly use: Use
  readonly log: TransportLog
}

/** What one statement removes at most: readers and publishers have their turns between two. */
const updatesPerStep = 1000
/** Updates stored here after which the bounds are looked at; and how often they are looked at anyway. */
const updatesPerLook = 500
const lookMs = 5000
const answerMs = 30_000

/** Removes the oldest updates, in small steps in the background. Of several hubs that want to, one does. */
export class Retention {
  readonly #options: RetentionOptions
  #stored = 0
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  start(): void {
    const { entries, ageMs } = this.#options.bounds
    if (entries === 0 && ageMs === 0) return
    // Never all nodes at the same time.
    this.#timer = setInterval(() => this.#look(), lookMs * (0.8 + 0.4 * Math.random())).unref()
    this.#look()
  }

  /** Counts what this hub has stored. */
  stored(updates: number): void {
    this.#stored += updates
    if (this.#stored < updatesPerLook || this.#timer === undefined) return
    this.#look()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await this.#running
  }

  #look(): void {
    this.#stored = 0
    this.#running ??= this.#trim().finally(() => {
      this.#running = undefined
    })
  }

  async #trim(): Promise<void> {
    const { bounds, use, log } = this.#options
    try {
      for (let removed = updatesPerStep; removed === updatesPerStep && !this.#closed; ) {
        removed = await use(async session => {
          const statement = { name: 'trim', text: `SELECT ${session.tables.trim}($1, $2, $3)` }
          const [row] = await session.query(statement, [bounds.entries, bounds.ageMs / 1000, updatesPerStep], answerMs)
          return Number(row?.[0])
        })
      }
    } catch (error) {
      // The next look tries again. An outage is told by others.
      const failure = Failure.of(error)
      if (failure.meaning === 'refused') log.warn({}, `Old updates cannot be removed: ${failure.message}.`)
    }
  }
}
