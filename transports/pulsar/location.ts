import { readOptions } from '../../src/config/dsn.ts'
import type { HubError } from '../../src/errors.ts'
import { misconfigured } from '../backend/refusals.ts'
import type { Topic } from './client.ts'

export const pulsar = { name: 'Pulsar', scheme: 'pulsar' }

export interface Address {
  readonly host: string
  readonly port: number
}

/** What `transport_url` says of a Pulsar and of the topic in it. */
export interface Location {
  /** By the WebSocket API; else by the native client. */
  readonly isWebSocket: boolean
  readonly tls: boolean
  /** Of brokers or proxies, any of which will do. */
  readonly addresses: readonly Address[]
  readonly topic: Topic
  /** What this hub's readers are called in Pulsar's statistics. */
  readonly readerName: string | undefined
  readonly token: string | undefined
  /** Where the admin API is; `undefined`: nowhere. */
  readonly adminUrl: URL | undefined
  /** The file of the authority that has signed the certificates, for TLS. */
  readonly tlsCaFile: string | undefined
  readonly bounds: LogBounds
  /** Updates of which the ids are kept in mind. */
  readonly ids: number
}

/** What the log keeps; `undefined`: as the topic does. */
export interface LogBounds {
  /** Updates that clients can go back to, at least; 0: all there are. */
  readonly entries: number
  readonly ageMs: number | undefined
  readonly bytes: number | undefined
}

/** The topic in which the nodes of a log tell each other what is not for the log. Nothing of it is stored. */
export const messageTopic = (topic: Topic): Topic => ({ ...topic, kind: 'non-persistent', name: `${topic.name}-nodes` })

const defaultIds = 1_000_000

const defaultPorts: Readonly<Record<string, number>> = {
  'pulsar:': 6650,
  'pulsar+ssl:': 6651,
  'pulsar+ws:': 8080,
  'pulsar+wss:': 8443,
}

/** @throws HubError `configuration_invalid` */
export function readLocation(url: URL): Location {
  const options = readOptions(url, {
    addr: 'list',
    topic: 'text',
    subscription_name: 'text',
    token: 'text',
    admin_url: 'text',
    tls_ca_file: 'text',
    size: 'count',
    size_bytes: 'size',
    max_age: 'duration',
    ids: 'count',
  })
  const { ids = defaultIds } = options
  if (ids > 10_000_000) throw invalid('ids: 10000000 at most, which take 360 MB')
  const isWebSocket = url.protocol.startsWith('pulsar+ws')
  const tls = url.protocol === 'pulsar+ssl:' || url.protocol === 'pulsar+wss:'
  const addresses = readAddresses(url, options.addr)
  if (options.tls_ca_file !== undefined && !tls) throw invalid('tls_ca_file needs pulsar+ssl:// or pulsar+wss://')
  return {
    isWebSocket,
    tls,
    addresses,
    topic: readTopic(url, options.topic),
    readerName: options.subscription_name,
    token: readToken(url, options.token),
    adminUrl: readAdminUrl(options.admin_url, isWebSocket ? { tls, address: addresses[0]! } : undefined),
    tlsCaFile: options.tls_ca_file,
    bounds: { entries: options.size ?? 0, ageMs: options.max_age, bytes: options.size_bytes },
    ids,
  }
}

function readAddresses(url: URL, addr: readonly string[] = []): Address[] {
  if (url.hostname === '') throw invalid(`the host is missing; write ${url.protocol}//host?topic=mercure`)
  const byDefault = defaultPorts[url.protocol]!
  const host = decode(url.hostname, 'the host').replace(/^\[(.*)\]$/, '$1')
  const first = { host, port: url.port === '' ? byDefault : Number(url.port) }
  return [first, ...addr.map(address => readAddress(address, byDefault))]
}

function readAddress(text: string, byDefault: number): Address {
  const [, host, port] = /^(\[[\da-f:.]+\]|[^\s:/@[\]]+)(?::(\d{1,5}))?$/i.exec(text) ?? []
  if (host === undefined || Number(port ?? 1) > 65_535) throw invalid('addr is not host:port')
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: port === undefined ? byDefault : Number(port) }
}

/** `mercure` is short for `persistent://public/default/mercure`. */
function readTopic(url: URL, option: string | undefined): Topic {
  const path = decode(url.pathname.replace(/^\//, ''), 'the topic')
  if (option !== undefined && path !== '') throw invalid('topic and the path both name a topic; name one')
  const text = option ?? path
  if (text === '') throw invalid('the topic is missing; add topic=mercure')
  if (text.startsWith('non-persistent:')) throw invalid('topic: one that is not persistent keeps nothing')
  const parts = text.replace(/^persistent:\/\//, '').split('/')
  const [name, namespace = 'default', tenant = 'public'] = parts.toReversed()
  const isWhole = parts.length === 1 || parts.length === 3
  if (!isWhole || parts.some(part => !/^[\w.=:-]{1,200}$/.test(part))) {
    throw invalid(
      'topic: write a name, or tenant/namespace/name, of letters, digits, "_", "-", "=", ":" and "."; persistent:// may be in front',
    )
  }
  if (/-partition-\d+$/.test(name!))
    throw invalid('topic: this names one partition of a topic; name a topic that has none')
  return { kind: 'persistent', tenant, namespace, name: name! }
}

function readToken(url: URL, option: string | undefined): string | undefined {
  const user = decode(url.username, 'the user')
  const password = decode(url.password, 'the password')
  if (user !== '' && (password === '' || user !== 'token')) {
    throw invalid('Pulsar knows tokens, no users here: write token=… as an option, or :TOKEN@ in front of the host')
  }
  if (option !== undefined && password !== '') throw invalid('there are two tokens, one before the host; give one')
  const token = option ?? password
  if (token === '') return undefined
  // A header of HTTP has it.
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalid('token: a token has neither spaces nor characters beyond ASCII')
  return token
}

function readAdminUrl(
  option: string | undefined,
  web: { tls: boolean; address: Address } | undefined,
): URL | undefined {
  if (option === undefined) {
    if (web === undefined) return undefined
    const { host, port } = web.address
    return new URL(`http${web.tls ? 's' : ''}://${host.includes(':') ? `[${host}]` : host}:${port}`)
  }
  const url = URL.canParse(option) ? new URL(option) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw invalid('admin_url: write http://host:8080 or https://host:8443')
  }
  return url
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(`${what} has a "%" that begins no escape; write it as %25`)
  }
}

const invalid = (rule: string): HubError => misconfigured(pulsar, rule)
