/**
 * What a failure means for what was asked:
 * - `misconfigured`: it fails until an operator mends the configuration or the rights;
 * - `passing`: the server answered that it cannot do that now; nothing was done;
 * - `refused`: it answered that it does not do that; nothing was done;
 * - `broken`: no answer came; it may have been done.
 */
export type Meaning = 'misconfigured' | 'passing' | 'refused' | 'broken'

/** An error of PostgreSQL or of the way to it. The message is for operators: a clause, without secrets. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly meaning: Meaning
  /** Of what PostgreSQL answered, the code (SQLSTATE). */
  readonly code: string | undefined

  constructor(meaning: Meaning, message: string, code?: string) {
    super(message)
    this.meaning = meaning
    this.code = code
  }

  static of(error: unknown): Failure {
    if (error instanceof Failure) return error
    if (!(error instanceof Error)) return new Failure('broken', String(error))
    const { code, severity, errors } = error as Error & { code?: unknown; severity?: unknown; errors?: unknown }
    // A name with several addresses, none of which answers.
    if (Array.isArray(errors) && errors.length > 0) return Failure.of(errors[0])
    if (typeof code !== 'string') return new Failure('broken', error.message)
    if (typeof severity === 'string') return ofAnswer(code, severity, error.message)
    if (code in tlsAdvice) return new Failure('misconfigured', `no TLS connection (${code}): ${tlsAdvice[code]}`, code)
    return new Failure('broken', error.message === '' ? code : error.message)
  }
}

/** The codes of appendix A of PostgreSQL's manual that an operator can do something about. */
const advice: Readonly<Record<string, string>> = {
  '28P01': 'write postgres://user:password@host:5432/database, with # / ? @ : % percent-encoded in both',
  '28000': 'see to user, password, sslmode, and the pg_hba.conf of the server',
  '3D000': 'create the database, or name another one in the path',
  '42501': 'let the role own the schema that the option schema names, or grant it what it lacks',
}

/** Of what cannot be done now, and may be a moment later. */
const passing = new Set([
  '25006', // a server that has become a standby
  '40001', // serialization failure
  '40P01', // deadlock
  '3F000', // no such schema: it was dropped, and is made again with the next connection
  '42P01', // no such table: the same
  '42883', // no such function: the same
  '55P03', // a lock was not to be had in time
  '0A000', // a prepared statement that was overtaken by a change of the table
])

function ofAnswer(code: string, severity: string, message: string): Failure {
  const text = `${message} (${code})`
  if (advice[code] !== undefined) return new Failure('misconfigured', `${text}: ${advice[code]}`, code)
  // The connection ends with it, perhaps after the commit.
  if (severity !== 'ERROR') return new Failure('broken', text, code)
  return new Failure(passing.has(code) ? 'passing' : 'refused', text, code)
}

const untrusted =
  'its certificate is signed by nobody known here; name the file of the authority in the option sslrootcert'

const tlsAdvice: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host; sslmode=verify-ca does not look at that',
}
