import type { Generation } from './generation.ts'
import type { Matcher } from './matcher.ts'

/** What one verified token allows: the claims of either generation in one shape. Immutable and shared between requests. */
export interface Grant {
  readonly generation: Generation
  /** Topics that may be published. `null`: the token does not speak of publishing at all. */
  readonly publish: readonly Matcher[] | null
  /** Topics whose private updates are delivered, and subscription API paths that may be read. `null` as above. */
  readonly subscribe: readonly Matcher[] | null
  /** The payload shown in the subscriptions of this token's bearer; `undefined`: none. */
  payloadFor(matcher: Matcher): unknown
  /** The token's `sub` and `jti`, for limits, revocation and logs. */
  readonly subject: string | undefined
  readonly tokenId: string | undefined
  /** The token's `exp`, in milliseconds since the epoch; `undefined`: it does not expire. */
  readonly expiresAt: number | undefined
}
