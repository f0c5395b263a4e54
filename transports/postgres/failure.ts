import { Failure, type TlsAdvice, tlsFailure } from '../backend/failure.ts'

/** What an error of PostgreSQL, or of the way to it, means. Of an answer, the failure's code is the SQLSTATE. */
export function interpret(error: unknown): Failure {
  if (!(error instanceof Error) || error instanceof Failure) return Failure.of(error)
  const { code, severity } = error as Error & { code?: unknown; severity?: unknown }
  if (typeof code === 'string' && typeof severity === 'string') return ofAnswer(code, severity, error.message)
  if (error.message === 'timeout expired') return new Failure('broken', 'the server has not answered in time')
  if (/does not support SSL/.test(error.message)) return new Failure('misconfigured', noTls)
  return tlsFailure(code, tlsAdvice) ?? Failure.of(error)
}

/** Statements are prepared for a session, which is not one where its transactions go to any server connection. */
const pooled =
  'a pooler in transaction mode, such as PgBouncer, stands between; connect to the server itself, or in session mode'

/** The codes of appendix A of PostgreSQL's manual that an operator can do something about. */
const advice: Readonly<Record<string, string>> = {
  '28P01': 'write postgres://user:password@host:5432/database, with # / ? @ : % percent-encoded in both',
  '28000': 'see to user, password, sslmode, and the pg_hba.conf of the server',
  '3D000': 'create the database, or name another one in the path',
  '26000': pooled,
  '42P05': pooled,
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

const noTls =
  'the server does not support SSL, which is TLS; set "ssl = on" there, or sslmode=disable here if nobody can listen on the way'

const tlsAdvice: TlsAdvice = {
  authority: 'name the file of the authority in the option sslrootcert',
  otherHost: 'sslmode=verify-ca does not look at that',
}
