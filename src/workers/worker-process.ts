import type { ChildProcess } from 'node:child_process'
import cluster, { type Worker } from 'node:cluster'
import type { Socket } from 'node:net'
import { HubError } from '../errors.ts'
import { readLines } from './lines.ts'
import { Link } from './link.ts'
import { Vigil, type VigilOptions } from './vigil.ts'

/** The file descriptor of a worker that its link with the primary process has. */
export const linkDescriptor = 4

/** What a worker is told first. */
export interface WorkerSettings {
  readonly number: number
  /** As `packConfig` gives it. */
  readonly config: string
  /** The primary process keeps the log; if not, the worker opens it. */
  readonly isLogHosted: boolean
  /** How often it gives a sign of life, in milliseconds. */
  readonly signIntervalMs: number
}

/** Where a worker listens. */
export interface Addresses {
  readonly url: string
  readonly metricsUrl?: string | undefined
  readonly adminUrl?: string | undefined
}

export interface WorkerOptions {
  readonly number: number
  /** The program that workers run. */
  readonly program: string
  readonly maxWaitingBytes: number
  readonly vigil: VigilOptions
  /** It is killed, for a reason that follows its name: `left 100 bytes waiting: it hangs`. */
  readonly onKill: (reason: string) => void
  /** Receives what it writes to its standard output and error, line by line. */
  readonly onLine: (line: string, stream: 'stdout' | 'stderr') => void
}

/** A worker as the primary process sees it. */
export class WorkerProcess {
  readonly number: number
  readonly link: Link
  /** How it ended, in words, when it has, and all that it wrote is here. */
  readonly ended: Promise<string>
  /** Where it listens; `undefined`: it does not, or not any more. */
  addresses: Addresses | undefined
  readonly #worker: Worker
  readonly #vigil: Vigil
  readonly #onKill: (reason: string) => void

  constructor({ number, program, maxWaitingBytes, vigil, onKill, onLine }: WorkerOptions) {
    this.number = number
    this.#onKill = onKill
    // Connections last: they are handed out one by one, and not to who is fastest.
    cluster.schedulingPolicy = cluster.SCHED_RR
    cluster.setupPrimary({ exec: program, args: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'] })
    this.#worker = cluster.fork()
    const child = this.#worker.process
    closeUnaccepted(child)
    this.link = new Link(child.stdio[linkDescriptor as 4] as unknown as Socket, {
      maxWaitingBytes,
      onOverflow: () => this.#giveUp(`left ${maxWaitingBytes} bytes waiting: it hangs`),
    })
    this.#vigil = new Vigil(this.link, vigil, silentMs =>
      this.#giveUp(`has given no sign of life for ${silentMs / 1000} s: it hangs`),
    )
    for (const stream of ['stdout', 'stderr'] as const) readLines(child[stream]!, line => onLine(line, stream))
    this.ended = new Promise(resolve => {
      child.once('error', error => resolve(error.message))
      child.once('close', (code, signal) => resolve(signal === null ? `exit code ${code}` : signal))
    })
    this.ended.then(() => {
      this.addresses = undefined
      this.#vigil.end()
    })
  }

  get pid(): number | undefined {
    return this.#worker.process.pid
  }

  /** Resolves when it only has to listen. @throws HubError as a hub of one process would, and when it ends before */
  async prepare(settings: Uint8Array): Promise<void> {
    await this.#ask('prepare', settings)
  }

  /** Resolves when it listens. @throws HubError as `prepare` does */
  async listen(place: Uint8Array): Promise<Addresses> {
    const answer = await this.#ask('listen', place)
    this.addresses = JSON.parse(answer.toString())
    return this.addresses!
  }

  async #ask(kind: 'prepare' | 'listen', payload: Uint8Array): Promise<Buffer> {
    try {
      return await this.link.ask(kind, payload)
    } catch (error) {
      if (!this.link.isClosed) throw error
      const how = await this.ended
      throw new HubError(
        'configuration_invalid',
        `workers: process ${this.number} ended before it listened (${how}); what it wrote stands above.`,
      )
    }
  }

  /** Asks it to end; kills it when it has not after this time, or hangs. */
  async close(timeoutMs: number): Promise<void> {
    this.link.send('close')
    this.#vigil.hasten()
    const timer = setTimeout(() => this.#giveUp(`has not ended within ${timeoutMs / 1000} s`), timeoutMs)
    await this.ended
    clearTimeout(timer)
  }

  #giveUp(reason: string): void {
    this.#onKill(reason)
    this.kill()
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL')
  }
}

/**
 * Node hands a connection to a worker and forgets it if the worker ends before it has taken it: the client would wait for ever. Each server's
 * last one is kept here, and closed then; that of one which was taken is closed already.
 */
function closeUnaccepted(child: ChildProcess): void {
  const handed = new Map<unknown, { close(): void }>()
  const send = child.send.bind(child) as (...args: unknown[]) => boolean
  child.send = (...args: unknown[]) => {
    const [message, handle] = args as [{ readonly key?: string } | null, { close(): void } | undefined]
    if (typeof handle?.close === 'function') handed.set(message?.key, handle)
    return send(...args)
  }
  child.once('exit', () => {
    for (const handle of handed.values()) handle.close()
  })
}
