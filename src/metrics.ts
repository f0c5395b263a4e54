import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { HubObserver } from './hub/hub.ts'

export interface Metrics {
  /** Counts what happens in the hub. */
  readonly observer: Omit<HubObserver, 'failed'>
  /** An answer that refused a request. */
  refused(code: string): void
  /** All figures in the text format of Prometheus. */
  render(): Promise<string>
  readonly contentType: string
}

/** The figures of one hub, in a registry of its own. `recentBytes` reads a figure that is only known when asked for. */
export function createMetrics(read: { recentBytes: () => number }): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
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
  }
}
