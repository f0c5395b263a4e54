import { Failure, type TlsAdvice, tlsFailure } from '../backend/failure.ts'

/** What an error of Redis, or of the way to it, means. The library's errors hold commands: of those nothing is told. */
export function interpret(error: unknown): Failure {
  if (!(error instanceof Error) || error instanceof Failure) return Failure.of(error)
  const { lastNodeError, code } = error as Error & { lastNodeError?: unknown; code?: unknown }
  if (lastNodeError instanceof Error) return interpret(lastNodeError)
  if (error.name === 'ReplyError') return ofReply(error.message)
  if (/enableOfflineQueue/.test(error.message)) return new Failure('passing', 'there is no connection')
  return tlsFailure(code, tlsAdvice) ?? Failure.of(error)
}

/** The word by which Redis names an error; within a script's it stands somewhere. */
const codes =
  /\b(WRONGPASS|NOAUTH|NOPERM|WRONGTYPE|READONLY|LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|UNBLOCKED|BUSY|MOVED|ASK|CROSSSLOT|OOM|MISCONF|NOREPLICAS)\b/

const passing = new Set(['READONLY', 'LOADING', 'CLUSTERDOWN', 'MASTERDOWN', 'TRYAGAIN', 'UNBLOCKED', 'BUSY', 'ASK'])

function ofReply(message: string): Failure {
  const code = codes.exec(message)?.[1]
  if (code === 'WRONGPASS' || code === 'NOAUTH' || /invalid password|without any password configured/.test(message)) {
    return new Failure(
      'misconfigured',
      `the server refuses user and password (${message}); write redis://user:password@host:6379/stream, with # / ? @ : % percent-encoded in both`,
    )
  }
  if (code === 'NOPERM' || /ACL failure|user executing the script can't/.test(message)) {
    return new Failure(
      'misconfigured',
      `the user lacks a right (${message}); give it the keys ~STREAM and ~{STREAM}:*, and +@read +@write +@scripting +@connection +info +time`,
    )
  }
  if (/DB index is out of range|invalid DB index/.test(message)) {
    return new Failure('misconfigured', 'db: the server has no database of that number')
  }
  if (/unknown command/i.test(message)) {
    return new Failure(
      'misconfigured',
      `the server lacks a command (${withoutArguments(message)}); Redis 6.2 or Valkey is needed`,
    )
  }
  if (code === 'MOVED') {
    return new Failure('misconfigured', 'the server is a node of a cluster; add cluster=1')
  }
  return new Failure(code !== undefined && passing.has(code) ? 'passing' : 'refused', message)
}

/** An unknown command is shown with what it was given: a password, where that command is AUTH. */
const withoutArguments = (message: string): string => message.replace(/,? with args.*/s, '')

const leaveOutTls = 'leave out tls=1 and the second "s" of rediss://'

const tlsAdvice: TlsAdvice = {
  authority: 'name the file of the authority in the variable NODE_EXTRA_CA_CERTS',
  plain: leaveOutTls,
}

export const noTls = (): Failure => new Failure('misconfigured', `the server does not speak TLS there; ${leaveOutTls}`)
export const onlyTls = (): Failure => new Failure('misconfigured', 'the server speaks TLS there; write rediss://')
