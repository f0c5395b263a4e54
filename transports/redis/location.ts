import { readOptions } from '../../src/config/dsn.ts'
import { HubError } from '../../src/errors.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** What `transport_url` says of a Redis and of the stream in it. */
export interface Location {
  /** The server; the first nodes of a cluster, which know the others; or the sentinels. */
  readonly addresses: readonly Address[]
  readonly stream: string
  readonly tls: boolean
  readonly user: string | undefined
  readonly password: string | undefined
  /** The number of the database; a cluster has but 0. */
  readonly database: number
  readonly isCluster: boolean
  readonly sentinel: Sentinel | undefined
  /** Updates that the stream keeps, at least; 0: all. */
  readonly maxLength: number
  /** Replicas that must have an update before its publisher is answered. */
  readonly replicas: number
}

export interface Sentinel {
  /** What the sentinels call the server that they watch. */
  readonly master: string
  readonly user: string | undefined
  readonly password: string | undefined
}

const defaultPort = 6379
const defaultSentinelPort = 26379

/** @throws HubError `configuration_invalid` */
export function readLocation(url: URL): Location {
  const options = readOptions(url, {
    tls: 'flag',
    max_len_approx: 'count',
    db: 'count',
    addr: 'list',
    cluster: 'flag',
    sentinel_master: 'text',
    sentinel_user: 'text',
    sentinel_password: 'text',
    wait_replicas: 'count',
  })
  const { addr = [], sentinel_master: master, db: database = 0, wait_replicas: replicas = 0 } = options
  const isCluster = options.cluster ?? (addr.length > 0 && master === undefined)
  if (master === undefined && (options.sentinel_user !== undefined || options.sentinel_password !== undefined)) {
    throw invalid('sentinel_user and sentinel_password need sentinel_master, the name of the server that is watched')
  }
  if (isCluster && master !== undefined) {
    throw invalid('cluster and sentinel_master exclude each other: a cluster has no sentinels')
  }
  if (isCluster && database !== 0) throw invalid('db: a cluster has but the database 0')
  if (isCluster && replicas !== 0) throw invalid('wait_replicas: a cluster cannot be asked for that')
  if (!isCluster && master === undefined && addr.length > 0) {
    throw invalid('addr names further nodes of a cluster, or sentinels: set cluster=1 or sentinel_master')
  }
  const port = master === undefined ? defaultPort : defaultSentinelPort
  return {
    addresses: [readHost(url, port), ...addr.map(address => readAddress(address, port))],
    stream: readStream(url),
    tls: options.tls ?? url.protocol === 'rediss:',
    user: url.username === '' ? undefined : decode(url.username, 'the user'),
    password: url.password === '' ? undefined : decode(url.password, 'the password'),
    database,
    isCluster,
    sentinel:
      master === undefined ? undefined : { master, user: options.sentinel_user, password: options.sentinel_password },
    maxLength: options.max_len_approx ?? 0,
    replicas,
  }
}

function readHost(url: URL, byDefault: number): Address {
  if (url.hostname === '') throw invalid('the host is missing; write redis://host:6379/stream')
  return { host: unbracket(decode(url.hostname, 'the host')), port: url.port === '' ? byDefault : Number(url.port) }
}

function readAddress(text: string, byDefault: number): Address {
  const [, host, port] = /^(\[[\da-f:.]+\]|[^\s:/@[\]]+)(?::(\d{1,5}))?$/i.exec(text) ?? []
  if (host === undefined || Number(port ?? 1) > 65_535) throw invalid('addr is not host:port')
  return { host: unbracket(host), port: port === undefined ? byDefault : Number(port) }
}

const unbracket = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')

/** The path is a key, whatever it has; but a number there is the database for every other program. */
function readStream({ pathname }: URL): string {
  const stream = decode(pathname.slice(1), 'the stream')
  if (stream === '') throw invalid('the name of the stream is missing; write redis://host:6379/mercure')
  if (/^\d+$/.test(stream)) {
    throw invalid(
      `the path names a stream, and "${stream.slice(0, 20)}" looks like the number of a database; write redis://host:6379/mercure?db=${stream.slice(0, 20)}`,
    )
  }
  if (/[{}]/.test(stream) && !/^[^{}]*\{[^{}]+\}[^{}]*$/.test(stream)) {
    throw invalid(
      '"{" and "}" in the name of a stream mark the part by which a cluster places it: once, around something',
    )
  }
  return stream
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(`${what} has a "%" that begins no escape; write it as %25`)
  }
}

const invalid = (rule: string): HubError => new HubError('configuration_invalid', `transport_url, redis: ${rule}.`)
