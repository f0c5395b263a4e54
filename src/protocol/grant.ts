import { HubError } from '../errors.ts'
import type { Generation } from './generation.ts'
import type { CompileMatcher, Matcher, MatcherKind } from './matcher.ts'
import { hasForbiddenCharacters } from './topic.ts'

/** What one verified token allows: the claims of either generation in one shape. Immutable and shared between requests. */
export interface Grant {
  readonly generation: Generation
  /** Topics that may be published. `null`: the token does not speak of publishing at all. */
  readonly publish: readonly Matcher[] | null
  /** Topics whose private updates are delivered, and subscription API paths that may be read. `null` as above. */
  readonly subscribe: readonly Matcher[] | null
  /** The payload shown in the subscriptions of this token's bearer; `undefined`: none. */
  payloadFor(matcher: Matcher): unknown
  /** The token's `sub` and `jti` as text, for limits, revocation and logs; and its `iss`, within which subjects are told apart. */
  readonly issuer: string | undefined
  readonly subject: string | undefined
  readonly tokenId: string | undefined
  /** The token's `exp`, in milliseconds since the epoch; `undefined`: it does not expire. */
  readonly expiresAt: number | undefined
  /** The token's `iat`, likewise; absent: nothing tells when it was issued. */
  readonly issuedAt?: number | undefined
  /** Tells the token from every other one: a digest of what its signature covers. Absent: there is no token. */
  readonly fingerprint?: string
  /** Why the token grants nothing, as far as that shows: it was rather meant as one of the other generation. A sentence, for refusals. */
  readonly doubt?: string
}

/** A token's claims: a JSON object, verified but unread. */
export type Claims = Readonly<Record<string, unknown>>

/** Also tells the objects inside of claims from other JSON values. */
export const isClaims = (value: unknown): value is Claims =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The `type` of the authorization details (RFC 9396) that speak to a hub; details of other types are somebody else's. */
export const authorizationDetailType = 'https://mercure.rocks/authorization-detail'

/** The two names of the 0.x claim: identity providers that allow only namespaced claims use the second, and it wins. */
const claimName = 'mercure'
const namespacedClaimName = 'https://mercure.rocks/'

const maxSelectorsPerClaim = 1000
const maxDetails = 100
const maxTopicsOfDetails = 100
/** What a Date can hold, so that an absurd `exp` stays a time. */
const endOfTime = 8.64e15

/** Reads the `mercure` claim of 0.x. @throws HubError `token_claims` */
export function readGrant0x(claims: Claims, compile: CompileMatcher): Grant {
  const name = isAbsent(claims[namespacedClaimName]) ? claimName : namespacedClaimName
  const claim = claims[name] ?? {}
  if (!isClaims(claim)) throw refused('0.x', `${name} is not an object with "publish" and "subscribe" lists`)
  const read = (role: 'publish' | 'subscribe') => readSelectors(`${name}.${role}`, claim[role], compile)
  const payload = claim.payload ?? undefined
  return { ...bearer(claims, '0.x'), publish: read('publish'), subscribe: read('subscribe'), payloadFor: () => payload }
}

function readSelectors(where: string, list: unknown, compile: CompileMatcher): readonly Matcher[] | null {
  if (isAbsent(list)) return null
  if (!Array.isArray(list)) throw refused('0.x', `${where} is not a list of topic selectors`)
  if (list.length > maxSelectorsPerClaim) {
    throw refused('0.x', `${where} has ${list.length} topic selectors, at most ${maxSelectorsPerClaim} are read`)
  }
  return list.map((selector: unknown, index) => {
    if (typeof selector !== 'string') throw refused('0.x', `${where}[${index}] is not a string`)
    return compileAt(`${where}[${index}]`, '0.x', compile, 'topic', selector)
  })
}

interface Detail {
  readonly actions: readonly unknown[]
  readonly topics: readonly Matcher[]
  readonly payload: unknown
}

/** Reads the `authorization_details` of 1.0: one bad detail of ours spoils the whole token. @throws HubError `token_claims` */
export function readGrant1(claims: Claims, compile: CompileMatcher): Grant {
  const details = readDetails(claims.authorization_details ?? [], compile)
  const allowing = (action: string) => details.filter(detail => detail.actions.includes(action))
  const matchers = (allowed: readonly Detail[]) =>
    allowed.length === 0 ? null : allowed.flatMap(detail => detail.topics)
  const subscribable = allowing('subscribe')
  return {
    ...bearer(claims, '1.0'),
    publish: matchers(allowing('publish')),
    subscribe: matchers(subscribable),
    // The first detail that covers the subscription decides, with a payload or without: issuers list the specific before the broad.
    payloadFor: ({ pattern }) =>
      subscribable.find(({ topics }) => topics.some(topic => topic.matches(pattern)))?.payload,
  }
}

