import type { Bench } from './bench.ts'
import { maxStreams } from './machine.ts'
import type { Plot } from './plot.ts'
import { median } from './row.ts'
import { type Cost, costsOf } from './rows/fan-out.ts'
import { costOfTopics, type TopicCosts } from './rows/topics.ts'

type Point = readonly [x: number, y: number]
const yLabel = 'µs of processor time of the server, per delivery'

/** What a delivery costs as the subscribers of a topic grow in number. */
export async function plotSubscribers(bench: Bench): Promise<Plot> {
  const hub: (readonly [number, Cost[][]])[] = []
  const floor: (readonly [number, Cost[][]])[] = []
  for (const wanted of [100, 300, 1000, 3000, 10_000, 20_000]) {
    const subscribers = Math.min(wanted, maxStreams())
    hub.push([subscribers, await bench.repeat(() => costsOf(bench, bench.startHub(), subscribers))])
    floor.push([subscribers, await bench.repeat(() => costsOf(bench, bench.startFloor(), subscribers, 1))])
  }
  const points = (of: typeof hub, mode: number): Point[] =>
    of.map(([subscribers, runs]) => [subscribers, median(runs.map(costs => costs[mode]!.microsEach))])
  return {
    title: 'A delivery’s cost, by the number of subscribers',
    xLabel: 'subscribers of one topic',
    yLabel,
    series: [
      { name: 'one publish at a time', points: points(hub, 0) },
      { name: '32 publishes at once', points: points(hub, 1) },
      { name: `floor (${bench.floorName.split(/[,:]/, 1)}), one`, points: points(floor, 0), isReference: true },
    ],
  }
}

/** What a delivery costs as topics grow in number. */
export async function plotTopics(bench: Bench): Promise<Plot> {
  const costs: (readonly [number, TopicCosts[]])[] = []
  for (const topics of [1, 10, 100, 1000, 10_000]) {
    costs.push([topics, await bench.repeat(() => costOfTopics(bench, topics, 10))])
  }
  const points = (atOnce: 1 | 32): Point[] =>
    costs.map(([topics, runs]) => [topics, median(runs.map(each => each[atOnce]))])
  return {
    title: 'A delivery’s cost, by the number of topics',
    xLabel: 'topics in turn, a subscriber each, and 1,000 by 10 patterns that match them all',
    yLabel,
    series: [
      { name: 'one publish at a time', points: points(1) },
      { name: '32 publishes at once', points: points(32) },
    ],
  }
}
