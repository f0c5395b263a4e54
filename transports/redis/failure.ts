import { Failure, type TlsAdvice, tlsFailure } from '../backend/failure.ts'

/** What an error of Redis, or of the way to it, means. The library's errors hold commands: of those nothing is told. */
export function interpret(error: unknown): Failure {
  if (!(error instanceof Error) || error instanceof Failure) return Failure.of(error)
  const { lastNodeError, code } = error as Error & { lastNodeError?: unknown; code?: unknown }
  if (lastNodeError instanceof Error) return interpret(lastNodeError)
  if (error.name === 'ReplyError') return ofReply(error.message)
  if (error.message.startsWith('All sentinels are unreachable')) return ofSentinels(error.message)
  if (/enableOfflineQueue/.test(error.message)) return new Failure('passing', 'there is no connection')
  return tlsFailure(code, tlsAdvice) ?? Failure.of(error)
}

/** The word by which Redis names an error; within a script's it stands somewhere. */
const codes =
  /\b(WRONGPASS|NOAUTH|NOPERM|WRONGTYPE|READONLY|LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|UNBLOCKED|BUSY|MOVED|ASK|CROSSSLOT|OOM|MISCONF|NOREPLICAS)\b/

const passing = new Set(['READONLY', 'LOADING', 'CLUSTERDOWN', 'MASTERDOWN', 'TRYAGAIN', 'UNBLOCKED', 'BUSY', 'ASK'])

function ofReply(answer: string): Failure {
  const [, message = '', command] = /^(.*?)(?: \(([A-Z]+)\))?$/s.exec(withoutScript(answer)) ?? []
  const code = codes.exec(message)?.[1]
  if (code === 'WRONGPASS' || code === 'NOAUTH' || /invalid password|without any password configured/.test(message)) {
    return new Failure(
      'misconfigured',
      `the server refuses user and password (${message}); write redis://user:password@host:6379/stream, with # / ? @ : % percent-encoded in both`,
    )
  }
  if (code === 'NOPERM' || /ACL failure|user executing the script can't/.test(message)) {
    const what = command === undefined ? message : `it may not run ${command} on all keys of the log`
    return new Failure(
      'misconfigured',
      `the user lacks a right (${what}); give it the keys ~STREAM and ~{STREAM}:*, and +@read +@write +@scripting +@connection +info +time`,
    )
  }
  if (code === 'OOM') {
    return new Failure('refused', `its memory is full (${message}); raise maxmemory, or set max_len_approx`)
  }
  if (/exhausted the last possible ID/.test(message)) {
    return new Failure(
      'misconfigured',
      'the stream can take no more, since somebody has given an entry the largest id there is: remove that with XDEL, and tell the stream the id of its newest entry with XSETID; or name another stream in the path',
    )
  }
  if (/cluster support disabled/.test(message)) {
    return new Failure(
      'misconfigured',
      'cluster: the server is no node of a Redis Cluster; leave out cluster=1, and addr, or set sentinel_master',
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

/** What the library says when no sentinel has led to the server: the last one's error, if that had any. */
function ofSentinels(message: string): Failure {
  const [, last] = /Last error: (.*)$/s.exec(message) ?? []
  if (last === undefined || /No such master/.test(last)) {
    return new Failure('broken', 'the sentinels know no server by the name in sentinel_master')
  }
  if (/unknown command/i.test(last)) {
    return new Failure(
      'misconfigured',
      'sentinel_master: the host is no sentinel; name the sentinels there and in addr (port 26379), or leave out sentinel_master',
    )
  }
  if (/NOAUTH|WRONGPASS|NOPERM|invalid password/.test(last)) {
    return new Failure(
      'misconfigured',
      `the sentinels refuse user and password (${withoutArguments(last)}); set sentinel_user and sentinel_password`,
    )
  }
  return new Failure('broken', `no sentinel can be reached (${withoutArguments(last)})`)
}

/** Where in which script it happened is of no use to an operator. */
const withoutScript = (message: string): string =>
  message
    .replace(/^ERR Error running script \(call to \w+\): /, '')
    .replace(/@user_script: ?\d+: ?-?/g, '')
    .replace(/ script: [\da-f]{40}, on @user_script:\d+\.?/, '')
    .replace(/\.(?= \([A-Z]+\)$|$)/, '')

/** An unknown command is shown with what it was given: a password, where that command is AUTH. */
const withoutArguments = (message: string): string => message.replace(/,? with args.*/s, '')

const leaveOutTls = 'leave out tls=1 and the second "s" of rediss://'

const tlsAdvice: TlsAdvice = {
  authority: 'name the file of the authority in the variable NODE_EXTRA_CA_CERTS',
  plain: leaveOutTls,
}

export const noTls = (): Failure => new Failure('misconfigured', `the server does not speak TLS there; ${leaveOutTls}`)
export const onlyTls = (): Failure => new Failure('misconfigured', 'the server speaks TLS there; write rediss://')
export const nameless = (): Failure =>
  new Failure(
    'misconfigured',
    'cluster: a node does not say at which address it is (CLUSTER SLOTS shows none); set cluster-announce-ip on it',
  )
