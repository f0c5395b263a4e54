import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, HubError } from '../errors.ts'
import type { Generation } from '../protocol/generation.ts'
import type { Environment } from './context.ts'
import type { Authenticator } from './tokens/authenticate.ts'
import { challenge } from './tokens/challenge.ts'

/** A status for both generations, or one for each. */
type Status = ContentfulStatusCode | { readonly [generation in Generation]: ContentfulStatusCode }

/** Every refusal's status. The compiler refuses a code without a row. */
const statusOf: { readonly [code in ErrorCode]: Status } = {
  request_malformed: 400,
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
  matcher_missing: 400,
  matcher_unknown: 400,
  matcher_invalid: 400,
  matcher_too_long: 400,
  matcher_too_complex: 400,
  matchers_too_many: 400,
  subscription_path_invalid: 400,
  token_missing: 401,
  authorization_malformed: { '0.x': 401, '1.0': 400 },
  token_malformed: 401,
  token_algorithm: 401,
  token_signature: 401,
  token_key_unknown: 401,
  token_keys_unreachable: 503,
  token_expired: 401,
  token_not_yet_valid: 401,
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

/** Seconds after which a client may try again what failed for a reason that passes. */
const retryAfterSeconds = '1'

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
  const status = statusFor(error)
  const asked = path.slice(0, maxLoggedPath)
  log.info({ code, status, method, path: asked, reason: message, cause: textOf(cause) }, 'request refused')
  refused(code)
  const challenged =
    status === 400 && code === 'topic_reserved' ? undefined : challenge(error, authenticator.resourceOf(request))
  if (challenged !== undefined) headers['WWW-Authenticate'] = challenged
  if (status === 503) headers['Retry-After'] = retryAfterSeconds
  return c.body(`${code}: ${message}\n`, status, headers)
}

function statusFor({ code, generation = '1.0' }: HubError): ContentfulStatusCode {
  const row = statusOf[code]
  return typeof row === 'number' ? row : row[generation]
}

const textOf = (cause: unknown): string | undefined => (cause instanceof Error ? cause.message : undefined)
