import { join } from 'node:path'
import type { Settings } from '../../support/hub.ts'
import type { Bench } from '../bench.ts'
import { type Measure, median, perSecond, type Row } from '../row.ts'
import { publishersOf } from './fan-out.ts'
import { Pace } from './pace.ts'

/** Publishes a second, the token checked each time, to one subscriber. */
export const publishing: Measure = async bench => {
  const pace = await Pace.measure(bench)
  const floor = await bench.repeat(() => ratesOf(bench, undefined, modes))
  const floorOf = (mode: number) => `floor ${perSecond(median(floor.map(rates => rates[mode]!)))}, which keeps nothing`
  const local = await bench.repeat(() => ratesOf(bench, {}, modes))
  const bolt = await bench.repeat(async () => {
    const transport_url = `bolt://${join(await bench.createDirectory(), 'updates.db')}`
    return await ratesOf(bench, { transport_url }, modes)
  })
  const row = (log: string, rates: number[][], mode: number, least?: number): Row => ({
    what: `${log}, ${publishersOf(modes.measured[mode]!.atOnce)}: publishes`,
    figures: rates.map(run => run[mode]!),
    format: perSecond,
    target: least === undefined ? undefined : pace.target(least),
    from: least === undefined ? floorOf(mode) : `${floorOf(mode)}; target: ${pace.explain(least)}`,
  })
  const durable = 'bolt://, durable before each answer'
  return [
    row('local://', local, 0),
    row('local://', local, 1, 35_000),
    row(durable, bolt, 0),
    row(durable, bolt, 1, 20_000),
  ]
}

/** What is published, one mode after the other, after a warm-up of 32 publishers. */
export interface PublishingModes {
  readonly warmUp: number
  readonly measured: readonly { readonly atOnce: number; readonly updates: number }[]
}

const modes: PublishingModes = {
  warmUp: 40_000,
  measured: [
    { atOnce: 1, updates: 10_000 },
    { atOnce: 32, updates: 100_000 },
  ],
}

/** Publishes per second in each mode: of a hub with these settings, or of the floor. */
export async function ratesOf(
  bench: Bench,
  settings: Settings | undefined,
  { warmUp, measured }: PublishingModes,
): Promise<number[]> {
  await using server = settings === undefined ? bench.startFloor() : bench.startHub(settings)
  await using load = await bench.startLoad(server)
  await load.connect(1)
  await load.publish({ updates: bench.scale(warmUp), atOnce: 32, deliveriesEach: 1 })
  const rates: number[] = []
  for (const { atOnce, updates } of measured) {
    const outcome = await load.publish({ updates: bench.scale(updates), atOnce, deliveriesEach: 1 })
    rates.push(bench.scale(updates) / outcome.publishSeconds)
  }
  return rates
}
