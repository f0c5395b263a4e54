import type { TransportLog } from '../../src/transport.ts'
import type { Failure } from './failure.ts'
import type { Backend } from './refusals.ts'

/** An outage that lasts is told again after this time. */
const remindAfterMs = 30_000

/** What of a hub's use of its backend fails, and why; told once, and again when it is over. */
export class Outage {
  readonly backend: Backend
  readonly #log: TransportLog
  readonly #failing = new Map<string, string>()
  /** When which reason was told. */
  readonly #toldAtMs = new Map<string, number>()

  constructor(backend: Backend, log: TransportLog) {
    this.backend = backend
    this.#log = log
  }

  /** As a clause for the operator; `undefined`: nothing fails. */
  get reason(): string | undefined {
    return this.#failing.values().next().value
  }

  /** `what`: a connection by its name, or another thing that fails and recovers by itself. */
  begin(what: string, { message }: Failure): void {
    this.#failing.set(what, message)
    const toldAtMs = this.#toldAtMs.get(message)
    if (toldAtMs !== undefined && performance.now() - toldAtMs < remindAfterMs) return
    this.#toldAtMs.set(message, performance.now())
    this.#log.error(
      { connection: what },
      `${this.backend.name} cannot be used: ${message}. Trying again; publishers are refused until it can.`,
    )
  }

  end(what: string): void {
    this.#failing.delete(what)
    if (this.#toldAtMs.size === 0 || this.#failing.size > 0) return
    this.#toldAtMs.clear()
    this.#log.info({}, `${this.backend.name} can be used again.`)
  }
}
