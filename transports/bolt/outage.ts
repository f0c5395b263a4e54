import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { TransportLog } from '../../src/transport.ts'

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
    const left = await statfs(dirname(this.#path)).then(({ bavail, bsize }) => `${bavail * bsize} bytes`, messageOf)
    const reason = `The log ${this.#path} cannot be written (${messageOf(error)}). Left on its disk: ${left}.`
    if (this.#last === undefined) this.#log.error({ err: error }, `${reason} Publishers are refused until it can.`)
    this.#last = { reason, atMs: performance.now(), bytes: Math.max(bytes, this.bytes) }
  }

  end(): void {
    if (this.#last === undefined) return
    this.#last = undefined
    this.#log.info({}, `The log ${this.#path} can be written again.`)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
