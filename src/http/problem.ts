import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, HubError } from '../errors.ts'
import type { Generation } from '../protocol/generation.ts'
import type { Environment } from './context.ts'
import { farewell } from './farewell.ts'
import type { HubRequest } from './request.ts'
import { isGone, streamHeaders } from './stream.ts'
import type { Authenticator } from './tokens/authenticate.ts'
import { challenge as challengeFor } from './tokens/challenge.ts'

/** A status for both generations, or one for each. */
type Status = ContentfulStatusCode | { readonly [generation in Generation]: ContentfulStatusCode }

/** Every refusal's status. The compiler refuses a code without a row. */
const statusOf: { readonly [code in ErrorCode]: Status } = {
  request_malformed: 400,
  request_timeout: 408,
  head_too_large: 431,
  body_malformed: 400,
  body_too_large: 413,
  misdirected_request: 421,
  not_found: 404,
  method_not_allowed: 405,
  topic_missing: 400,
  topic_invalid: 400,
  topic_reserved: { '0.x': 403, '1.0': 400 },
  topic_wildcard: 400,
  topics_too_many: 400,
  id_invalid: 400,
  type_invalid: 400,
  data_invalid: 400,
  retry_invalid: 400,
  updates_too_many: 400,
  idempotency_key_invalid: 400,
  idempotency_key_reused: 422,
  matcher_missing: 400,
  matcher_unknown: 400,
  matcher_invalid: 400,
  matcher_too_long: 400,
  matcher_too_complex: 400,
  matchers_too_many: 400,
  subscription_path_invalid: 400,
  list_parameter_invalid: 400,
  token_missing: 401,
  authorization_malformed: { '0.x': 401, '1.0': 400 },
  token_malformed: 401,
  token_algorithm: 401,
  token_signature: 401,
  token_key_unknown: 401,
  token_keys_unreachable: 503,
  token_expired: 401,
  token_not_yet_valid: 401,
  token_revoked: 401,
  token_type: 401,
  token_issuer: 401,
  token_audience: 401,
  token_claims: 401,
  token_generation: 401,
  origin_missing: { '0.x': 401, '1.0': 400 },
  origin_refused: { '0.x': 401, '1.0': 400 },
  publish_not_granted: { '0.x': 401, '1.0': 403 },
  topic_not_granted: { '0.x': 401, '1.0': 403 },
  subscribe_not_granted: { '0.x': 401, '1.0': 403 },
  connections_of_ip_too_many: 429,
  connections_of_subject_too_many: 429,
  connections_too_many: 503,
  publishes_of_subject_too_many: 429,
  publishes_too_many: 503,
  admin_secret_wrong: 401,
  revocations_too_many: 503,
  overloaded: 503,
  shutting_down: 503,
  transport_unavailable: 503,
  configuration_invalid: 500,
}

export interface RefusalObserver {
  readonly log: Record<'info' | 'error', (fields: object, message: string) => void>
  /** Called with the code of every refusal, for metrics. */
  readonly refused: (code: string) => void
  readonly authenticator: Authenticator
}

/** Characters of a path in the log: a client may send as many as fit into a request head. */
const maxLoggedPath = 1000

/** Of the `sub` of a token; what telling one from another takes. */
export const maxLoggedSubject = 200

/** After so long a client may try again what failed for a reason that passes, where nobody knows better. */
const usualRetryAfterMs = 1000

/**
 * Answers an error: what was wrong and how to mend it, with the code in front so that it can be searched for. Anything but
 * a HubError is a defect of ours: the client is told nothing of it, the log everything.
 */
export function answerProblem(
  error: unknown,
  c: Context<Environment>,
  { log, refused, authenticator }: RefusalObserver,
): Response {
  const { method, path } = c.req
  const request = c.get('request')
  const headers: Record<string, string> = { ...request.answerHeaders, 'Content-Type': 'text/plain; charset=utf-8' }
  if (!(error instanceof HubError)) {
    log.error({ err: error, method, path }, 'request failed')
    refused('internal')
    return c.body('internal: Internal Server Error\n', 500, headers)
  }
  const { code, message, cause } = error
  const refusal = describeRefusal(error, authenticator.resourceOf(request))
  const { challenge } = refusal
  const isPutOff = code === 'shutting_down' && readsEvents(c)
  const status = isPutOff ? 200 : refusal.status
  const asked = path.slice(0, maxLoggedPath)
  const level = status === 500 ? 'error' : 'info'
  // Who has gone gets no answer. Where it was sent away, for a body that did not come, that is told already.
  if (!isGone(c.env.outgoing)) {
    const told = {
      code,
      status,
      method,
      path: asked,
      ...senderOf(code, request),
      reason: message,
      cause: textOf(cause),
    }
    log[level](told, 'request refused')
    refused(code)
  }
  if (isPutOff) return c.body(Buffer.from(farewell().bytes), 200, { ...request.answerHeaders, ...streamHeaders })
  if (challenge !== undefined) headers['WWW-Authenticate'] = challenge
  const retryAfterMs = error.retryAfterMs ?? (status === 503 ? usualRetryAfterMs : undefined)
  if (retryAfterMs !== undefined) headers['Retry-After'] = String(Math.max(1, Math.ceil(retryAfterMs / 1000)))
  return c.body(`${code}: ${message}\n`, status, headers)
}

/** Whom an operator has to look for, where one sender has too much. */
function senderOf(code: ErrorCode, { senderAddress, subject }: HubRequest): { address?: string; subject?: string } {
  if (code === 'connections_of_ip_too_many') return senderAddress === undefined ? {} : { address: senderAddress }
  if (code !== 'connections_of_subject_too_many' && code !== 'publishes_of_subject_too_many') return {}
  return subject === undefined ? {} : { subject: subject.slice(0, maxLoggedSubject) }
}

/**
 * An EventSource never comes back after an answer that is no event stream (HTML, "server-sent events": the connection fails), and what fetches
 * event streams mostly does as it does: where a refusal passes by itself, the answer is a stream that tells them when to come back, and ends.
 */
const readsEvents = ({ req }: Context<Environment>): boolean =>
  (req.method === 'GET' || req.method === 'QUERY') && req.header('Accept')?.includes('text/event-stream') === true

/** How a refusal is answered: its status, and the `WWW-Authenticate` if it has one. `resource`: what tokens for this hub name. */
export function describeRefusal(
  error: HubError,
  resource: string,
): { status: ContentfulStatusCode; challenge: string | undefined } {
  const { code, generation = '1.0' } = error
  const row = statusOf[code]
  const status = typeof row === 'number' ? row : row[generation]
  return { status, challenge: status === 400 && code === 'topic_reserved' ? undefined : challengeFor(error, resource) }
}

const textOf = (cause: unknown): string | undefined => (cause instanceof Error ? cause.message : undefined)
