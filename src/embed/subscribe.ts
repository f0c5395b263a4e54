import { HubError } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import type { Grant } from '../protocol/grant.ts'
import type { CompileMatcher, Matcher } from '../protocol/matcher.ts'
import { type Bounds, Feed, type Updates } from './feed.ts'
import { requireKeys } from './keys.ts'

/** What an application subscribes to; `topics`, `matchers`, or both. */
export interface SubscribeOptions {
  /** As the parameter `topic` of 0.x: exact topics, URI Templates, `*`. */
  readonly topics?: string | readonly string[] | undefined
  /** As in the tokens of 1.0. */
  readonly matchers?: readonly TopicMatcher[] | undefined
  /** The id of the last update that was received, or `earliest`: what came after it is sent first. Default: only what is new. */
  readonly lastEventId?: string | undefined
  /** Private updates, too, of every topic that matches. Default: false. */
  readonly private?: boolean | undefined
  /** Ends the subscription: who waits for an update gets the signal's reason thrown. */
  readonly signal?: AbortSignal | undefined
}

export interface TopicMatcher {
  readonly match: string
  /** Default: `exact`. */
  readonly match_type?: 'exact' | 'urlpattern' | undefined
}

const optionKeys: readonly (keyof SubscribeOptions)[] = ['topics', 'matchers', 'lastEventId', 'private', 'signal']
const matcherKeys: readonly (keyof TopicMatcher)[] = ['match', 'match_type']

/**
 * Subscribes without a token, and without being announced. From when this resolves on, nothing is missed.
 * @throws HubError `body_malformed`, `matcher_*`, `shutting_down`, `transport_unavailable`
 */
export async function subscribe(
  options: SubscribeOptions,
  { hub, compile, bounds }: { readonly hub: Hub; readonly compile: CompileMatcher; readonly bounds: Bounds },
): Promise<Updates> {
  requireKeys(options, optionKeys, 'A subscription')
  const { lastEventId, signal } = options
  signal?.throwIfAborted()
  const matchers = readMatchers(options, compile)
  const cursor = await hub.locate(lastEventId || undefined, matchers, signal ?? new AbortController().signal)
  signal?.throwIfAborted()
  const grant = options.private === true ? everything(compile) : null
  const feed = new Feed(cursor.lastEventId, bounds, signal)
  const subscriber = hub.subscribe({ matchers, grant, cursor, sink: feed, isAnnounced: false })
  feed.onEnd(reason => hub.unsubscribe(subscriber, reason))
  return feed
}

function readMatchers({ topics = [], matchers = [] }: SubscribeOptions, compile: CompileMatcher): Matcher[] {
  for (const matcher of matchers) requireKeys(matcher, matcherKeys, 'A matcher')
  const selectors = typeof topics === 'string' ? [topics] : topics
  const patterns = [...selectors, ...matchers.map(({ match }) => match)]
  if (patterns.length === 0) {
    throw new HubError('matcher_missing', 'Nothing to subscribe to: give at least one of "topics", "matchers".')
  }
  if (!patterns.every(pattern => typeof pattern === 'string')) {
    throw new HubError('matcher_invalid', 'A topic or the "match" of a matcher is not a string.')
  }
  return [
    ...matchers.map(({ match, match_type: type = 'exact' }) => {
      if (type === 'exact' || type === 'urlpattern') return compile(type, match)
      throw new HubError('matcher_unknown', 'A "match_type" is neither "exact" nor "urlpattern".')
    }),
    ...selectors.map(selector => compile('topic', selector)),
  ]
}

/** What the application itself may receive. */
const everything = (compile: CompileMatcher): Grant => ({
  generation: '1.0',
  publish: null,
  subscribe: [compile('exact', '*')],
  payloadFor: () => undefined,
  issuer: undefined,
  subject: undefined,
  tokenId: undefined,
  expiresAt: undefined,
})