function readDetails(list: unknown, compile: CompileMatcher): Detail[] {
  if (!Array.isArray(list)) throw refused('1.0', 'authorization_details is not a list')
  const details: Detail[] = []
  let topicsLeft = maxTopicsOfDetails
  for (const [index, entry] of list.entries()) {
    const where = `authorization_details[${index}]`
    if (!isClaims(entry)) throw refused('1.0', `${where} is not an object`)
    if (entry.type !== authorizationDetailType) continue
    if (details.length === maxDetails) {
      throw refused('1.0', `authorization_details: at most ${maxDetails} may be of the type of hubs`)
    }
    const { actions, topics } = entry
    if (!isFilledList(actions)) throw refused('1.0', `${where}.actions is not a list with at least one action`)
    const stray = actions.findIndex(action => typeof action !== 'string')
    if (stray !== -1) throw refused('1.0', `${where}.actions[${stray}] is not a string`)
    if (!isFilledList(topics)) throw refused('1.0', `${where}.topics is not a list with at least one {"match": …}`)
    // Counted before anything is compiled, so that a token buys no more work than a request with as many matchers.
    topicsLeft -= topics.length
    if (topicsLeft < 0) {
      throw refused('1.0', `authorization_details: at most ${maxTopicsOfDetails} topics in all are read`)
    }
    details.push({
      actions,
      topics: topics.map((topic, place) => readTopic(`${where}.topics[${place}]`, topic, compile)),
      payload: entry.payload ?? undefined,
    })
  }
  return details
}

function readTopic(where: string, topic: unknown, compile: CompileMatcher): Matcher {
  if (!isClaims(topic)) {
    throw refused('1.0', `${where} is not an object; a topic is written {"match": "https://example.com/1"}`)
  }
  const { match, match_type: type } = topic
  if (typeof match !== 'string' || match === '') {
    throw refused('1.0', `${where}.match is not a string with at least one character`)
  }
  if (hasForbiddenCharacters(match)) throw refused('1.0', `${where}.match contains a forbidden control character`)
  const kind = isAbsent(type) || type === '' ? 'exact' : type
  if (kind !== 'exact' && kind !== 'urlpattern') {
    throw refused('1.0', `${where}.match_type is neither "exact" nor "urlpattern"`)
  }
  return compileAt(where, '1.0', compile, kind, match)
}

function compileAt(
  where: string,
  generation: Generation,
  compile: CompileMatcher,
  kind: MatcherKind,
  pattern: string,
): Matcher {
  try {
    return compile(kind, pattern)
  } catch (error) {
    if (error instanceof HubError) throw refused(generation, `${where}: ${error.message.replace(/\.$/, '')}`, error)
    throw error
  }
}

function bearer({ iss, sub, jti, exp, iat }: Claims, generation: Generation) {
  return {
    generation,
    issuer: typeof iss === 'string' ? iss : undefined,
    subject: readName('sub', sub, generation),
    tokenId: readName('jti', jti, generation),
    expiresAt: typeof exp === 'number' ? Math.min(exp * 1000, endOfTime) : undefined,
    issuedAt: typeof iat === 'number' ? Math.min(iat * 1000, endOfTime) : undefined,
  }
}

/**
 * RFC 7519, sections 4.1.2 and 4.1.7: a string. Applications whose ids are numbers write them as such in 0.x. What could not be revoked,
 * since nobody could name it, is refused.
 */
function readName(name: 'sub' | 'jti', value: unknown, generation: Generation): string | undefined {
  if (value === undefined || (value === null && generation === '0.x')) return undefined
  if (typeof value === 'string') return value
  if (generation === '0.x' && Number.isSafeInteger(value)) return String(value)
  throw new HubError('token_claims', `The token's ${name} is not a string.`, {
    generation,
    mend: `Write it as text: {"${name}": "42"}.`,
  })
}

/** JSON from other languages often spells an absent member as null. */
const isAbsent = (value: unknown): value is null | undefined => value === null || value === undefined
const isFilledList = (value: unknown): value is readonly unknown[] => Array.isArray(value) && value.length > 0

/** How claims that grant something are written. */
const forms: Readonly<Record<Generation, string>> = {
  '0.x': '"mercure": {"publish": ["https://example.com/1"], "subscribe": ["https://example.com/{id}"]}',
  '1.0': `"authorization_details": [{"type": "${authorizationDetailType}", "actions": ["publish"], "topics": [{"match": "https://example.com/1"}]}]`,
}

const refused = (generation: Generation, rule: string, cause?: unknown): HubError =>
  new HubError('token_claims', `The token's claims break a rule: ${rule}.`, {
    generation,
    mend: `Write them like this: ${forms[generation]}.`,
    cause,
  })
