import { HubError } from '../../src/errors.ts'

/** A parameter of libpq that is not read: the values that ask for what a hub does anyway, and what to do instead of others. */
interface Parameter {
  readonly taken?: RegExp
  readonly advice: string
}

const noGss = 'GSSAPI is not spoken here; use TLS, and a password or a certificate'
const noOAuth = 'OAuth is not spoken here; use a password or a certificate'
const noKeys = 'give the password, or a certificate'
const noRevocation = 'lists of revoked certificates are not looked at'

const parameters: Readonly<Record<string, Parameter>> = {
  hostaddr: { advice: 'write the address as the host' },
  service: { advice: 'write out what the service file says' },
  servicefile: { advice: 'write out what the service file says' },
  passfile: { advice: 'name the file in the environment variable PGPASSFILE, or set transport_url_file' },
  replication: { taken: /^(false|off|no|0)$/, advice: 'the hub reads tables; leave it out' },
  requirepeer: { advice: 'the owner of a socket is not looked at' },
  tcp_user_timeout: { taken: /^0$/, advice: 'what is not answered in time is given up in any case; leave it out' },
  min_protocol_version: { taken: /^3\.0$/, advice: 'the hub speaks 3.0; leave it out' },
  max_protocol_version: { taken: /^(3\.0|3\.2|latest)$/, advice: 'the hub speaks 3.0; leave it out' },
  sslpassword: { advice: 'use a key without a password, in a file that only the hub can read' },
  sslcrl: { advice: noRevocation },
  sslcrldir: { advice: noRevocation },
  sslcompression: { taken: /^0$/, advice: 'it is insecure, and servers have it no longer; leave it out' },
  sslsni: { taken: /^1$/, advice: 'the name of the host is told to the server; write its address as the host' },
  sslcertmode: { taken: /^allow$/, advice: 'a certificate is shown if sslcert names one and the server asks for it' },
  sslkeylogfile: { advice: "start Node with --tls-keylog=FILE, where all of the hub's keys go" },
  requiressl: { taken: /^0$/, advice: 'use sslmode=require' },
  gssencmode: { taken: /^(disable|prefer)$/, advice: noGss },
  gssdelegation: { taken: /^0$/, advice: noGss },
  krbsrvname: { advice: noGss },
  gsslib: { advice: noGss },
  scram_client_key: { advice: noKeys },
  scram_server_key: { advice: noKeys },
  oauth_issuer: { advice: noOAuth },
  oauth_client_id: { advice: noOAuth },
  oauth_client_secret: { advice: noOAuth },
  oauth_scope: { advice: noOAuth },
}

/** The URL without those parameters of libpq that ask for nothing. @throws HubError `configuration_invalid` for those that ask for more */
export function withoutNeedless(url: URL): URL {
  const rest = new URL(url)
  for (const [name, value] of url.searchParams) {
    const { taken, advice } = (Object.hasOwn(parameters, name) && parameters[name]) || {}
    if (advice === undefined) continue
    if (value !== '' && taken?.test(value) !== true) throw refusal(name, taken, advice)
    rest.searchParams.delete(name)
  }
  return rest
}

function refusal(name: string, taken: RegExp | undefined, advice: string): HubError {
  const what = taken === undefined ? name : `this value of ${name}`
  return new HubError('configuration_invalid', `transport_url, postgres: ${what} is not supported: ${advice}.`)
}
