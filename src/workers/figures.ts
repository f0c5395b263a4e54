import { setTimeout as after } from 'node:timers/promises'
import type { Link } from './link.ts'

/** `Snapshot`: the figures of one process, as JSON brings them back. */
export interface FiguresOptions<Snapshot> {
  /** Those of the primary process. */
  readonly own: () => Promise<Snapshot>
  /** What stays of processes that have ended: what they counted. */
  readonly keep: (snapshots: readonly Snapshot[]) => Promise<Snapshot>
}

/** What a worker has told. */
interface Told<Snapshot> {
  /** All its figures, when somebody last asked for them. */
  all?: Snapshot
  /** At least those that it counts, when it last told any. */
  newest?: Snapshot
}

/** How long a worker may take to tell its figures before its last ones are told again, in milliseconds. */
const patienceMs = 1000

/** The figures of all processes. Those of a worker that has ended are counted on, as they were last told: no sum ever goes back. */
export class Figures<Snapshot> {
  readonly #options: FiguresOptions<Snapshot>
  readonly #told = new Map<Link, Told<Snapshot>>()
  #ended: Promise<Snapshot | undefined> = Promise.resolve(undefined)

  constructor(options: FiguresOptions<Snapshot>) {
    this.#options = options
  }

  /** Listens to this worker, asks it, and answers it. */
  attach(link: Link): void {
    const told: Told<Snapshot> = {}
    this.#told.set(link, told)
    link.on('alive', counters => {
      if (counters.byteLength > 0) told.newest = JSON.parse(counters.toString())
    })
    link.answer('figures', async () => Buffer.from(JSON.stringify(await this.#collect())))
    link.closed.then(() => this.#retire(link))
  }

  async #collect(): Promise<Snapshot[]> {
    const asked = [...this.#told].map(([link, told]) => this.#ask(link, told))
    const [own] = await Promise.all([this.#options.own(), ...asked])
    // Both of one moment: a worker that ends meanwhile is in one of them, and in one only.
    const living = [...this.#told.values()].map(({ all, newest }) => all ?? newest)
    const ended = await this.#ended
    return [own, ...living, ended].filter(snapshot => snapshot !== undefined)
  }

  async #ask(link: Link, told: Told<Snapshot>): Promise<void> {
    const asked = link.ask('own-figures').then(answer => {
      told.all = JSON.parse(answer.toString())
      told.newest = told.all!
    })
    const patience = new AbortController()
    await Promise.race([
      asked.catch(() => {}).finally(() => patience.abort()),
      after(patienceMs, undefined, { signal: patience.signal, ref: false }).catch(() => {}),
    ])
  }

  #retire(link: Link): void {
    const newest = this.#told.get(link)?.newest
    this.#told.delete(link)
    if (newest === undefined) return
    this.#ended = this.#ended.then(ended => this.#options.keep(ended === undefined ? [newest] : [ended, newest]))
  }
}
