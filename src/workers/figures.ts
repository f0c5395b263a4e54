import { setTimeout as after } from 'node:timers/promises'
import type { Link } from './link.ts'

/** `Snapshot`: the figures of one process, as JSON brings them back. */
export interface FiguresOptions<Snapshot> {
  /** Those of the primary process. */
  readonly own: () => Promise<Snapshot>
  /** What stays of processes that have ended: what they counted. */
  readonly keep: (snapshots: readonly Snapshot[]) => Promise<Snapshot>
}

/** How long a worker may take to tell its figures before its last ones are told again, in milliseconds. */
const patienceMs = 1000

/** The figures of all processes. Those of a worker that has ended are counted on, as they were last told: no sum ever goes back. */
export class Figures<Snapshot> {
  readonly #options: FiguresOptions<Snapshot>
  readonly #last = new Map<Link, Snapshot | undefined>()
  #ended: Snapshot | undefined

  constructor(options: FiguresOptions<Snapshot>) {
    this.#options = options
  }

  /** Asks this worker, and answers it. */
  attach(link: Link): void {
    this.#last.set(link, undefined)
    link.answer('figures', async () => Buffer.from(JSON.stringify(await this.#collect())))
    link.closed.then(() => this.#retire(link))
  }

  async #collect(): Promise<Snapshot[]> {
    const workers = [...this.#last.keys()].map(link => this.#ask(link))
    const told = await Promise.all([this.#options.own(), ...workers])
    return [...told, this.#ended].filter(snapshot => snapshot !== undefined)
  }

  async #ask(link: Link): Promise<Snapshot | undefined> {
    const asked = link.ask('own-figures').then(answer => {
      const snapshot: Snapshot = JSON.parse(answer.toString())
      if (this.#last.has(link)) this.#last.set(link, snapshot)
    })
    const patience = new AbortController()
    await Promise.race([
      asked.catch(() => {}).finally(() => patience.abort()),
      after(patienceMs, undefined, { signal: patience.signal, ref: false }).catch(() => {}),
    ])
    return this.#last.get(link)
  }

  async #retire(link: Link): Promise<void> {
    const last = this.#last.get(link)
    this.#last.delete(link)
    if (last === undefined) return
    this.#ended = await this.#options.keep(this.#ended === undefined ? [last] : [this.#ended, last])
  }
}
