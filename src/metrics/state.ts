import { setTimeout as after } from 'node:timers/promises'
import { type Aggregator, Gauge, type Registry } from 'prom-client'
import type { Hub } from '../hub/hub.ts'

/** What figures of a hub are read from when somebody asks for them. */
export interface Readings {
  readonly hub: () => Hub
  /** What waits for slow readers: its bytes, how many they may be (0: any number), and for whom they wait. */
  readonly backlog: {
    readonly bytes: number
    readonly maxBytes: number
    readonly waiters: { readonly count: number; readonly mostBytes: number }
  }
  /** How many updates the log has, where it tells. */
  readonly depth: (() => number | undefined | Promise<number | undefined>) | undefined
  /** Subscriptions are listed. */
  readonly subscriptions: boolean
}

/** How long a backend may take to say how it is: who scrapes waits for no more, and workers wait for each other. */
const patienceMs = 500

/** Shows the state of a hub. Of several workers the figures of what each has are added up; what each knows of the same is shown once. */
export function showState(registry: Registry, { hub, backlog, depth, subscriptions }: Readings): void {
  const gauge = (
    name: string,
    help: string,
    read: () => number | undefined | Promise<number | undefined>,
    aggregator: Aggregator = 'sum',
  ) =>
    new Gauge({
      name,
      help,
      aggregator,
      registers: [registry],
      async collect() {
        const value = await read()
        if (value !== undefined) this.set(value)
      },
    })

  const startedAt = Date.now() / 1000
  gauge('talaria_start_time_seconds', 'When the hub began, in seconds since 1970.', () => startedAt, 'min')
  gauge('talaria_ready', '1 while updates can be stored and delivered, else 0.', () => readinessOf(hub()), 'min')
  gauge('mercure_subscribers_connected', 'Subscribers connected now.', () => hub().connected)
  gauge('talaria_subscribers_replaying', 'Subscribers that are sent their past now.', () => hub().replaying)
  gauge('talaria_subscribers_waiting', 'Subscribers for whom bytes wait in the hub.', () => backlog.waiters.count)
  gauge(
    'talaria_waiting_bytes',
    'Bytes that wait for slow subscribers; what waits for several is counted once.',
    () => backlog.bytes,
  )
  gauge('talaria_waiting_bytes_limit', 'How many they may be; 0: any number.', () =>
    Number.isFinite(backlog.maxBytes) ? backlog.maxBytes : 0,
  )
  gauge(
    'talaria_longest_queue_bytes',
    'The most bytes that wait for one subscriber.',
    () => backlog.waiters.mostBytes,
    'max',
  )
  gauge(
    'talaria_recent_bytes',
    'Memory of the newest updates kept for reconnections, an estimate in bytes.',
    () => hub().window.bytes,
  )
  gauge('talaria_recent_updates', 'How many updates that are.', () => hub().window.entries, 'max')
  if (depth !== undefined) {
    const read = () => soon(Promise.try(depth), undefined)
    gauge('talaria_history_updates', 'Updates that the log has.', read, 'max')
  }
  gauge('talaria_revocations', 'Revocations in force.', () => hub().revocations.list.inForce.length, 'max')
  if (subscriptions) {
    const size = () => hub().presence?.size
    gauge('talaria_nodes', 'Nodes of this hub that are known here.', () => size()?.nodes, 'max')
    gauge('talaria_presence_subscribers', 'Subscribers of all nodes.', () => size()?.subscribers, 'max')
    gauge('talaria_presence_subscriptions', 'Subscriptions of all nodes.', () => size()?.subscriptions, 'max')
  }
}

const readinessOf = (hub: Hub): Promise<number> =>
  soon(
    hub.ready().then(() => 1),
    0,
  )

/** What is found out within the time, else this. */
async function soon<Value>(value: Promise<Value>, otherwise: Value): Promise<Value> {
  const found = new AbortController()
  const late = after(patienceMs, otherwise, { signal: found.signal, ref: false })
  try {
    return await Promise.race([value, late])
  } catch {
    return otherwise
  } finally {
    late.catch(() => {})
    found.abort()
  }
}
