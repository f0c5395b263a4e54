import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { TransportLog } from '../../src/transport.ts'
import { isDamage, messageOf, readingFailed } from './failure.ts'

/** A file that could not be written is tried again after this time. */
const retryAfterMs = 1000

/** Whether a log's file can be written, as far as its last commits tell. */
export class Outage {
  readonly #path: string
  readonly #log: TransportLog
  #last: { readonly reason: string; readonly atMs: number; readonly bytes: number } | undefined

  constructor(path: string, log: TransportLog) {
    this.#path = path
    this.#log = log
  }

  /** Why the file cannot be written, as a sentence for the operator; `undefined`: it can. */
  get reason(): string | undefined {
    return this.#last?.reason
  }

  /** It failed a moment ago: what is published now is not worth the attempt. */
  get isRecent(): boolean {
    return this.#last !== undefined && performance.now() < this.#last.atMs + retryAfterMs
  }

  /** The most that failed to be stored at once, in bytes. */
  get bytes(): number {
    return this.#last?.bytes ?? 0
  }

  /** A commit of so many bytes has failed. */
  async begin(error: unknown, bytes: number): Promise<void> {
    const reason = isDamage(error) ? readingFailed(this.#path, error).message : await this.#describe(error)
    if (this.#last === undefined) this.#log.error({ err: error }, `${reason} Publishers are refused until it can.`)
    this.#last = { reason, atMs: performance.now(), bytes: Math.max(bytes, this.bytes) }
  }

  async #describe(error: unknown): Promise<string> {
    const left = await statfs(dirname(this.#path)).then(({ bavail, bsize }) => inBinaryUnits(bavail * bsize), messageOf)
    return `The log ${this.#path} cannot be written (${messageOf(error)}). Left on its disk: ${left}.`
  }

  end(): void {
    if (this.#last === undefined) return
    this.#last = undefined
    this.#log.info({}, `The log ${this.#path} can be written again.`)
  }
}

function inBinaryUnits(bytes: number): string {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  const amount = bytes / 1024 ** power
  return `${power === 0 ? amount : amount.toFixed(1)} ${['bytes', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}
