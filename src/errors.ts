import type { Generation } from './protocol/generation.ts'

/**
 * Why the hub refuses something: a closed list, stable across releases. The code is what logs, metrics and the
 * answer's body name; `http/problem.ts` holds one status per code and does not compile without it.
 */
export type ErrorCode =
  // the request as a whole
  | 'request_malformed'
  | 'request_timeout'
  | 'head_too_large'
  | 'body_malformed'
  | 'body_too_large'
  | 'misdirected_request'
  | 'not_found'
  | 'method_not_allowed'
  // publishing
  | 'topic_missing'
  | 'topic_invalid'
  | 'topic_reserved'
  | 'topic_wildcard'
  | 'topics_too_many'
  | 'id_invalid'
  | 'type_invalid'
  | 'data_invalid'
  | 'retry_invalid'
  | 'updates_too_many'
  | 'idempotency_key_invalid'
  | 'idempotency_key_reused'
  // subscribing
  | 'matcher_missing'
  | 'matcher_unknown'
  | 'matcher_invalid'
  | 'matcher_too_long'
  | 'matcher_too_complex'
  | 'matchers_too_many'
  | 'subscription_path_invalid'
  | 'list_parameter_invalid'
  // tokens: who asks
  | 'token_missing'
  | 'authorization_malformed'
  | 'token_malformed'
  | 'token_algorithm'
  | 'token_signature'
  | 'token_key_unknown'
  | 'token_keys_unreachable'
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'token_revoked'
  | 'token_type'
  | 'token_issuer'
  | 'token_audience'
  | 'token_claims'
  | 'token_generation'
  | 'origin_missing'
  | 'origin_refused'
  // grants: what they may do
  | 'publish_not_granted'
  | 'topic_not_granted'
  | 'subscribe_not_granted'
  // limits: of a sender, and of the node
  | 'connections_of_ip_too_many'
  | 'connections_of_subject_too_many'
  | 'connections_too_many'
  | 'publishes_of_subject_too_many'
  | 'publishes_too_many'
  // the admin address
  | 'admin_secret_wrong'
  | 'revocations_too_many'
  // the hub itself
  | 'overloaded'
  | 'shutting_down'
  | 'transport_unavailable'
  | 'configuration_invalid'

/**
 * A refusal with a stable code. `message` is for the client and never holds a secret: what is wrong, and how to mend it; `cause` is
 * for the log.
 */
export class HubError extends Error {
  override readonly name = 'HubError'
  readonly code: ErrorCode
  /** The first part of the message: what is wrong. */
  readonly says: string
  /** The second part: what to change, and where. `undefined`: the first part tells. */
  readonly mend: string | undefined
  /** The generation whose statuses apply (a missing grant is 401 in 0.x and 403 in 1.0); `1.0` where nothing tells. */
  readonly generation: Generation | undefined
  /** When it may be tried again, in milliseconds from now; `undefined`: nobody knows, or never. */
  readonly retryAfterMs: number | undefined

  constructor(
    code: ErrorCode,
    says: string,
    options: {
      mend?: string | undefined
      cause?: unknown
      generation?: Generation | undefined
      retryAfterMs?: number | undefined
    } = {},
  ) {
    const { mend, cause } = options
    super(mend === undefined ? says : `${says} ${mend}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.says = says
    this.mend = mend
    this.generation = options.generation
    this.retryAfterMs = options.retryAfterMs
  }
}

/**
 * What a client sent, in a message: as JSON, at most `maxLength` characters of it, and with every control and format character escaped, so
 * that neither a terminal nor a reader takes it for anything else.
 */
export function quote(value: unknown, maxLength = 200): string {
  const text = JSON.stringify(value) ?? 'missing'
  const shown = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  return shown.replace(/[\p{Cc}\p{Cf}]/gu, character => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}
