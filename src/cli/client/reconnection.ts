import { setTimeout as wait } from 'node:timers/promises'
import { HubError } from '../../errors.ts'
import { mayPass } from './request.ts'

/** What clients wait when no hub has told them (the specification's `retry` does). */
export const defaultRetryMs = 3000
/** The shortest wait, whatever the hub asks for: one that ends every stream at once is not to be flooded. */
const leastRetryMs = 50
/** A hub that is away for long is asked this often. */
const longestRetryMs = 30_000
/** No hub keeps a client away for longer. */
const longestWaitMs = 3_600_000

export interface ReconnectionOptions {
  readonly signal: AbortSignal
  /** What the hub asks to wait, in milliseconds; read when it is needed. */
  retryMs(): number
  /** Tells the user that the hub is lost, or back. */
  say(sentence: string): void
}

/**
 * What streams give, one after another: where one ends or breaks, the next is opened, for as long as it takes. Ends when it is aborted.
 * @throws what the first opening throws, and what later ones throw that will not pass
 */
export async function* stayConnected<T>(
  open: () => Promise<AsyncIterable<T>>,
  { signal, retryMs, say }: ReconnectionOptions,
): AsyncGenerator<T> {
  let wasConnected = false
  let lostAt: number | undefined
  for (let failures = 0; ; failures++) {
    let failure: unknown
    try {
      const stream = await open()
      if (lostAt !== undefined) say(`The hub is back, after ${((performance.now() - lostAt) / 1000).toFixed(1)} s.`)
      lostAt = undefined
      failures = 0
      wasConnected = true
      yield* stream
    } catch (error) {
      if (signal.aborted) return
      if (!wasConnected || !mayPass(error)) throw error
      failure = error
    }
    if (signal.aborted) return
    if (lostAt === undefined) {
      lostAt = performance.now()
      say(`Lost the hub: ${failure === undefined ? 'it ended the stream.' : (failure as Error).message}`)
    }
    const askedMs = failure instanceof HubError ? (failure.retryAfterMs ?? 0) : 0
    const waitMs = Math.max(backOff(retryMs(), failures), askedMs)
    await wait(Math.min(waitMs * (1 + Math.random() / 2), longestWaitMs), undefined, { signal }).catch(() => {})
    if (signal.aborted) return
  }
}

/** Never less than what is asked for, and twice as long each time; spread, so that not all clients of a hub come back in one moment. */
function backOff(retryMs: number, failures: number): number {
  const firstMs = Math.max(retryMs, leastRetryMs)
  return Math.max(firstMs, Math.min(firstMs * 2 ** failures, longestRetryMs))
}
