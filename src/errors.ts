import type { Generation } from './protocol/generation.ts'

/**
 * Why the hub refuses something: a closed list, stable across releases. The code is what logs, metrics and the
 * answer's body name; `http/problem.ts` holds one status per code and does not compile without it.
 */
export type ErrorCode =
  // the request as a whole
  | 'request_malformed'
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
  // subscribing
  | 'matcher_missing'
  | 'matcher_unknown'
  | 'matcher_invalid'
  | 'matcher_too_long'
  | 'matcher_too_complex'
  | 'matchers_too_many'
  | 'subscription_path_invalid'
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
  // the hub itself
  | 'overloaded'
  | 'shutting_down'
  | 'transport_unavailable'
  | 'configuration_invalid'

/** A refusal with a stable code. `message` is for the client and never holds a secret; `cause` is for the log. */
export class HubError extends Error {
  override readonly name = 'HubError'
  readonly code: ErrorCode
  /** The generation whose statuses apply (a missing grant is 401 in 0.x and 403 in 1.0); `1.0` where nothing tells. */
  readonly generation: Generation | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; generation?: Generation | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.generation = options.generation
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
