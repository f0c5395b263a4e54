import { setTimeout as after } from 'node:timers/promises'
import type { NodeLimiter } from '../limits/limiter.ts'
import type { TransportLog } from '../transport.ts'
import type { Link } from './link.ts'
import type { LogHost } from './log-host.ts'
import { hostLimiter } from './shared-limiter.ts'
import type { VigilOptions } from './vigil.ts'
import { type Addresses, WorkerProcess } from './worker-process.ts'

export interface PrimaryOptions {
  /** How many workers, 1 at least. */
  readonly count: number
  /** The program that they run. */
  readonly program: string
  /** What a worker is told first, by its number. */
  readonly settings: (number: number) => Uint8Array
  /** What it is told when it is to listen: where, or, where that is `undefined`, as configured. */
  readonly place: (addresses: Addresses | undefined) => Uint8Array
  /** The log that they share; `undefined`: each opens it by itself. */
  readonly host: LogHost | undefined
  readonly figures: { attach(link: Link): void } | undefined
  /** Counts for all of them; `undefined`: there are no limits. */
  readonly limiter: NodeLimiter | undefined
  /** Bytes that may wait for one worker before it is killed and replaced. */
  readonly maxWaitingBytes: number
  /** When a worker hangs. */
  readonly vigil: VigilOptions
  readonly shutdownTimeoutMs: number
  readonly log: TransportLog
  readonly writeLine: (line: string, stream: 'stdout' | 'stderr') => void
}

/** A worker that lived for so long did not die of its beginning. */
const longLifeMs = 10_000
/** How long to wait before a worker that died young is replaced; doubled each time. */
const firstDelayMs = 100
const longestDelayMs = 10_000
/** Workers end by themselves within the shutdown timeout; one that has not by then hangs. */
const graceMs = 2000

/** The process that the user started, where there are several: it keeps the workers alive, and serves no requests. */
export class Primary {
  readonly #options: PrimaryOptions
  /** By number. */
  readonly #workers = new Map<number, WorkerProcess>()
  readonly #closing = new AbortController()
  #addresses: Addresses | undefined
  /** What those that listen were told; a port of their choice is one that others get by the same words only. */
  #place: Addresses | undefined
  #kept: Promise<unknown> = Promise.resolve()

  /** Resolves when all workers listen. @throws HubError of the first that cannot; none is left then */
  static async start(options: PrimaryOptions): Promise<Primary> {
    const primary = new Primary(options)
    const numbers = Array.from({ length: options.count }, (_, i) => i + 1)
    const startedAt = performance.now()
    const workers = numbers.map(number => primary.#fork(number))
    try {
      const preparing = workers.map(worker => primary.#prepare(worker))
      for (const prepared of preparing) prepared.catch(() => {})
      // Where the first one cannot start none can: that is told once.
      for (const prepared of preparing) await prepared
      // The others listen where it does, at once: they have nothing else to do, and the first clients are shared out.
      for (const some of [workers.slice(0, 1), workers.slice(1)]) {
        await Promise.all(some.map(worker => primary.#listen(worker)))
      }
    } catch (error) {
      for (const worker of workers) worker.kill()
      await Promise.all(workers.map(({ ended }) => ended))
      throw error
    }
    primary.#kept = Promise.all(workers.map(worker => primary.#keep(worker, startedAt)))
    return primary
  }

  private constructor(options: PrimaryOptions) {
    this.#options = options
  }

  get addresses(): Addresses {
    return this.#addresses!
  }

  /** Ends the workers, then the log. */
  async close(): Promise<void> {
    this.#closing.abort()
    const timeoutMs = this.#options.shutdownTimeoutMs + graceMs
    await Promise.all([...this.#workers.values()].map(worker => worker.close(timeoutMs)))
    await this.#kept
  }

  #fork(number: number): WorkerProcess {
    const { program, maxWaitingBytes, vigil, host, figures, limiter, log, writeLine } = this.#options
    const worker = new WorkerProcess({
      number,
      program,
      maxWaitingBytes,
      vigil,
      onLine: writeLine,
      onKill: reason => log.error({ worker: number, pid: worker.pid }, `worker ${number} ${reason}, and is killed`),
    })
    host?.attach(worker.link)
    figures?.attach(worker.link)
    if (limiter !== undefined) hostLimiter(worker.link, limiter)
    this.#workers.set(number, worker)
    return worker
  }

  #prepare(worker: WorkerProcess): Promise<void> {
    return worker.prepare(this.#options.settings(worker.number))
  }

  async #listen(worker: WorkerProcess): Promise<void> {
    const isFirst = ![...this.#workers.values()].some(({ addresses }) => addresses !== undefined)
    // When nobody listens any more, a port of the next one's choice would be another one.
    if (isFirst) this.#place = this.#addresses
    const addresses = await worker.listen(this.#options.place(this.#place))
    this.#addresses ??= addresses
    if (addresses.url === this.#addresses.url) return
    worker.kill()
    throw new Error(`worker ${worker.number} listens on ${addresses.url} instead of ${this.#addresses.url}`)
  }

  /** Replaces a worker whenever it has ended. */
  async #keep(first: WorkerProcess, startedAt: number): Promise<void> {
    const { log } = this.#options
    let worker = first
    let bornAt = startedAt
    let delayMs = 0
    for (;;) {
      const how = await worker.ended
      if (this.#closing.signal.aborted) return
      if (performance.now() - bornAt >= longLifeMs) delayMs = 0
      const { number } = worker
      const when = delayMs === 0 ? '' : ` in ${delayMs / 1000} s`
      log.error({ worker: number, pid: worker.pid }, `worker ${number} has ended (${how}): it is replaced${when}`)
      await after(delayMs, undefined, { signal: this.#closing.signal }).catch(() => {})
      if (this.#closing.signal.aborted) return
      delayMs = Math.min(longestDelayMs, Math.max(firstDelayMs, delayMs * 2))
      bornAt = performance.now()
      worker = this.#fork(number)
      await this.#replace(worker)
    }
  }

  async #replace(worker: WorkerProcess): Promise<void> {
    const { log } = this.#options
    const { number } = worker
    try {
      await this.#prepare(worker)
      await this.#listen(worker)
      log.info({ worker: number, pid: worker.pid }, `worker ${number} is back`)
    } catch (error) {
      if (this.#closing.signal.aborted) return
      log.error({ worker: number, err: error }, `worker ${number} cannot start`)
      worker.kill()
    }
  }
}
