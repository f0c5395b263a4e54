import { Batch } from '../hub/batch.ts'
import type { EndReason } from '../hub/subscriber.ts'
import type { Grant } from '../protocol/grant.ts'
import { encodeTokenExpiring } from '../protocol/token-event.ts'
import type { Form } from './form.ts'
import type { TimerWheel } from './timer-wheel.ts'

/** When the hub ends a stream by itself, on the wheel's clock, and why. */
export interface Lifetime {
  readonly endsAt: number
  readonly reason: EndReason
}

/** What a client is told before its token expires, and when, on the wheel's clock. */
export interface Notice {
  readonly at: number
  compose(): Batch
}

export interface LifetimeOptions {
  readonly wheel: TimerWheel
  /** The longest life of a stream, in milliseconds; 0: no bound. Each lives for a random 80 to 100 % of it. */
  readonly writeTimeoutMs: number
  readonly dispatchTimeoutMs: number
}

/**
 * `undefined`: the stream does not end by itself. By the timeout it does at a time of its own, so that the subscribers of a restarted hub do not
 * come back all at once, and early enough for the last write to be finished; with its token it ends as that expires.
 */
export function lifetimeOf(
  grant: Grant | null,
  { wheel, writeTimeoutMs, dispatchTimeoutMs }: LifetimeOptions,
): Lifetime | undefined {
  const spread = writeTimeoutMs === 0 ? Number.POSITIVE_INFINITY : writeTimeoutMs * (0.8 + 0.2 * Math.random())
  const byTimeout = spread > dispatchTimeoutMs ? spread - dispatchTimeoutMs : spread
  // Sleepers wake up to a tick late, and a stream is not to outlive its token.
  const byToken = Math.max(0, remainingMs(grant) - wheel.tickMs)
  const lifeMs = Math.min(byTimeout, byToken)
  if (lifeMs === Number.POSITIVE_INFINITY) return undefined
  return { endsAt: wheel.now + lifeMs, reason: byToken <= byTimeout ? 'token expired' : 'write timeout' }
}

const parameter = 'token_events'
/** So long before its token expires a client is told. */
const noticeMs = 30_000

/** Of a stream whose client asks for it (`token_events=1`), and whose token expires. */
export function expiryNotice(form: Form, grant: Grant | null, wheel: TimerWheel): Notice | undefined {
  if (grant?.expiresAt === undefined || form.get(parameter) !== '1') return undefined
  const { expiresAt } = grant
  return {
    at: wheel.now + Math.max(0, remainingMs(grant) - noticeMs),
    compose: () => new Batch(encodeTokenExpiring(expiresAt, Math.max(0, expiresAt - Date.now()))),
  }
}

const remainingMs = (grant: Grant | null): number =>
  grant?.expiresAt === undefined ? Number.POSITIVE_INFINITY : grant.expiresAt - Date.now()
