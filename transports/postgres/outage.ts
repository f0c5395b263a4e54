import type { TransportLog } from '../../src/transport.ts'
import type { Failure } from './failure.ts'

/** An outage that lasts is told again after this time. */
const remindAfterMs = 30_000

/** Which of a hub's connections to PostgreSQL fail, and why. */
export class Outage {
  readonly #log: TransportLog
  readonly #failing = new Map<string, string>()
  /** When which reason was told. */
  readonly #toldAtMs = new Map<string, number>()

  constructor(log: TransportLog) {
    this.#log = log
  }

  /** As a clause for the operator; `undefined`: nothing fails. */
  get reason(): string | undefined {
    return this.#failing.values().next().value
  }

  begin(connection: string, { message }: Failure): void {
    this.#failing.set(connection, message)
    const toldAtMs = this.#toldAtMs.get(message)
    if (toldAtMs !== undefined && performance.now() - toldAtMs < remindAfterMs) return
    this.#toldAtMs.set(message, performance.now())
    this.#log.error(
      { connection },
      `PostgreSQL cannot be used: ${message}. Trying again; publishers are refused until it can.`,
    )
  }

  end(connection: string): void {
    this.#failing.delete(connection)
    if (this.#toldAtMs.size === 0 || this.#failing.size > 0) return
    this.#toldAtMs.clear()
    this.#log.info({}, 'PostgreSQL can be used again.')
  }
}
