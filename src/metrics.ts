import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client'
import type { HubObserver } from './hub/hub.ts'
import { registerEventLoopDelay } from './metrics/event-loop.ts'
import { countFlow } from './metrics/flow.ts'
import { type Readings, showState } from './metrics/state.ts'

export interface Metrics {
  /** Counts what happens in the hub. */
  readonly observer: Omit<HubObserver, 'failed'>
  /** An answer that refused a request. */
  refused(code: string): void
  /** All figures in the text format of Prometheus. */
  render(): Promise<string>
  readonly contentType: string
  /** All figures as values, to be added to those of other processes. */
  snapshot(): Promise<Snapshot>
  /** Those of them that are counted, which is cheap to do often. */
  counters(): Promise<Snapshot>
}

/** The figures of one process, as JSON takes them. */
export type Snapshot = readonly MetricObjectWithValues<MetricValue<string>>[]

export interface MetricsOptions extends Readings {
  /** What the hub is: its version, and the scheme of its log's URL. */
  readonly version: string
  readonly transport: string
  /** The process is the hub's alone, and its figures are, too. */
  readonly ownsProcess: boolean
}

/** The figures of one hub, in a registry of its own. Each has a row in docs/metrics.md; labels have few values, none of them a client's. */
export function createMetrics({ ownsProcess, version, transport, ...readings }: MetricsOptions): Metrics {
  const registry = new Registry()
  if (ownsProcess) {
    collectDefaultMetrics({ register: registry })
    registerEventLoopDelay(registry)
  }
  const observer = countFlow(registry)
  showState(registry, readings)
  new Gauge({
    name: 'talaria_info',
    help: 'Always 1: the version of the hub, the scheme of its transport, and the version of Node.',
    labelNames: ['version', 'transport', 'node'],
    aggregator: 'max',
    registers: [registry],
  }).set({ version, transport, node: process.version }, 1)
  const refused = new Counter({
    name: 'talaria_requests_refused_total',
    help: 'Requests that were refused, by reason code.',
    labelNames: ['code'],
    registers: [registry],
  })
  const counters = new Registry()
  for (const { name, type } of registry.getMetricsAsArray())
    if (isCounted.has(String(type))) counters.registerMetric(registry.getSingleMetric(name)!)
  return {
    observer,
    refused: code => refused.inc({ code }),
    render: () => registry.metrics(),
    contentType: registry.contentType,
    snapshot: () => registry.getMetricsAsJSON(),
    counters: () => counters.getMetricsAsJSON(),
  }
}

/** The figures of a process that runs no hub. */
export function createProcessMetrics(): () => Promise<Snapshot> {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return () => registry.getMetricsAsJSON()
}

/** The figures of several processes as one, in the text format of Prometheus: each in the way that is said where it is made, which is their sum if nothing is. */
export const renderTotals = (snapshots: readonly Snapshot[]): Promise<string> =>
  AggregatorRegistry.aggregate([...snapshots]).metrics()

/** What processes that have ended have counted, together. */
export const addUpCounters = async (snapshots: readonly Snapshot[]): Promise<Snapshot> =>
  await AggregatorRegistry.aggregate(
    snapshots.map(snapshot => snapshot.filter(({ type }) => isCounted.has(String(type)))),
  ).getMetricsAsJSON()

const isCounted: ReadonlySet<string> = new Set(['counter', 'histogram'])
