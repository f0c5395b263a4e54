import type { Handler } from 'hono'
import { HubError, quote } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import type { Presence } from '../hub/presence.ts'
import type { Generation } from '../protocol/generation.ts'
import {
  countDocument,
  formatCollection,
  formatDocument,
  type Subscription,
  subscriptionDocument,
  subscriptionsPath,
} from '../protocol/subscription.ts'
import { hubPath } from '../protocol/topic.ts'
import { requireReader } from './authorize.ts'
import type { Environment } from './context.ts'
import { namesTag } from './entity-tag.ts'
import { entityTagText, headerValue, quotedString } from './header-text.ts'
import { nextPage, readListParameters, withoutParameter } from './list-parameters.ts'
import { countSubscriptions, pageSubscriptions, placeOf, selectSubscriptions } from './subscription-list.ts'
import { toBody } from './text-body.ts'

export interface SubscriptionsOptions {
  readonly hub: Hub
  readonly presence: Presence
  readonly accepted: readonly Generation[]
  /** Subscribers' tokens can be verified; if not, everybody may read. */
  readonly needsToken: boolean
}

/** What a path of the API asks for, in one generation's terms. */
type Question = { readonly generation: Generation } & (
  | { readonly collection: (subscription: Subscription) => boolean }
  | { readonly item: Subscription }
)

/** `GET /.well-known/mercure/subscriptions[/…]`: who is subscribed now. */
export function subscriptionsHandler(options: SubscriptionsOptions): Handler<Environment> {
  const { hub, presence, accepted, needsToken } = options
  return async c => {
    const request = c.get('request')
    const { path, search } = request
    const grant = await request.authenticate('subscriber')
    const preferred = grant?.generation ?? generationFromAccept(c.req.header('Accept'), accepted)
    const uri = search === '' ? path : `${path}?${search}`
    // 0.x asks for the address with its query; its clients' tokens may name either.
    if (needsToken) requireReader(grant, preferred, grant?.generation === '0.x' ? [path, uri] : [path])
    const question = readPath(path, preferred, options)
    const { lastEventId } = hub
    const { generation } = question
    const headers = { ...request.answerHeaders, ...documentHeaders(generation, lastEventId) }
    headers.Vary = headers.Vary === undefined ? tellingHeaders : `${headers.Vary}, ${tellingHeaders}`
    const list = 'item' in question ? undefined : readListParameters(search)
    if (namesTag(c.req.header('If-None-Match'), headers.ETag)) return c.body(null, 304, headers)
    if ('item' in question) {
      return c.body(toBytes(subscriptionDocument(question.item, { lastEventId })), 200, headers)
    }
    const { collection } = question
    // What proves who asks is nobody else's business.
    const asked = withoutParameter(search, 'authorization')
    const id = generation === '0.x' && asked !== '' ? `${path}?${asked}` : path
    if (list?.kind === 'count') {
      const count = await countSubscriptions(presence.list(), collection)
      return c.body(toBytes(countDocument(generation, id, lastEventId, count)), 200, headers)
    }
    const respond = async (batches: AsyncGenerator<readonly Subscription[], void>) =>
      c.body(await toBody(formatCollection(generation, id, lastEventId, batches)), 200, headers)
    if (list?.kind !== 'page') return await respond(selectSubscriptions(presence.list(), collection))
    const { subscriptions, hasNext } = await pageSubscriptions(presence.list(), collection, list)
    if (hasNext) {
      const next = `<${nextPage(path, asked, placeOf(subscriptions.at(-1)!.id))}>; rel="next"`
      headers.Link = headers.Link === undefined ? next : `${headers.Link}, ${next}`
    }
    return await respond(selectSubscriptions(subscriptions, () => true))
  }
}

