import { type Bench, hubPath, type Load, type Server } from '../bench.ts'
import { type Measure, median, micros, type Row, ratio, whole } from '../row.ts'
import { measureCost, publishersOf } from './fan-out.ts'

/** By pattern: each update goes to all of them and to the one of its topic. */
const subscribers = 1000
const mostTopics = 10_000
const deliveries = { 1: 400_000, 32: 1_200_000 }

/** Many topics and patterns beside one topic: what the index costs. */
export const topics: Measure = async bench => {
  const count = bench.scale(mostTopics)
  const runs = await bench.repeat(async () => ({
    one: await costOfOneTopic(bench, count),
    alike: await costOfTopics(bench, count, 10),
    distinct: await costOfTopics(bench, count, subscribers),
  }))
  const rowsOf = (side: 'alike' | 'distinct', patterns: string): Row[] => {
    const name = `${whole(count)} topics, ${whole(subscribers)} subscribers by ${patterns}`
    const compare = (what: string, mode: keyof TopicCosts, target?: Row['target']): Row => ({
      what: `${name}, ${what} ÷ that of one topic`,
      target,
      figures: runs.map(run => run[side][mode] / run.one[mode]),
      format: ratio,
      from: `${micros(median(runs.map(run => run[side][mode])))} ÷ ${micros(median(runs.map(run => run.one[mode])))}`,
    })
    return [
      compare(`${publishersOf(1)}: processor time per delivery`, 1, { most: 1.2 }),
      compare(`${publishersOf(32)}: processor time per delivery`, 32, { most: 1.2 }),
      compare(`${publishersOf(32)}, each topic for the first time: the same`, 'first'),
    ]
  }
  return [...rowsOf('alike', '10 patterns'), ...rowsOf('distinct', 'a pattern each')]
}

export interface TopicCosts extends Record<1 | 32, number> {
  /** Of the first of all, with 32 publishes at once, when every topic is new. */
  readonly first: number
}

/** The same measurements with one topic. */
async function costOfOneTopic(bench: Bench, updates: number): Promise<TopicCosts> {
  await using server = bench.startHub()
  await using load = await bench.startLoad(server)
  await load.connect(subscribers)
  await load.publish({ updates: bench.scale(400), atOnce: 32, deliveriesEach: subscribers })
  return await costsOf(bench, server, load, { updates, deliveriesEach: subscribers })
}

/**
 * So many subscribers of a topic each, and a thousand by so many patterns of both generations, which all match all of the topics. In
 * microseconds of processor time per delivery.
 */
export async function costOfTopics(bench: Bench, count: number, patterns: number): Promise<TopicCosts> {
  await using server = bench.startHub()
  await using load = await bench.startLoad(server)
  await load.connect(count, `${hubPath}?topic=https%3A%2F%2Fexample.com%2Fbooks%2F#`)
  for (let connected = 0; connected < subscribers; connected += patterns) {
    await load.connect(patterns / 2, `${hubPath}?topic=https%3A%2F%2Fexample.com%2Fbooks%2F%7Bid#%7D`)
    await load.connect(patterns / 2, `${hubPath}?match_urlpattern=https%3A%2F%2Fexample.com%2Fbooks%2F%3Aid#`)
  }
  // The code is compiled without using up the topics, and is as warm after many topics as after few.
  await load.publish({
    updates: Math.max(bench.scale(400), bench.scale(mostTopics) - count),
    atOnce: 32,
    deliveriesEach: subscribers,
    topic: 'https%3A%2F%2Fexample.com%2Fbooks%2Fnone#',
    topics: 10,
  })
  return await costsOf(bench, server, load, {
    updates: count,
    deliveriesEach: subscribers + 1,
    topic: 'https%3A%2F%2Fexample.com%2Fbooks%2F#',
    topics: count,
  })
}

/** After so many updates that each topic had one. */
async function costsOf(
  bench: Bench,
  server: Server,
  load: Load,
  all: { updates: number; deliveriesEach: number; topic?: string; topics?: number },
): Promise<TopicCosts> {
  const cost = async (atOnce: 1 | 32, updates: number) =>
    (await measureCost(server, load, { ...all, updates, atOnce })).microsEach
  const updatesOf = (atOnce: 1 | 32) =>
    Math.max(atOnce * bench.scale(10), Math.ceil(bench.scale(deliveries[atOnce]) / all.deliveriesEach))
  return {
    first: await cost(32, all.updates),
    1: await cost(1, updatesOf(1)),
    32: await cost(32, updatesOf(32)),
  }
}
