import { Counter, type Registry } from 'prom-client'
import type { HubObserver } from '../hub/hub.ts'
import { openHistogram } from './histogram.ts'

/** From a delivery within the process to a backend that hangs. */
const secondsBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** A replay of a long history to a slow reader takes minutes. */
const replaySecondsBounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300]
const subscribersBounds = [0, 1, 10, 100, 1000, 10_000, 100_000]
const entriesBounds = [0, 1, 10, 100, 1000, 10_000, 100_000]

/** Counts what happens in a hub. */
export function countFlow(registry: Registry): Omit<HubObserver, 'failed'> {
  const counter = (name: string, help: string) => new Counter({ name, help, registers: [registry] })
  const counterBy = <Label extends string>(label: Label, name: string, help: string) =>
    new Counter({ name, help, labelNames: [label], registers: [registry] })
  const histogram = (name: string, help: string, bounds: readonly number[]) =>
    openHistogram(registry, { name, help, bounds })

  const updates = counter('mercure_updates_total', 'Updates that publishers had stored through this node.')
  const repeats = counter(
    'talaria_publishes_repeated_total',
    'Updates that were stored already, with the same Idempotency-Key, and were not stored again.',
  )
  const stored = histogram(
    'talaria_publish_seconds',
    'From taking an update to having it stored, when its publisher is answered.',
    secondsBounds,
  )
  const logErrors = counterBy(
    'operation',
    'talaria_transport_errors_total',
    'What the log has failed at: publish (updates and what is announced of subscriptions), history (of a subscriber).',
  )
  const lag = histogram(
    'talaria_transport_lag_seconds',
    "From an update's place in the log to its coming out of it here, by the clocks of the backend and of this node.",
    secondsBounds,
  )
  const fanOut = histogram(
    'talaria_fan_out_subscribers',
    'Subscribers of this node that an update was for, as it came.',
    subscribersBounds,
  )
  const deliveries = counter(
    'talaria_deliveries_total',
    'Updates handed to subscribers of this node as they were published, one for each subscriber.',
  )
  const first = histogram(
    'talaria_delivery_first_seconds',
    'From an update coming out of the log to its being written to the first of its subscribers of this node.',
    secondsBounds,
  )
  const last = histogram('talaria_delivery_last_seconds', 'The same to the last of them.', secondsBounds)
  const subscribers = counter('mercure_subscribers_total', 'Subscribers that have connected.')
  const ended = counterBy('reason', 'talaria_streams_ended_total', 'Event streams that ended, by reason.')
  const resumed = counterBy(
    'from',
    'talaria_resumptions_total',
    'Requests that resume, by where their last event was found: window, log, or nowhere.',
  )
  const replayed = histogram(
    'talaria_replay_updates',
    'Updates of the past sent to a subscriber before it was live.',
    entriesBounds,
  )
  const replaySeconds = histogram('talaria_replay_seconds', 'How long that took.', replaySecondsBounds)

  for (const operation of ['publish', 'history']) logErrors.inc({ operation }, 0)
  for (const from of ['window', 'log', 'nowhere']) resumed.inc({ from }, 0)
  return {
    published(_update, tookMs) {
      updates.inc()
      stored.add(tookMs / 1000)
    },
    repeated: () => repeats.inc(),
    logFailed: operation => logErrors.inc({ operation }),
    delivered(_update, count, lagMs) {
      deliveries.inc(count)
      fanOut.add(count)
      // Clocks differ; and a backend's time may be none.
      if (lagMs !== undefined && Number.isFinite(lagMs)) lag.add(Math.max(0, lagMs) / 1000)
    },
    firstWritten: afterMs => first.add(afterMs / 1000),
    lastWritten: afterMs => last.add(afterMs / 1000),
    subscribed: () => subscribers.inc(),
    unsubscribed: (_subscriber, reason) => ended.inc({ reason }),
    resumed: from => resumed.inc({ from }),
    replayed(subscriber, tookMs) {
      replayed.add(subscriber.replayed)
      replaySeconds.add(tookMs / 1000)
    },
  }
}
