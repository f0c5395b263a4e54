/** What a connection failed of, in a few words that are the same for the same reason. `remedy`: what helps with a certificate. */
export function describeFailure(error: Error | undefined, url: URL, remedy: string): string {
  if (error === undefined) return 'the hub closed the connection'
  const { code = '' } = error as NodeJS.ErrnoException
  if (code === 'EMFILE') return 'too many open files: raise the limit with ulimit -n'
  if (code === 'EADDRNOTAVAIL') return 'no local port is left'
  const flaw = flawsOfCertificates[code]
  if (flaw !== undefined) return `the certificate is not accepted: ${flaw}; ${remedy}`
  const reason = opensslReason.exec(error.message)?.[1]
  if (reason !== undefined && answersWithoutTls.has(reason)) {
    return `the server does not speak TLS there; try http://${url.host}`
  }
  if (reason !== undefined) return `TLS failed: ${reason}`
  return error instanceof AggregateError || error.message === '' ? code || 'unknown' : error.message
}

/** Its messages, which Node hands on with one code or another: `ID:error:NUMBER:SSL routines:FUNCTION:REASON:FILE:LINE:…`. */
const opensslReason = /:SSL routines:[^:]*:([^:]*):/

/** What it calls an answer that is no TLS, by its first bytes. */
const answersWithoutTls: ReadonlySet<string> = new Set([
  'wrong version number',
  'packet length too long',
  'unexpected message',
])

const unknownIssuer = 'nobody trusted here has issued it'
const flawsOfCertificates: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: unknownIssuer,
  UNABLE_TO_GET_ISSUER_CERT: unknownIssuer,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownIssuer,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownIssuer,
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'it is for another host',
}
