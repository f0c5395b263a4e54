import { hash } from 'node:crypto'
import { HubError, quote } from '../errors.ts'
import type { PublishKey } from '../hub/hub.ts'
import type { Grant } from '../protocol/grant.ts'
import type { UpdateFields } from '../protocol/update.ts'
import type { HubRequest } from './request.ts'

/** The header by which a publisher repeats a request safely (draft-ietf-httpapi-idempotency-key-header). */
const header = 'idempotency-key'

/** Sent with the answer to a request that repeats one, and has stored nothing. */
export const replayedHeaders = { 'Idempotency-Replayed': 'true' }

const rememberMs = 5 * 60_000

/** A string of structured fields (RFC 9651, section 3.3.3), or, as many send it, the text alone; of visible characters. */
const quoted = /^"((?:[!#-[\]-~]|\\["\\]){1,255})"$/
const bare = /^[!#-+\--:<-[\]-~]{1,255}$/

/** The key that a request brings; `undefined`: none. @throws HubError `idempotency_key_invalid` */
export function readIdempotencyKey(request: HubRequest): string | undefined {
  const values = request.header(header)
  const [value] = values
  if (value === undefined) return undefined
  if (values.length > 1) throw invalid(`the request has ${values.length} of these headers`)
  const text = quoted.exec(value)?.[1]?.replace(/\\(.)/g, '$1') ?? bare.exec(value)?.[0]
  if (text === undefined) throw invalid(`${quote(value, 80)} is no key`)
  return text
}

/**
 * What a publisher's key means for an update as it was sent. Keys of different subjects, issuers and generations are different ones; tokens of
 * an issuer that have no subject share theirs. Only hashes leave the hub.
 */
export function createPublishKey(
  text: string,
  fields: UpdateFields,
  { generation, issuer, subject }: Grant,
): PublishKey {
  const { topics, data, id, type, retry, private: isPrivate } = fields
  return {
    text: digest([generation, issuer ?? null, subject ?? null, text]),
    fingerprint: digest([topics, data, id, type, retry, isPrivate]),
    rememberMs,
  }
}

const digest = (parts: readonly unknown[]): string => hash('sha256', JSON.stringify(parts), 'base64url')

const invalid = (rule: string): HubError =>
  new HubError('idempotency_key_invalid', `Idempotency-Key: ${rule}.`, {
    mend: 'Send 1 to 255 visible ASCII characters in quotation marks, "8e03978e-40d5-43dd-bc93-6894a57f9324", a " or \\ among them after a \\.',
  })
