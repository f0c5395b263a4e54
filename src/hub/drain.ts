import type { Clock } from './cluster/clock.ts'
import type { Subscriber } from './subscriber.ts'

/** How many are ended in a second at least: a hub that has few is not to keep anybody waiting. */
const leastPerSecond = 100
/** How often some are ended, in milliseconds. */
const stepMs = 20

/** Unlike the clock of a cluster it keeps the process alive: the drain is not over. */
const ownClock: Clock = {
  now: () => performance.now(),
  every(intervalMs, action) {
    const timer = setInterval(action, intervalMs)
    return () => clearInterval(timer)
  },
}

/** What is left when the last stream has been ended: for bytes that wait for slow readers, and for answers under way. */
const longestRestMs = 5000

/** How much of the time that a hub has to shut down is for ending its streams. Both in milliseconds. */
export const timeToDrain = (shutdownMs: number): number => shutdownMs - Math.min(longestRestMs, shutdownMs / 5)

/**
 * Ends subscribers at an even rate, the first at once, the last before `timeMs` are over; 0: all at once. Those who leave by themselves
 * make it shorter, not slower. Resolves when none of them is left.
 */
export async function drain(subscribers: Iterable<Subscriber>, timeMs: number, clock = ownClock): Promise<void> {
  const all = [...subscribers]
  const perMs = Math.max(all.length / timeMs, leastPerSecond / 1000)
  const beganAt = clock.now()
  let next = 0
  let ended = 0
  /** Of a process that was held up, those that should have ended meanwhile end at once: the time is the operator's. */
  const endDue = (): boolean => {
    const due = timeMs === 0 ? all.length : 1 + Math.floor((clock.now() - beganAt) * perMs)
    for (; next < all.length && ended < due; next++) {
      const subscriber = all[next]!
      if (subscriber.state === 'closed') continue
      subscriber.end('shutdown')
      ended++
    }
    return next === all.length
  }
  if (endDue()) return
  await new Promise<void>(resolve => {
    const stop = clock.every(stepMs, () => {
      if (!endDue()) return
      stop()
      resolve()
    })
  })
}
