import type { Bench, Load, Outcome, Publishing, Server } from '../bench.ts'
import { type Measure, median, micros, perSecond, type Row, ratio, whole } from '../row.ts'

/** Publishers at once, the bound on processor time per delivery in that of the floor, and deliveries of a measurement. */
const modes = [
  { atOnce: 1, most: 1.8, deliveries: 600_000 },
  { atOnce: 32, most: 0.45, deliveries: 1_200_000 },
] as const

export const fanOut: Measure = async bench => [
  ...(await measureFanOut(bench, 1000)),
  ...(await measureFanOut(bench, 10_000)),
]

async function measureFanOut(bench: Bench, subscribers: number): Promise<Row[]> {
  const runs = await bench.repeat(async () => ({
    hub: await costsOf(bench, bench.startHub(), subscribers),
    floor: await costsOf(bench, bench.startFloor(), subscribers),
  }))
  return modes.flatMap(({ atOnce, most }, mode) => {
    const hub = runs.map(run => run.hub[mode]!)
    const floor = runs.map(run => run.floor[mode]!)
    const name = `${whole(subscribers)} subscribers, ${publishersOf(atOnce)}`
    const cost = (costs: Cost[]) => micros(median(costs.map(({ microsEach }) => microsEach)))
    return [
      {
        what: `${name}: processor time per delivery ÷ floor`,
        target: { most },
        figures: hub.map((cost, run) => cost.microsEach / floor[run]!.microsEach),
        format: ratio,
        from: `${cost(hub)} ÷ ${cost(floor)}`,
      },
      {
        what: `${name}: deliveries`,
        figures: hub.map(({ perSecond }) => perSecond),
        format: perSecond,
        from: `latency: half within ${median(hub.map(({ p50 }) => p50)).toFixed(1)} ms, 99 % within ${median(hub.map(({ p99 }) => p99)).toFixed(1)} ms; floor ${perSecond(median(floor.map(({ perSecond }) => perSecond)))}`,
      },
    ]
  })
}

export interface Cost {
  /** Processor time of the server per delivery, in microseconds. */
  readonly microsEach: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

/** What the modes cost (the first `count` of them), one after the other on the same streams, after a warm-up. */
export async function costsOf(bench: Bench, opened: Server, subscribers: number, count = 2): Promise<Cost[]> {
  await using server = opened
  await using load = await bench.startLoad(server)
  await load.connect(subscribers)
  await load.publish({ updates: Math.ceil(bench.scale(200_000) / subscribers), atOnce: 4, deliveriesEach: subscribers })
  const costs: Cost[] = []
  for (const { atOnce, deliveries } of modes.slice(0, count)) {
    const updates = Math.max(atOnce * bench.scale(10), Math.ceil(bench.scale(deliveries) / subscribers))
    const { microsEach, outcome } = await measureCost(server, load, { updates, atOnce, deliveriesEach: subscribers })
    const { p50, p99 } = outcome.latencyMs
    costs.push({ microsEach, perSecond: outcome.deliveries / outcome.seconds, p50, p99 })
  }
  return costs
}

/** Publishes, and takes the server's processor time per delivery. */
export async function measureCost(
  server: Server,
  load: Load,
  publishing: Publishing,
): Promise<{ microsEach: number; outcome: Outcome }> {
  const before = await server.cpuMicros()
  const outcome = await load.publish(publishing)
  return { microsEach: ((await server.cpuMicros()) - before) / outcome.deliveries, outcome }
}

export const publishersOf = (atOnce: number): string =>
  atOnce === 1 ? 'one publish at a time' : `${atOnce} publishes at once`
