import { hubPath } from '../bench.ts'
import { type Measure, ratio, whole } from '../row.ts'

const publishes = 1_000_000
const connects = 100_000

/** Does memory grow with use? Measured once, since it is long; a tenth goes before, as warm-up. */
export const endurance: Measure = async bench => {
  await using server = bench.startHub()
  await using load = await bench.startLoad(server)
  await load.connect(1, `${hubPath}?topic=https%3A%2F%2Fexample.com%2F%7Bid%7D`)
  // Every update has a topic of its own, every visitor too: whatever is kept by topic is filled.
  const use = async (updates: number, visitors: number) => {
    await load.publish({
      updates,
      atOnce: 32,
      deliveriesEach: 1,
      topic: 'https%3A%2F%2Fexample.com%2F#',
      topics: updates,
    })
    await load.churn(visitors, `${hubPath}?topic=https%3A%2F%2Fexample.com%2Fvisitors%2F#`)
    return await server.rssBytes()
  }
  const before = await use(bench.scale(publishes) / 10, bench.scale(connects) / 10)
  const after = await use(bench.scale(publishes), bench.scale(connects))
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`
  return [
    {
      what: `resident memory after ${whole(bench.scale(publishes))} publishes and ${whole(bench.scale(connects))} connects ÷ after a tenth of them`,
      figures: [after / before],
      format: ratio,
      target: { most: 1.2 },
      from: `${mib(after)} ÷ ${mib(before)}`,
    },
  ]
}
