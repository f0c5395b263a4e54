import { subscriberToken } from '../../support/token.ts'
import { kib, type Measure, median, perSecond } from '../row.ts'
import { Pace } from './pace.ts'

/** Per second. */
const leastConnects = 8000

/** Connecting with a token, and what a stream that waits costs. */
export const connections: Measure = async bench => {
  const subscribers = 10_000
  const pace = await Pace.measure(bench)
  const runs = await bench.repeat(async () => {
    await using server = bench.startHub()
    await using load = await bench.startLoad(server, { subscriberToken: await subscriberToken(['*']) })
    // So that code and caches are not counted as streams.
    await load.churn(2000)
    const before = await server.rssBytes()
    const rate = await load.connect(subscribers)
    return { rate, kibEach: ((await server.rssBytes()) - before) / 1024 / subscribers }
  })
  const floor = await bench.repeat(async () => {
    await using server = bench.startFloor()
    await using load = await bench.startLoad(server)
    return await load.connect(subscribers)
  })
  return [
    {
      what: 'resident memory per idle subscriber at 10,000',
      figures: runs.map(({ kibEach }) => kibEach),
      format: kib,
      target: { most: 20 },
    },
    {
      what: 'connects with a token',
      figures: runs.map(({ rate }) => rate),
      format: perSecond,
      target: pace.target(leastConnects),
      from: `floor ${perSecond(median(floor))}; target: ${pace.explain(leastConnects)}`,
    },
  ]
}
