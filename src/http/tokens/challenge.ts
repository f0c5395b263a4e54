import type { ErrorCode, HubError } from '../../errors.ts'
import { metadataUrl } from './metadata.ts'

/** RFC 6750, section 3.1; a request without any token is only told what is expected. */
type BearerError = 'invalid_request' | 'invalid_token' | 'insufficient_scope' | 'none'

/** The refusals that a token could mend. The others, such as keys that cannot be reached, are answered without a challenge. */
const errorOf: { readonly [code in ErrorCode]?: BearerError } = {
  token_missing: 'none',
  authorization_malformed: 'invalid_request',
  origin_missing: 'invalid_request',
  origin_refused: 'invalid_request',
  token_malformed: 'invalid_token',
  token_algorithm: 'invalid_token',
  token_signature: 'invalid_token',
  token_key_unknown: 'invalid_token',
  token_expired: 'invalid_token',
  token_revoked: 'invalid_token',
  token_not_yet_valid: 'invalid_token',
  token_type: 'invalid_token',
  token_issuer: 'invalid_token',
  token_audience: 'invalid_token',
  token_claims: 'invalid_token',
  token_generation: 'invalid_token',
  publish_not_granted: 'insufficient_scope',
  topic_not_granted: 'insufficient_scope',
  subscribe_not_granted: 'insufficient_scope',
  topic_reserved: 'insufficient_scope',
}

const maxDescriptionLength = 300

/**
 * The `WWW-Authenticate` that belongs to a refusal, in the terms of its generation: 1.0 points to the metadata of the resource.
 * `undefined`: the refusal is not about tokens.
 */
export function challenge(error: HubError, resource: string): string | undefined {
  const kind = errorOf[error.code]
  if (kind === undefined) return undefined
  const metadata = metadataUrl(resource)
  const parameters: string[] = []
  if (error.generation === '0.x') parameters.push('realm="mercure"')
  if (kind !== 'none') parameters.push(`error="${kind}"`, `error_description="${describe(error.message)}"`)
  if (error.generation !== '0.x' && metadata !== undefined) parameters.push(`resource_metadata="${metadata}"`)
  return parameters.length === 0 ? 'Bearer' : `Bearer ${parameters.join(', ')}`
}

/** The characters of an `error_description` (RFC 6750, section 3): printable ASCII without quotes and backslashes. */
const describe = (message: string): string =>
  message
    .slice(0, maxDescriptionLength)
    .replaceAll('"', "'")
    .replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?')