function readPath(path: string, preferred: Generation, { presence, accepted }: SubscriptionsOptions): Question {
  const segments = path.slice(subscriptionsPath.length + 1).split('/')
  const [first = '', second, third] = segments
  if (path === subscriptionsPath) {
    return { generation: preferred, collection: ({ generation }) => generation === preferred }
  }
  const isMatchType = (first === 'exact' || first === 'urlpattern') && accepted.includes('1.0')
  if (third !== undefined && segments.length === 3) {
    if (!accepted.includes('1.0')) throw new HubError('not_found', 'There is no such resource.', { generation: '0.x' })
    const kind = readMatchType(first)
    const pattern = decodeSegment(second ?? '')
    const subscriber = decodeSegment(third)
    return { generation: '1.0', item: existing(presence.find(subscriber, kind, pattern), '1.0') }
  }
  if (segments.length === 2) {
    const legacy = accepted.includes('0.x')
      ? presence.find(formDecode(second ?? ''), 'topic', formDecode(first))
      : undefined
    // Only a topic named "exact" or "urlpattern" could be meant either way; an existing subscription decides.
    if (legacy !== undefined || !accepted.includes('1.0') || (preferred === '0.x' && !isMatchType)) {
      return { generation: '0.x', item: existing(legacy, '0.x') }
    }
    const kind = readMatchType(first)
    const pattern = decodeSegment(second ?? '')
    return { generation: '1.0', collection: s => s.kind === kind && s.pattern === pattern }
  }
  if (segments.length === 1 && first !== '' && accepted.includes('0.x')) {
    const topic = formDecode(first)
    return { generation: '0.x', collection: s => s.kind === 'topic' && s.pattern === topic }
  }
  throw new HubError('not_found', 'There is no such resource.')
}

function existing(subscription: Subscription | undefined, generation: Generation): Subscription {
  if (subscription !== undefined) return subscription
  throw new HubError('not_found', 'There is no such subscription: only active ones are listed.', { generation })
}

function readMatchType(segment: string): 'exact' | 'urlpattern' {
  if (segment === 'exact' || segment === 'urlpattern') return segment
  throw new HubError(
    'subscription_path_invalid',
    `${quote(segment)} is not a match type: use "exact" or "urlpattern".`,
    { generation: '1.0' },
  )
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new HubError('subscription_path_invalid', `${quote(segment)} is not percent-encoded UTF-8.`, {
      generation: '1.0',
    })
  }
}

/** 0.x: form-encoded; what cannot be decoded names nothing. */
function formDecode(segment: string): string {
  try {
    return decodeURIComponent(segment.replaceAll('+', ' '))
  } catch {
    return ''
  }
}

/** In whose terms the collection is answered where no token tells. */
export function generationFromAccept(accept: string | undefined, accepted: readonly Generation[]): Generation {
  if (accepted.length === 1) return accepted[0]!
  return accept !== undefined && /application\/ld\+json/i.test(accept) ? '0.x' : '1.0'
}

/** What of a request tells in which generation's terms it is answered. */
const tellingHeaders = 'Accept, Authorization, Cookie'

/**
 * The type, the entity tag and, in 1.0, from where to follow the changes. The newest event id stands for the state of the list: whoever keeps an
 * answer asks with its tag before it is used again, and nobody keeps it for others.
 */
function documentHeaders(generation: Generation, lastEventId: string): Record<string, string> & { ETag: string } {
  const kept = { 'Cache-Control': 'private, no-cache' }
  if (generation === '0.x') {
    return { ...kept, 'Content-Type': 'application/ld+json', ETag: headerValue(lastEventId) }
  }
  const cursor = quotedString(lastEventId)
  return {
    ...kept,
    'Content-Type': 'application/json',
    ETag: `"${entityTagText(lastEventId)}"`,
    Link: `<${hubPath}>; rel="mercure"; last-event-id=${cursor}; type="mercure"; content-type="application/json"`,
  }
}

/** As bytes: Node writes the headers of an answer together with a body that is a string, and then both as UTF-8. */
const toBytes = (document: object): Uint8Array<ArrayBuffer> => new TextEncoder().encode(formatDocument(document))
