import { HubError } from '../errors.ts'
import type { Generation } from '../protocol/generation.ts'
import type { Grant } from '../protocol/grant.ts'
import type { CompileMatcher, MatcherKind } from '../protocol/matcher.ts'
import { subscriptionsPath } from '../protocol/subscription.ts'
import type { UpdateFields } from '../protocol/update.ts'
import { admitUpdate, requirePublisher, requireReader, requireSubscriber, requireTopics } from './authorize.ts'
import type { RequestBounds } from './bounds.ts'
import { Form } from './form.ts'
import { readMatchers } from './matcher-parameters.ts'
import { generationFromAccept } from './subscriptions.ts'
import type { Authenticator, Role } from './tokens/authenticate.ts'
import type { AuthenticationRequest } from './tokens/credentials.ts'
import { readToken } from './tokens/token.ts'

export const actions = ['publish', 'subscribe', 'subscriptions'] as const
/** What the bearer of a token wants to do; `subscriptions`: read who is subscribed. */
export type Action = (typeof actions)[number]

export const roleOf: { readonly [action in Action]: Role } = {
  publish: 'publisher',
  subscribe: 'subscriber',
  subscriptions: 'subscriber',
}

/** A request that nobody has sent: what would the hub say? */
export interface Question {
  /** Empty: none. */
  readonly token: string
  readonly action: Action
  /** Of the update that is published, or of those that are hoped for. Empty when publishing: one that the token grants. */
  readonly topics: readonly string[]
  /** What is subscribed to. Absent: the topics; without these, everything. */
  readonly matchers?: readonly { readonly kind: MatcherKind; readonly pattern: string }[] | undefined
  /** scheme://host[:port] by which clients reach the hub. */
  readonly origin: string
}

/** What a hub's rules depend on besides its keys. */
export interface PermitOptions {
  readonly authenticator: Authenticator
  readonly compileFor: (resource: string) => CompileMatcher
  readonly accepted: readonly Generation[]
  readonly allowAnonymous: boolean
  readonly bounds: RequestBounds
  /** The subscription API is on. */
  readonly subscriptions: boolean
}

/** The request of one action, with its token in the Authorization header. */
export function requestOf(question: Question, action: Action, { accepted }: PermitOptions): AuthenticationRequest {
  const { token, origin } = question
  const kinds = action === 'subscribe' ? matchersOf(question, accepted).map(({ kind }) => kind) : []
  return {
    method: action === 'publish' ? 'POST' : 'GET',
    header: name => (name === 'authorization' && token !== '' ? [`Bearer ${token}`] : []),
    queryAuthorization: [],
    topicParameter: kinds.includes('topic'),
    matchParameter: kinds.some(kind => kind !== 'topic'),
    origin,
  }
}

/** The rules of an action, asked in the order of its handler. @throws HubError as the handler does */
export function permit(question: Question, action: Action, grant: Grant | null, options: PermitOptions): void {
  const { authenticator, accepted, allowAnonymous, bounds } = options
  const request = requestOf(question, action, options)
  if (action === 'publish') {
    const publisher = requirePublisher(grant, authenticator.presume(request))
    if (question.topics.length === 0) requireTopics(publisher, [])
    else admitUpdate(fieldsOf(question.topics), publisher, bounds, () => 'id')
    return
  }
  if (action === 'subscribe') {
    requireSubscriber(grant, authenticator.presume(request), allowAnonymous)
    readMatchers(formOf(question, accepted), options.compileFor(authenticator.resourceOf(request)), options)
    return
  }
  if (!options.subscriptions) {
    throw new HubError('not_found', 'There is nothing at this path.', {
      mend: 'Set subscriptions in the configuration of the hub.',
    })
  }
  const generation = grant?.generation ?? generationFromAccept(undefined, accepted)
  if (authenticator.verifies('subscriber')) requireReader(grant, generation, [subscriptionsPath])
}

const fieldsOf = (topics: readonly string[]): UpdateFields => ({
  topics,
  data: '',
  id: '',
  type: '',
  retry: '',
  private: true,
  notUtf8: new Set(),
})

const parameterOf: { readonly [kind in MatcherKind]: string } = {
  topic: 'topic',
  exact: 'match',
  urlpattern: 'match_urlpattern',
}

const formOf = (question: Question, accepted: readonly Generation[]): Form =>
  new Form().append(
    matchersOf(question, accepted)
      .map(({ kind, pattern }) => `${parameterOf[kind]}=${encodeURIComponent(pattern.toWellFormed())}`)
      .join('&'),
    'query',
  )

/** Topics are subscribed to in the terms of the token's generation. */
function matchersOf({ token, topics, matchers }: Question, accepted: readonly Generation[]) {
  if (matchers !== undefined && matchers.length > 0) return matchers
  const spoken = generationOf(token)
  const kind: MatcherKind = (accepted.includes(spoken) ? spoken : accepted[0]) === '1.0' ? 'exact' : 'topic'
  return (topics.length === 0 ? ['*'] : topics).map(pattern => ({ kind, pattern }))
}

function generationOf(token: string): Generation {
  try {
    return readToken(token, '0.x').generation
  } catch {
    return '0.x'
  }
}
