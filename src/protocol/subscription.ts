import type { Generation } from './generation.ts'
import type { Grant } from './grant.ts'
import type { Matcher } from './matcher.ts'
import { hubPath } from './topic.ts'
import { hubEventType, type Update } from './update.ts'

export const subscriptionsPath = `${hubPath}/subscriptions`
const jsonLdContext = 'https://mercure.rocks/'

/** One matcher of one subscriber: what the subscription API lists and subscription events announce. */
export interface Subscription {
  readonly generation: Generation
  /** The path that addresses it, and the topic of its events. */
  readonly id: string
  readonly subscriber: string
  readonly kind: Matcher['kind']
  readonly pattern: string
  readonly active: boolean
  /** From the subscriber's token; `undefined`: none. */
  readonly payload: unknown
}

/** The subscriptions of one subscriber, one per distinct matcher, in the order of the request. */
export function createSubscriptions(
  subscriber: string,
  matchers: readonly Matcher[],
  grant: Grant | null,
): Subscription[] {
  const subscriptions = new Map<string, Subscription>()
  for (const matcher of matchers) {
    const { generation, kind, pattern } = matcher
    const id = subscriptionPath(kind, pattern, subscriber)
    const payload = grant?.payloadFor(matcher)
    subscriptions.set(id, { generation, id, subscriber, kind, pattern, active: true, payload })
  }
  return [...subscriptions.values()]
}

/** 1.0: `{match_type}/{match}/{subscriber}`, percent-encoded; 0.x: `{topic}/{subscriber}`, form-encoded (a space is `+`). */
function subscriptionPath(kind: Matcher['kind'], pattern: string, subscriber: string): string {
  return kind === 'topic'
    ? `${subscriptionsPath}/${formEncode(pattern)}/${formEncode(subscriber)}`
    : `${subscriptionsPath}/${kind}/${percentEncode(pattern)}/${percentEncode(subscriber)}`
}

/** Simple string expansion (RFC 6570, section 3.2.2): everything but unreserved characters, those of URL Patterns included. */
const percentEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

const formEncode = (text: string): string => percentEncode(text).replaceAll('%20', '+')

/** One subscription as its generation's document. 0.x shows the last event id in documents of their own, not in events. */
export function subscriptionDocument(subscription: Subscription, options: { lastEventId?: string } = {}): object {
  return subscription.generation === '0.x'
    ? {
        '@context': jsonLdContext,
        ...subscriptionItem(subscription),
        ...(options.lastEventId === undefined ? {} : { lastEventID: options.lastEventId }),
      }
    : subscriptionItem(subscription)
}

function subscriptionItem({ generation, id, kind, pattern, subscriber, active, payload }: Subscription): object {
  return generation === '0.x'
    ? { id, type: 'Subscription', subscriber, topic: pattern, active, payload }
    : { id, type: 'subscription', subscriber, match: pattern, match_type: kind, active, payload }
}

/** A collection's own members; `id` is where it was asked for. */
function collectionHead(generation: Generation, id: string, lastEventId: string): object {
  return generation === '0.x'
    ? { '@context': jsonLdContext, id, type: 'Subscriptions', lastEventID: lastEventId }
    : { id, type: 'subscriptions' }
}

/** How many there are, in the terms of a generation: the document of the collection without its list. */
export const countDocument = (generation: Generation, id: string, lastEventId: string, count: number): object => ({
  ...collectionHead(generation, id, lastEventId),
  count,
})

/** Characters of a piece; the last subscriptions of a batch may exceed them. */
const pieceLength = 1 << 16

/**
 * A collection as the text of its generation's document, in pieces: all of it at once would keep everybody else waiting where it is long.
 * `id` is where it was asked for.
 */
export async function* formatCollection(
  generation: Generation,
  id: string,
  lastEventId: string,
  batches: AsyncIterable<readonly Subscription[]>,
): AsyncGenerator<string, void> {
  const empty = formatDocument({ ...collectionHead(generation, id, lastEventId), subscriptions: [] })
  const end = ']\n}'
  let text = empty.slice(0, -end.length)
  let isEmpty = true
  for await (const batch of batches) {
    if (text.length > pieceLength) {
      yield text
      text = ''
    }
    for (const subscription of batch) {
      // A line break within a text would be escaped.
      text += `${isEmpty ? '' : ','}\n${formatDocument(subscriptionItem(subscription)).replace(/^/gm, '    ')}`
      isEmpty = false
    }
  }
  yield text + (isEmpty ? end : `\n  ${end}`)
}

/** Two spaces, and what could end a script or start an entity escaped: a payload may be shown inside a page. */
export const formatDocument = (document: object): string =>
  JSON.stringify(document, null, 2).replace(
    /[<>&\u2028\u2029]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** The update that announces a subscription. Its type is set in 1.0 only: 0.x clients listen with `onmessage`. */
export function subscriptionEvent(subscription: Subscription, updateId: string): Update {
  return {
    id: updateId,
    topics: [subscription.id],
    data: formatDocument(subscriptionDocument(subscription)),
    type: subscription.generation === '1.0' ? hubEventType : '',
    retry: 0,
    private: true,
  }
}
