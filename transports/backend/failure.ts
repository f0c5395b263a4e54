import { HubError } from '../../src/errors.ts'

/**
 * What a failure means for what was asked:
 * - `misconfigured`: it fails until an operator mends the configuration or the rights;
 * - `passing`: the backend answered that it cannot do that now, or was not asked; nothing was done;
 * - `refused`: it answered that it does not do that; nothing was done;
 * - `broken`: no answer came; it may have been done.
 */
export type Meaning = 'misconfigured' | 'passing' | 'refused' | 'broken'

/** An error of a backend or of the way to it. The message is for operators: a clause, without secrets. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly meaning: Meaning
  /** What the backend calls this error. */
  readonly code: string | undefined

  constructor(meaning: Meaning, message: string, code?: string) {
    super(message)
    this.meaning = meaning
    this.code = code
  }

  /** An error that no transport has interpreted is one of the way: nobody knows what was done. */
  static of(error: unknown): Failure {
    if (error instanceof Failure) return error
    if (error instanceof HubError) {
      return new Failure(error.code === 'configuration_invalid' ? 'misconfigured' : 'broken', error.message, error.code)
    }
    if (!(error instanceof Error)) return new Failure('broken', String(error))
    const { code, errors } = error as Error & { code?: unknown; errors?: unknown }
    // A name with several addresses, none of which answers.
    if (Array.isArray(errors) && errors.length > 0) return Failure.of(errors[0])
    const name = typeof code === 'string' ? code : undefined
    return new Failure('broken', error.message === '' ? String(code) : error.message.replace(/\.$/, ''), name)
  }
}

/** What the operator can do about TLS, in the transport's own options. */
export interface TlsAdvice {
  /** How to name an authority. */
  readonly authority: string
  /** What else is to be said of a certificate for another host. */
  readonly otherHost?: string
  /** For a server that does not speak TLS. */
  readonly plain?: string
}

/** What Node's code says of a TLS connection that was not made; `undefined`: nothing. */
export function tlsFailure(code: unknown, { authority, otherHost, plain }: TlsAdvice): Failure | undefined {
  if (typeof code !== 'string') return undefined
  const failure = (rule: string) => new Failure('misconfigured', `no TLS connection (${code}): ${rule}`, code)
  if (untrusted.has(code)) return failure(`its certificate is signed by nobody known here; ${authority}`)
  if (code === 'CERT_HAS_EXPIRED') return failure('its certificate has expired')
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return failure(`its certificate is for another host${otherHost === undefined ? '' : `; ${otherHost}`}`)
  }
  if (plain !== undefined && notTls.has(code)) return failure(`the server does not speak TLS there; ${plain}`)
  return undefined
}

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
])

const notTls = new Set(['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'])
