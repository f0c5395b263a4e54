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

/** What the figures are of: functions read those that are only known when asked for. */
export interface MetricsOptions {
  readonly recentBytes: () => number
  readonly waitingBytes: () => number
  /** The process is the hub's alone, and its figures are, too. */
  readonly ownsProcess: boolean
}

/** The figures of one hub, in a registry of its own. */
export function createMetrics({ ownsProcess, ...read }: MetricsOptions): Metrics {
  const registry = new Registry()
  if (ownsProcess) collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const connected = new Gauge({
    name: 'mercure_subscribers_connected',
    help: 'Subscribers connected now.',
    registers,
  })
  const subscribers = new Counter({
    name: 'mercure_subscribers_total',
    help: 'Subscribers that have connected.',
    registers,
  })
  const updates = new Counter({
    name: 'mercure_updates_total',
    help: 'Updates that publishers had stored through this node.',
    registers,
  })
  const deliveries = new Counter({
    name: 'talaria_deliveries_total',
    help: 'Updates handed to subscribers of this node as they were published, one for each subscriber.',
    registers,
  })
  const ended = new Counter({
    name: 'talaria_streams_ended_total',
    help: 'Event streams that ended, by reason.',
    labelNames: ['reason'],
    registers,
  })
  const refused = new Counter({
    name: 'talaria_requests_refused_total',
    help: 'Requests that were refused, by reason code.',
    labelNames: ['code'],
    registers,
  })
  new Gauge({
    name: 'talaria_recent_bytes',
    help: 'Memory of the newest updates kept for reconnections, an estimate in bytes.',
    registers,
    collect() {
      this.set(read.recentBytes())
    },
  })
  new Gauge({
    name: 'talaria_waiting_bytes',
    help: 'Bytes that wait for slow subscribers; what waits for several is counted once.',
    registers,
    collect() {
      this.set(read.waitingBytes())
    },
  })
  const counters = new Registry()
  for (const { name, type } of registry.getMetricsAsArray())
    if (isCounted.has(String(type))) counters.registerMetric(registry.getSingleMetric(name)!)
  return {
    observer: {
      published: () => updates.inc(),
      delivered: (_update, count) => deliveries.inc(count),
      subscribed: () => {
        subscribers.inc()
        connected.inc()
      },
      unsubscribed: (_subscriber, reason) => {
        connected.dec()
        ended.inc({ reason })
      },
    },
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

/** The figures of several processes as one, in the text format of Prometheus: sums, and for the event loop's delays their mean, least and most. */
export const renderTotals = (snapshots: readonly Snapshot[]): Promise<string> =>
  AggregatorRegistry.aggregate([...snapshots]).metrics()

/** What processes that have ended have counted, together. */
export const addUpCounters = async (snapshots: readonly Snapshot[]): Promise<Snapshot> =>
  await AggregatorRegistry.aggregate(
    snapshots.map(snapshot => snapshot.filter(({ type }) => isCounted.has(String(type)))),
  ).getMetricsAsJSON()

const isCounted: ReadonlySet<string> = new Set(['counter', 'histogram'])
