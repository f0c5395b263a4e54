import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context, Handler } from 'hono'
import type { Hub } from '../hub/hub.ts'
import type { Cursor } from '../hub/replay.ts'
import type { EndReason, Subscriber } from '../hub/subscriber.ts'
import type { Limiter } from '../limits/limiter.ts'
import type { Generation } from '../protocol/generation.ts'
import type { Grant } from '../protocol/grant.ts'
import type { Matcher } from '../protocol/matcher.ts'
import { earliest } from '../protocol/update.ts'
import { type CodingName, chooseCoding } from './accept-encoding.ts'
import { admitStream } from './admission.ts'
import { requireSubscriber } from './authorize.ts'
import { readForm } from './body.ts'
import type { RequestBounds } from './bounds.ts'
import type { Environment } from './context.ts'
import type { Form } from './form.ts'
import { headerText, headerValue } from './header-text.ts'
import { expiryNotice, type Lifetime, lifetimeOf, type Notice } from './lifetime.ts'
import { readMatchers } from './matcher-parameters.ts'
import { isGone, Stream, type StreamOptions, streamHeaders } from './stream.ts'

export interface SubscribeOptions extends Omit<StreamOptions, 'lifetime' | 'notice' | 'resumed' | 'coding' | 'onEnd'> {
  readonly hub: Hub
  readonly accepted: readonly Generation[]
  /** Subscribers without a token are allowed; they receive public updates only. */
  readonly allowAnonymous: boolean
  readonly maxRequestBodyBytes: number
  readonly bounds: RequestBounds
  /** `undefined`: there are no limits. */
  readonly limiter: Limiter | undefined
  /** The longest life of a stream, in milliseconds; 0: no bound. Each lives for a random 80 to 100 % of it. */
  readonly writeTimeoutMs: number
  /** Streams are compressed for those who ask for it. */
  readonly compress: boolean
}

/** Where clients put the id of the last event they have: the header first, then the query's spellings of all generations. */
const cursorParameters = ['last_event_id', 'lastEventID', 'Last-Event-ID', 'lastEventId']

const inBody = 'in the body, as application/x-www-form-urlencoded'

/** `GET`, `HEAD` or `QUERY /.well-known/mercure`: an event stream of the updates that match. */
export function subscribeHandler(options: SubscribeOptions): Handler<Environment> {
  return async c => {
    const { incoming, outgoing } = c.env
    const request = c.get('request')
    const form = request.query
    const hasBody = incoming.method === 'QUERY'
    if (hasBody) await readForm(incoming, options.maxRequestBodyBytes, form)
    const grant = await request.authenticate('subscriber')
    requireSubscriber(grant, request.presumedGeneration, options.allowAnonymous)
    const matchers = readMatchers(form, request.compile, options, hasBody ? inBody : undefined)
    await admitStream(options.limiter, request, grant, outgoing)
    const requested = requestedCursor(incoming.headers['last-event-id'], form)
    const cursor = await locate(options.hub, requested, matchers, outgoing)
    // Before the head is sent: there is no way back from a 200.
    options.hub.requireOpen()
    options.hub.revocations.check(grant)
    const coding = options.compress ? chooseCoding(incoming.headers['accept-encoding']) : undefined
    const headers = { ...request.answerHeaders, ...streamHeaders, ...cursorHeaders(requested, cursor) }
    if (options.compress) Object.assign(headers, codingHeaders(coding, headers.Vary))
    // RFC 9110, section 9.3.2: a HEAD is answered and over; it subscribes nobody.
    if (incoming.method === 'HEAD') return c.body(null, 200, headers)
    const lifetime = lifetimeOf(grant, options)
    const notice = expiryNotice(form, grant, options.wheel)
    if (!isGone(outgoing)) openStream(c, { matchers, grant, cursor, headers, coding, lifetime, notice }, options)
    return RESPONSE_ALREADY_SENT
  }
}

function openStream(
  c: Context<Environment>,
  subscription: {
    matchers: Matcher[]
    grant: Grant | null
    cursor: Cursor
    headers: Record<string, string>
    coding: CodingName | undefined
    lifetime: Lifetime | undefined
    notice: Notice | undefined
  },
  options: SubscribeOptions,
): void {
  const { hub, wheel, backlog, heartbeatMs, dispatchTimeoutMs } = options
  const { matchers, grant, cursor, headers, coding, lifetime, notice } = subscription
  let subscriber: Subscriber | undefined
  let ended: EndReason | undefined
  const stream = new Stream(c.env.outgoing, headers, {
    wheel,
    backlog,
    heartbeatMs,
    dispatchTimeoutMs,
    lifetime,
    notice,
    resumed: cursor.lastEventId !== undefined,
    coding,
    onEnd: reason => {
      ended = reason
      if (subscriber !== undefined) hub.unsubscribe(subscriber, reason)
    },
  })
  subscriber = hub.subscribe({ matchers, grant, cursor, sink: stream })
  if (ended !== undefined) hub.unsubscribe(subscriber, ended)
}

async function locate(
  hub: Hub,
  requested: string | undefined,
  matchers: readonly Matcher[],
  outgoing: Environment['Bindings']['outgoing'],
): Promise<Cursor> {
  if (requested === undefined || requested === '') return { lastEventId: undefined, from: undefined }
  const gone = new AbortController()
  const abort = () => gone.abort()
  outgoing.once('close', abort)
  try {
    return await hub.locate(requested, matchers, gone.signal)
  } finally {
    outgoing.off('close', abort)
  }
}

/** `undefined`: the client speaks of no cursor; empty: it does, and has none yet. A non-empty header goes before the query. */
function requestedCursor(header: string | string[] | undefined, form: Form): string | undefined {
  if (typeof header === 'string' && header !== '') return headerText(header)
  const values = cursorParameters.map(name => form.get(name)).filter(value => value !== undefined)
  return values.find(value => value !== '') ?? values[0] ?? (header === undefined ? undefined : '')
}

/** Tells the client after which event its stream begins, under the names of both generations. */
function cursorHeaders(requested: string | undefined, { lastEventId }: Cursor): Record<string, string> {
  if (requested === undefined) return {}
  const value = headerValue(lastEventId ?? earliest)
  return { 'Last-Event-ID': value, 'Mercure-Last-Event-ID': value }
}

/** The answer depends on what the client accepts, also where it is not compressed. */
function codingHeaders(coding: CodingName | undefined, vary: string | undefined): Record<string, string> {
  return {
    Vary: vary === undefined ? 'Accept-Encoding' : `${vary}, Accept-Encoding`,
    ...(coding === undefined ? {} : { 'Content-Encoding': coding }),
  }
}
