import type { Backend } from '../backends.ts'
import type { Bench } from '../bench.ts'
import { fill, replay } from '../numbered-log.ts'
import { type Measure, median, millis, perSecond, type Row, whole } from '../row.ts'
import { publishersOf } from './fan-out.ts'
import { Pace } from './pace.ts'
import { type PublishingModes, ratesOf } from './publishing.ts'

const modes = {
  warmUp: 20_000,
  measured: [
    { atOnce: 1, updates: 4000 },
    { atOnce: 32, updates: 60_000 },
  ],
} as const satisfies PublishingModes
/** Of what goes from one node to another. */
const steady = { perSecond: 1000, seconds: 6 }
const missedUpdates = 100_000

/** Logs that nodes share: what they take from publishers, how soon other nodes have it, how fast they are read. */
export function measureBackends(backends: readonly Backend[]): Measure {
  return async bench => {
    const pace = await Pace.measure(bench)
    const rows: Row[] = []
    for (const backend of backends) rows.push(...(await measureBackend(bench, backend, pace)))
    return rows
  }
}

async function measureBackend(bench: Bench, backend: Backend, pace: Pace): Promise<Row[]> {
  const name = `${backend.name}:// (${backend.durability})`
  const started = await backend.start()
  if (typeof started === 'string') return [{ what: name, figures: [], format: perSecond, from: started }]
  await using server = started
  let logs = 0
  const newLog = () => `${server.url(`bench${logs++}`)}`
  return [
    ...(await measurePublishing(bench, newLog, backend, pace)),
    ...(await measureLatency(bench, newLog, backend)),
    ...(await measureReplay(bench, newLog)),
  ].map(row => ({ ...row, what: `${name}, ${row.what}` }))
}

/** The `transport_url` of a log that is not there yet. */
type NewLog = () => string

async function measurePublishing(bench: Bench, newLog: NewLog, { aims }: Backend, pace: Pace): Promise<Row[]> {
  const overHttp = await bench.repeat(() => ratesOf(bench, { transport_url: newLog() }, modes))
  const alone = await bench.repeat(() => fill(newLog(), bench.scale(modes.measured[1].updates), 32))
  const ratesAt = (mode: number) => overHttp.map(rates => rates[mode]!)
  return [
    { what: `${publishersOf(1)}: publishes`, figures: ratesAt(0), format: perSecond },
    {
      what: `${publishersOf(32)}: publishes`,
      figures: ratesAt(1),
      format: perSecond,
      target: pace.target(aims.publishes),
      from: `the transport alone ${perSecond(median(alone))}; target: ${pace.explain(aims.publishes)}`,
    },
  ]
}

/** From a publisher of one node to a subscriber of another. */
async function measureLatency(bench: Bench, newLog: NewLog, { aims }: Backend): Promise<Row[]> {
  const runs = await bench.repeat(async () => {
    const transport_url = newLog()
    await using near = bench.startHub({ transport_url })
    await using far = bench.startHub({ transport_url }, 1)
    await using load = await bench.startLoad(far, { publishTo: near })
    await load.connect(1)
    const publish = (seconds: number) =>
      load.publish({ updates: steady.perSecond * seconds, rate: steady.perSecond, atOnce: 32, deliveriesEach: 1 })
    await publish(2)
    return (await publish(bench.scale(steady.seconds))).latencyMs
  })
  const what = `${whole(steady.perSecond)} updates/s from one node to another: within which time`
  return [
    { what: `${what} half arrive`, figures: runs.map(({ p50 }) => p50), format: millis },
    {
      what: `${what} 99 % arrive`,
      figures: runs.map(({ p99 }) => p99),
      format: millis,
      target: { most: aims.latencyMs },
      from: `the longest: ${millis(Math.max(...runs.map(({ max }) => max)))}`,
    },
  ]
}

/** On a node that has next to nothing of it in memory. */
async function measureReplay(bench: Bench, newLog: NewLog): Promise<Row[]> {
  const missed = bench.scale(missedUpdates)
  const transport_url = newLog()
  const filled = await fill(transport_url, missed, 1000)
  await using server = bench.startHub({ transport_url, recent: { entries: 100, bytes: '64MiB' } })
  const port = await server.port()
  const replays = await bench.repeat(() => replay(port, '*', 0, missed))
  return [
    {
      what: `replay of ${whole(missed)} missed updates to one subscriber, all in order`,
      figures: replays.map(({ lastMs }) => (missed / lastMs) * 1000),
      format: perSecond,
      from: `the first within ${millis(median(replays.map(({ firstMs }) => firstMs)))}`,
    },
    { what: 'the transport alone, 1,000 publishes at once', figures: [filled], format: perSecond },
  ]
}
