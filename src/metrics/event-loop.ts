import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Registry } from 'prom-client'
import { type Distribution, registerHistogram } from './histogram.ts'

/** How often the delay is looked at. Node's figures have it in them: a timer that is not late at all counts as so much. */
const intervalMs = 20
const bounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

/** How late the event loop comes to its timers, since the process began: quantiles over any span, and over several processes. */
export function registerEventLoopDelay(registry: Registry): void {
  const delays = monitorEventLoopDelay({ resolution: intervalMs })
  delays.enable()
  const within = bounds.map(() => 0)
  let sum = 0
  const help = 'How late the event loop comes to what is due, in seconds, looked at 50 times a second.'
  registerHistogram(registry, { name: 'talaria_event_loop_delay_seconds', help, bounds }, (): Distribution => {
    const { count } = delays
    // Node tells quantiles and a mean, which are rounded: what went back would be taken for a new beginning.
    bounds.forEach((bound, i) => {
      within[i] = Math.max(within[i]!, within[i - 1] ?? 0, countWithin(delays, bound * 1000))
    })
    const late = (delays.mean / 1e6 - intervalMs) / 1000
    if (count > 0) sum = Math.max(sum, late * count)
    return { within: [...within], count, sum }
  })
}

/** How many of them were at most so late, found between the least and the most by their ranks. */
function countWithin(delays: ReturnType<typeof monitorEventLoopDelay>, delayMs: number): number {
  const most = (delayMs + intervalMs) * 1e6
  let known = 0
  let beyond = delays.count + 1
  while (beyond - known > 1) {
    const rank = Math.floor((known + beyond) / 2)
    if (delays.percentile((100 * rank) / delays.count) <= most) known = rank
    else beyond = rank
  }
  return known
}
