import { readOptions } from '../../src/config/dsn.ts'
import { HubError, quote } from '../../src/errors.ts'
import { type Authentication, methods } from './authentication.ts'
import type { LogBounds } from './bounds.ts'
import { withoutNeedless } from './parameters.ts'
import { readTls, type TlsSettings, tlsOptions } from './tls.ts'

/** A server; what is absent is as the environment or PostgreSQL has it by default. */
export interface Address {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host?: string
  readonly port?: number
}

export interface KeepAlive {
  /** The silence before the first question, and the time between two, in milliseconds. */
  readonly idleMs: number
  readonly intervalMs: number
  /** Questions without an answer after which the connection is over. */
  readonly count: number
}

/** What `transport_url` says of a PostgreSQL and of the log in it. */
export interface Location {
  /** The log is on the first of them that can be written. */
  readonly addresses: readonly Address[]
  readonly isShuffled: boolean
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly tls: TlsSettings
  readonly authentication: Authentication
  readonly connectTimeoutMs: number
  /** When the system asks whether the other side is still there; `undefined`: never. */
  readonly keepAlive: KeepAlive | undefined
  readonly applicationName: string
  /** Settings of the server's, as its command line has them. */
  readonly settings: string | undefined
  /** Where the log's tables are; `undefined`: where the role's tables are by default. */
  readonly schema: string | undefined
  /** How the names of its tables and functions begin. */
  readonly prefix: string
  readonly bounds: LogBounds
}

/** The parameters of libpq that are taken, and those of the log. */
const kinds = {
  ...tlsOptions,
  host: 'list',
  port: 'list',
  dbname: 'text',
  user: 'text',
  password: 'text',
  connect_timeout: 'count',
  application_name: 'text',
  options: 'text',
  keepalives: 'flag',
  keepalives_idle: 'count',
  keepalives_interval: 'count',
  keepalives_count: 'count',
  fallback_application_name: 'text',
  require_auth: 'text',
  client_encoding: 'text',
  channel_binding: 'text',
  target_session_attrs: 'text',
  load_balance_hosts: 'text',
  size: 'count',
  max_age: 'duration',
  schema: 'text',
  prefix: 'text',
} as const

/** @throws HubError `configuration_invalid` */
export function readLocation(url: URL): Location {
  const options = readOptions(withoutNeedless(url), kinds)
  const { connect_timeout: timeout = 0, client_encoding: encoding = 'utf8', prefix = 'mercure' } = options
  if (!/^(utf-?8|unicode|auto)$/i.test(encoding)) throw invalid('client_encoding can only be UTF8')
  if (!/^[a-z_][a-z\d_]{0,39}$/.test(prefix)) {
    throw invalid(`prefix: ${quote(prefix)} is not of small letters, digits and "_", 40 at most`)
  }
  if (Buffer.byteLength(options.schema ?? '') > 63) throw invalid('schema: a name has 63 bytes at most')
  return {
    addresses: readAddresses(url, options),
    isShuffled: readChoice('load_balance_hosts', options.load_balance_hosts, ['disable', 'random']) === 'random',
    user: options.user ?? decode(url.username, 'the user'),
    password: options.password ?? decode(url.password, 'the password'),
    database: options.dbname ?? decode(url.pathname.slice(1), 'the database'),
    tls: readTls(options),
    authentication: readAuthentication(options),
    connectTimeoutMs: timeout === 0 ? 5000 : timeout * 1000,
    keepAlive: options.keepalives === false ? undefined : readKeepAlive(options),
    applicationName: options.application_name ?? options.fallback_application_name ?? 'talaria',
    settings: options.options,
    schema: options.schema,
    prefix,
    bounds: { entries: options.size ?? 0, ageMs: options.max_age ?? 0 },
  }
}

function readAddresses(
  url: URL,
  options: { readonly [name in 'host' | 'port']?: readonly string[] } & { readonly target_session_attrs?: string },
): readonly Address[] {
  const target = options.target_session_attrs
  if (target !== undefined && !['any', 'read-write', 'primary'].includes(target)) {
    throw invalid(`target_session_attrs: the hub writes its log; any, read-write and primary mean the same to it`)
  }
  const hosts = options.host ?? decode(url.hostname, 'the host')?.split(',') ?? []
  const ports = options.port ?? (url.port === '' ? [] : [url.port])
  if (ports.length > 1 && ports.length !== Math.max(1, hosts.length)) {
    throw invalid(`${ports.length} ports are given for ${hosts.length} hosts; give one port, or one for each`)
  }
  for (const port of ports) if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw invalid('port is no port')
  const places = hosts.length === 0 ? [undefined] : hosts
  return places.map((host, i) => {
    const port = ports[i] ?? ports[0]
    return {
      ...(host === undefined ? {} : { host: host.replace(/^\[(.*)\]$/, '$1') }),
      ...(port === undefined ? {} : { port: Number(port) }),
    }
  })
}

/** 0 means the default, which is the hub's. */
function readKeepAlive(
  options: {
    readonly [name in 'keepalives_idle' | 'keepalives_interval' | 'keepalives_count']?: number
  },
): KeepAlive {
  const { keepalives_idle: idle, keepalives_interval: interval, keepalives_count: count } = options
  return { idleMs: (idle || 10) * 1000, intervalMs: (interval || 1) * 1000, count: count || 10 }
}

function readAuthentication(
  options: {
    readonly [name in 'channel_binding' | 'require_auth' | 'sslmode']?: string
  },
): Authentication {
  const channelBinding = readChoice('channel_binding', options.channel_binding, ['prefer', 'disable', 'require'])
  if (channelBinding === 'require' && options.sslmode === 'disable') {
    throw invalid('channel_binding=require needs TLS, and sslmode is disable')
  }
  const names = (options.require_auth ?? '').split(',').filter(name => name !== '')
  const chosen = names.map(name => name.replace(/^!/, '').trim())
  const unknown = chosen.find(name => ![...methods, 'gss', 'sspi', 'oauth'].includes(name))
  if (unknown !== undefined) throw invalid(`require_auth: ${quote(unknown)} is none of ${methods.join(', ')}`)
  const isNegative = names.some(name => name.startsWith('!'))
  if (isNegative && !names.every(name => name.startsWith('!'))) {
    throw invalid('require_auth: either all of its methods begin with "!" or none does')
  }
  const allowed = methods.filter(method => names.length === 0 || chosen.includes(method) !== isNegative)
  if (allowed.length === 0) throw invalid(`require_auth: of ${methods.join(', ')} none is left`)
  return { channelBinding, allowed }
}

export function readChoice<Choice extends string>(
  name: string,
  value: string | undefined,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const choice = value === undefined ? choices[0] : choices.find(one => one === value)
  if (choice === undefined) throw invalid(`${name}: ${quote(value)} is none of ${choices.join(', ')}`)
  return choice
}

function decode(text: string, what: string): string | undefined {
  if (text === '') return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(`${what} has a "%" that begins no escape; write it as %25`)
  }
}

const invalid = (rule: string): HubError => new HubError('configuration_invalid', `transport_url, postgres: ${rule}.`)
