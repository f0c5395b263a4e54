/**
 * What a failure means for what was asked:
 * - `misconfigured`: it fails until an operator mends the configuration or the rights;
 * - `passing`: the server answered that it cannot do that now, or was not asked; nothing was done;
 * - `refused`: it answered that it does not do that; nothing was done;
 * - `broken`: no answer came; it may have been done.
 */
export type Meaning = 'misconfigured' | 'passing' | 'refused' | 'broken'

/** An error of Redis or of the way to it. The message is for operators: a clause, without secrets (the library's errors hold commands). */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly meaning: Meaning

  constructor(meaning: Meaning, message: string) {
    super(message)
    this.meaning = meaning
  }

  static of(error: unknown): Failure {
    if (error instanceof Failure) return error
    if (!(error instanceof Error)) return new Failure('broken', String(error))
    const { lastNodeError, code } = error as Error & { lastNodeError?: unknown; code?: unknown }
    if (lastNodeError instanceof Error) return Failure.of(lastNodeError)
    if (error.name === 'ReplyError') return ofReply(error.message)
    if (typeof code === 'string' && code in tlsAdvice) {
      return new Failure('misconfigured', `no TLS connection (${code}): ${tlsAdvice[code]}`)
    }
    if (/enableOfflineQueue/.test(error.message)) return new Failure('passing', 'there is no connection')
    return new Failure('broken', error.message === '' ? String(code) : error.message)
  }
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

const untrusted =
  'its certificate is signed by nobody known here; name the file of the authority in the variable NODE_EXTRA_CA_CERTS'
const plain = 'the server does not speak TLS there; leave out tls=1 and the second "s" of rediss://'

const tlsAdvice: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  EPROTO: plain,
  ERR_SSL_WRONG_VERSION_NUMBER: plain,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: plain,
}
