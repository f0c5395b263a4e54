import { hash } from 'node:crypto'
import type { Grant } from '../../protocol/grant.ts'

/** What a revocation names: the `sub` of tokens, the `jti` of one, or a subscriber, whose token it is about. */
export type RevocationKind = 'subject' | 'token_id' | 'subscription'

/** What is revoked. */
export interface Revoked {
  readonly kind: RevocationKind
  /** The `sub`, the `jti`, or the subscriber. */
  readonly value: string
  /** Of kind `subscription`: the fingerprint of the subscriber's token. */
  readonly token?: string
}

/** That tokens are refused. Times are in milliseconds since 1970. */
export interface Revocation extends Revoked {
  /** Follows from what is revoked: there are no two of the same. */
  readonly id: string
  /** Of kind `subject`: tokens issued later are accepted. */
  readonly revokedAt: number
  /** `null`: until it is taken back. */
  readonly until: number | null
  /** Of two versions of a revocation the later one holds. */
  readonly changedAt: number
  readonly isTakenBack: boolean
}

/** A revocation as it was written to JSON; `undefined`: it is none. */
export function readRevocation(text: string): Revocation | undefined {
  try {
    const revocation: Partial<Revocation> = JSON.parse(text)
    const { id, value, token = '', revokedAt, changedAt, until } = revocation
    const isWhole =
      [id, value, token].every(part => typeof part === 'string') &&
      [revokedAt, changedAt, until ?? 0].every(part => typeof part === 'number')
    return isWhole ? (revocation as Revocation) : undefined
  } catch {
    return undefined
  }
}

/** What is revoked, as text: tells one revocation from another. */
export const keyOf = ({ kind, value, token }: Revoked): string =>
  kind === 'subscription' ? `token\0${token}` : `${kind}\0${value}`

export const idOf = (key: string): string => hash('sha256', key, 'base64url').slice(0, 22)

/** The keys of the revocations that would be about a grant. */
export function* keysOf({ subject, tokenId, fingerprint }: Grant): Generator<string> {
  if (subject !== undefined) yield `subject\0${subject}`
  if (tokenId !== undefined) yield `token_id\0${tokenId}`
  if (fingerprint !== undefined) yield `token\0${fingerprint}`
}

/** By so much the clocks of issuers and nodes may differ, in milliseconds. */
const clockToleranceMs = 1000

/** Whether a revocation that is about a grant refuses it now. */
export function refuses({ kind, revokedAt, until, isTakenBack }: Revocation, grant: Grant, now: number): boolean {
  if (isTakenBack || (until !== null && until <= now)) return false
  if (kind !== 'subject') return true
  // A user who signs in again has a token that was issued later. One that does not say when, or says that it was not yet, may be an old one.
  const { issuedAt } = grant
  return issuedAt === undefined || issuedAt <= revokedAt || issuedAt > now + clockToleranceMs
}
