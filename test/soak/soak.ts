import { setTimeout as sleep } from 'node:timers/promises'
import { openTransport } from '../../transports/index.ts'
import { Crowd } from './crowd.ts'
import { Nodes } from './nodes.ts'
import { Publications } from './publications.ts'
import { Publisher } from './publisher.ts'
import { readLog } from './read-log.ts'
import { Revoker } from './revoker.ts'
import type { Site } from './site.ts'
import { Troubles } from './troubles.ts'
import { type Incident, reachVerdict, seconds, type Verdict } from './verdict.ts'

export interface SoakOptions {
  readonly site: Site
  readonly clients: number
  readonly publishers: number
  /** Updates of each publisher. */
  readonly perSecond: number
  /** From one trouble to the next. */
  readonly calmMs: number
  /** Ends the load: what follows is the count. */
  readonly isOver: (state: SoakState) => boolean
  readonly print: (line: string) => void
}

/** How far it is. */
export interface SoakState {
  readonly elapsedMs: number
  /** How often all troubles have befallen. */
  readonly rounds: number
  readonly revocations: number
}

export interface SoakOutcome extends Verdict {
  /** What else must not happen. */
  readonly alarms: number
  readonly published: number
  readonly deliveries: number
  /** Those that befell it, by name. */
  readonly troubles: readonly string[]
  readonly revocations: number
  /** All counts in one line. */
  readonly summary: string
}

const progressMs = 10_000
const lookMs = 200
const maxNotices = 50

/** Runs a hub under everything that befalls hubs, and counts what its readers were to get and did not, got twice, or in another order than the log's. */
export async function soak(options: SoakOptions): Promise<SoakOutcome> {
  const { site, print } = options
  const withKeys = await knowsKeys(site.url)
  await using nodes = await Nodes.start(site.url, site.nodes)
  const run = new Run(options, nodes, withKeys)
  await run.load()
  await nodes.stop()
  print('Reading the log …')
  return run.conclude(reachVerdict(run.crowd.readers, await readLog(site.url), run.publications, run.incidents))
}

/** It remembers what was published with a key, so that a publisher who knows nothing may repeat it. */
async function knowsKeys(url: URL): Promise<boolean> {
  const transport = await openTransport(url, { log: { info() {}, warn() {}, error() {} } })
  await transport.close()
  return transport.publishOnce !== undefined
}

class Run {
  readonly publications = new Publications()
  readonly incidents: Incident[] = []
  readonly crowd: Crowd
  readonly #options: SoakOptions
  readonly #startedAt = performance.now()
  readonly #publishers: readonly Publisher[]
  readonly #troubles: Troubles
  readonly #revoker: Revoker
  #alarms = 0
  #notices = 0

  constructor(options: SoakOptions, nodes: Nodes, withKeys: boolean) {
    this.#options = options
    const now = () => performance.now() - this.#startedAt
    const notice = (text: string) => {
      if (this.#notices++ < maxNotices) options.print(`! ${seconds(now())}: ${text}`)
    }
    const alarm = (text: string) => {
      this.#alarms++
      notice(text)
    }
    const { publications } = this
    this.crowd = new Crowd(options.clients, options.publishers, { nodes, publications, now, notice, alarm })
    this.#publishers = Array.from(
      { length: options.publishers },
      (_, index) => new Publisher(index, { nodes, publications, perSecond: options.perSecond, withKeys, now }),
    )
    this.#troubles = new Troubles(nodes, options.site.backend, name => this.incidents.push({ name, atMs: now() }))
    this.#revoker = new Revoker(nodes, alarm)
  }

  get state(): SoakState {
    const { rounds } = this.#troubles
    return { elapsedMs: performance.now() - this.#startedAt, rounds, revocations: this.#revoker.revocations }
  }

  /** Resolves when everybody has everything, or nothing more comes. */
  async load(): Promise<void> {
    const calm = new AbortController()
    const closing = new AbortController()
    const reading = this.crowd.run(calm.signal, closing.signal)
    const working = [
      ...this.#publishers.map(publisher => publisher.run(calm.signal)),
      this.#troubles.run(this.#options.calmMs, calm.signal),
      this.#revoker.run(this.crowd.revocable, calm.signal),
      this.#watch(calm),
    ]
    for (const part of [reading, ...working]) part.catch(() => calm.abort())
    try {
      // What fails ends the others, who leave nothing behind.
      await Promise.allSettled(working)
      await Promise.all(working)
      await this.crowd.begun()
      await this.crowd.reached(await Promise.all(this.#publishers.map(publisher => publisher.publishLast())))
    } finally {
      calm.abort()
      closing.abort()
      for (const publisher of this.#publishers) publisher.close()
    }
    await reading
  }

  conclude(verdict: Verdict): SoakOutcome {
    const { clients, site } = this.#options
    const { stored, unknown } = this.publications
    const { crowd } = this
    const { revocations, slowestMs } = this.#revoker
    const { lost, repeated, reordered } = verdict.counts
    const sum = (count: (publisher: Publisher) => number) =>
      this.#publishers.reduce((total, publisher) => total + count(publisher), 0)
    const befallen = [...this.#troubles.counts].map(([name, count]) => `${count} × ${name}`).join(', ')
    const summary = [
      `${site.name}, ${seconds(this.state.elapsedMs)}: ${stored} updates, ${crowd.deliveries} deliveries to ${clients} clients on ${crowd.count('streams')} streams, ${crowd.count('cuts')} of them cut while they took nothing`,
      `${befallen}, ${revocations} revocations (ended within ${Math.ceil(slowestMs)} ms, refused ${crowd.count('refusals')} times)`,
      `${sum(({ retries }) => retries)} publishes repeated, ${sum(({ replays }) => replays)} of them stored before, ${unknown} of unknown fate`,
      `lost ${lost}, repeated ${repeated}, reordered ${reordered}, other faults ${this.#alarms}`,
    ].join('; ')
    const troubles = [...this.#troubles.counts.keys()]
    return {
      ...verdict,
      alarms: this.#alarms,
      published: stored,
      deliveries: crowd.deliveries,
      troubles,
      revocations,
      summary,
    }
  }

  /** Says how it goes, and ends it. */
  async #watch(calm: AbortController): Promise<void> {
    let next = progressMs
    while (!calm.signal.aborted) {
      await sleep(lookMs)
      const { state } = this
      if (this.#options.isOver(state)) calm.abort()
      if (state.elapsedMs < next) continue
      next += progressMs
      this.#options.print(this.#describeProgress(state))
    }
  }

  #describeProgress({ elapsedMs, revocations }: SoakState): string {
    const { deliveries, outOfTurn } = this.crowd
    const streams = this.crowd.count('streams')
    const memoryMiB = Math.round(process.memoryUsage.rss() / 2 ** 20)
    return `${seconds(elapsedMs)}: ${this.publications.stored} updates, ${deliveries} deliveries, ${streams} streams, ${this.incidents.length} troubles, ${revocations} revocations, ${this.publications.unknown} of unknown fate, ${outOfTurn} out of turn; last ${this.incidents.at(-1)?.name ?? 'none'}; ${memoryMiB} MiB here`
  }
}
