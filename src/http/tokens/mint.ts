import { type KeyObject, randomUUID } from 'node:crypto'
import { type JWTPayload, SignJWT } from 'jose'
import type { Generation } from '../../protocol/generation.ts'
import { authorizationDetailType } from '../../protocol/grant.ts'

/** What a token grants: a topic, `*`, or in 0.x a URI Template; or, in 1.0, a URL Pattern. */
export type GrantedTopic = string | { readonly match: string; readonly match_type: 'urlpattern' }

/** What a new token is to say. Times are in seconds since 1970. */
export interface TokenContent {
  readonly publish: readonly GrantedTopic[]
  readonly subscribe: readonly GrantedTopic[]
  /** Shown in the subscriptions of the bearer. */
  readonly payload?: unknown
  readonly issuedAt: number
  /** `undefined`: it does not expire, which 1.0 does not accept. */
  readonly expiresAt?: number | undefined
  readonly iss?: string | undefined
  readonly aud?: string | undefined
  readonly sub?: string | undefined
  readonly jti?: string | undefined
  /** Of 1.0. */
  readonly clientId?: string | undefined
}

/** The claims of a token of either generation. */
export const claimsOf = (generation: Generation, content: TokenContent): JWTPayload =>
  generation === '0.x' ? claims0x(content) : claims1(content)

function claims0x(content: TokenContent): JWTPayload {
  const { publish, subscribe, payload, issuedAt, expiresAt: exp, iss, aud, sub, jti } = content
  const mercure = { ...nonEmpty({ publish }), ...nonEmpty({ subscribe }), ...present({ payload }) }
  return { mercure, ...present({ iss, aud, sub, jti, exp }), iat: issuedAt }
}

/** With all that an access token must have (RFC 9068, section 2.2). */
function claims1(content: TokenContent): JWTPayload {
  const { publish, subscribe, payload, issuedAt, expiresAt, iss, aud, clientId = 'talaria', sub = clientId } = content
  const { jti = randomUUID() } = content
  const detail = (action: string, topics: readonly GrantedTopic[]) =>
    topics.length === 0 ? [] : [{ type: authorizationDetailType, actions: [action], topics: topics.map(asDetail) }]
  return {
    ...present({ iss, aud }),
    sub,
    client_id: clientId,
    iat: issuedAt,
    ...present({ exp: expiresAt }),
    jti,
    authorization_details: [
      ...detail('publish', publish),
      ...detail('subscribe', subscribe).map(entry => ({ ...entry, ...present({ payload }) })),
    ],
  }
}

const asDetail = (topic: GrantedTopic) => (typeof topic === 'string' ? { match: topic } : topic)

export interface TokenHeader {
  readonly alg: string
  readonly typ: string
  readonly kid?: string
}

/** The header by which a hub tells a token's generation. */
export const headerOf = (generation: Generation, alg: string, kid?: string): TokenHeader => ({
  alg,
  typ: generation === '0.x' ? 'JWT' : 'at+jwt',
  ...(kid === undefined ? {} : { kid }),
})

export const signToken = (header: TokenHeader, claims: JWTPayload, key: KeyObject): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ ...header }).sign(key)

const present = (members: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
const nonEmpty = (members: Record<string, readonly unknown[]>): Record<string, readonly unknown[]> =>
  Object.fromEntries(Object.entries(members).filter(([, list]) => list.length > 0))
