import { readOptions } from '../../src/config/dsn.ts'
import { type HubError, quote } from '../../src/errors.ts'
import { misconfigured } from '../backend/refusals.ts'

export const kafka = { name: 'Kafka', scheme: 'kafka' }

export interface Address {
  readonly host: string
  readonly port: number
}

/** What `transport_url` says of a Kafka and of the topic in it. */
export interface Location {
  /** Brokers of which one that answers knows the others. */
  readonly addresses: readonly Address[]
  readonly topic: string
  /** The group in whose name this node says how far it has read; `undefined`: it tells nobody. */
  readonly group: string | undefined
  readonly tls: boolean
  readonly credentials: Credentials | undefined
  /** A topic of several partitions will do: the log is its first one. */
  readonly anyPartitions: boolean
  readonly bounds: LogBounds
  /** How a topic that is not there is made; -1: as the brokers do by default. */
  readonly replication: number
  /** Updates of which the ids are kept in mind. */
  readonly ids: number
}

export interface Credentials {
  readonly mechanism: Mechanism
  readonly user: string
  readonly password: string
}

/** What a topic that the hub makes keeps; `undefined`: as the brokers do by default. */
export interface LogBounds {
  /** Updates; 0: any number. */
  readonly entries: number
  readonly ageMs: number | undefined
  readonly bytes: number | undefined
}

const mechanisms = { plain: 'PLAIN', 'scram-sha-256': 'SCRAM-SHA-256', 'scram-sha-512': 'SCRAM-SHA-512' } as const
export type Mechanism = (typeof mechanisms)[keyof typeof mechanisms]

const defaultPort = 9092
const byDefault = -1
const defaultIds = 1_000_000

/** The topic in which the nodes of a log tell each other what is not for the log. */
const messageSuffix = '.presence'
export const messageTopic = (topic: string): string => topic + messageSuffix

/** @throws HubError `configuration_invalid` */
export function readLocation(url: URL): Location {
  const options = readOptions(url, {
    addr: 'list',
    topic: 'text',
    consumer_group: 'text',
    user: 'text',
    password: 'text',
    mechanism: 'text',
    tls: 'flag',
    partitions: 'text',
    replication: 'count',
    size: 'count',
    size_bytes: 'size',
    max_age: 'duration',
    ids: 'count',
  })
  const { replication = byDefault, partitions, ids = defaultIds } = options
  if (partitions !== undefined && partitions !== 'any' && partitions !== '1') {
    throw invalid(`partitions: ${quote(partitions)} is not "any"; a log has one order, so that it is in one partition`)
  }
  if (replication === 0)
    throw invalid('replication: 1 at least; leave it out for as many as the brokers have by default')
  if (replication > 32_767) throw invalid('replication: there are no so many brokers')
  if (ids > 5_000_000) throw invalid('ids: 5000000 at most, which take 100 MB')
  return {
    addresses: readAddresses(url, options.addr),
    topic: readTopic(url, options.topic),
    group: options.consumer_group,
    tls: options.tls ?? false,
    credentials: readCredentials(url, options),
    anyPartitions: partitions === 'any',
    bounds: { entries: options.size ?? 0, ageMs: options.max_age, bytes: options.size_bytes },
    replication,
    ids,
  }
}

/** With `addr` the host is a name for people: `kafka://kafka/?addr=…`. */
function readAddresses(url: URL, addr: readonly string[] | undefined): Address[] {
  if (url.searchParams.getAll('addr').includes('')) {
    throw invalid('addr is empty; write addr=host:9092, or leave it out for the host of the URL')
  }
  if (addr !== undefined) return addr.map(readAddress)
  if (url.hostname === '') throw invalid('the host is missing; write kafka://host:9092/topic, or give addr=host:port')
  const host = decode(url.hostname, 'the host').replace(/^\[(.*)\]$/, '$1')
  return [{ host, port: url.port === '' ? defaultPort : Number(url.port) }]
}

function readAddress(text: string): Address {
  const [, host, port] = /^(\[[\da-f:.]+\]|[^\s:/@[\]]+)(?::(\d{1,15}))?$/i.exec(text) ?? []
  if (host === undefined) {
    // What is before an "@" may be a password.
    throw invalid(`addr: ${text.includes('@') ? 'there is a value that' : quote(text)} is not host:port`)
  }
  if (port !== undefined && !isPort(Number(port)))
    throw invalid(`addr: the port in ${quote(text)} is not from 1 to 65535`)
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: port === undefined ? defaultPort : Number(port) }
}

const isPort = (port: number): boolean => port >= 1 && port <= 65_535

function readTopic(url: URL, option: string | undefined): string {
  const path = decode(url.pathname.replace(/^\//, ''), 'the topic')
  if (option !== undefined && path !== '' && option !== path) {
    throw invalid('topic and the path name two topics; name one')
  }
  const topic = option ?? path
  if (topic === '') throw invalid('the topic is missing; add topic=mercure')
  if (!/^[\w.-]{1,240}$/.test(topic) || /^\.\.?$/.test(topic)) {
    throw invalid('topic: a name has letters, digits, ".", "_" and "-", 240 at most')
  }
  if (topic.endsWith(messageSuffix)) {
    throw invalid(
      `topic: ${quote(topic)} is where the nodes of another log tell each other of subscriptions; name the log`,
    )
  }
  return topic
}

function readCredentials(
  url: URL,
  options: { readonly user?: string; readonly password?: string; readonly mechanism?: string },
): Credentials | undefined {
  const user = readOnce('user', options.user, url.username)
  const password = readOnce('password', options.password, url.password)
  const name = options.mechanism?.toLowerCase() ?? 'plain'
  const mechanism = Object.hasOwn(mechanisms, name) ? mechanisms[name as keyof typeof mechanisms] : undefined
  if (mechanism === undefined) {
    throw invalid(`mechanism: ${quote(options.mechanism)} is none of ${Object.keys(mechanisms).join(', ')}`)
  }
  if ((user === '') !== (password === '')) throw invalid('user and password go together; one of them is missing')
  if (user === '' && options.mechanism !== undefined) throw invalid('mechanism needs user and password')
  return user === '' ? undefined : { mechanism, user, password }
}

/** Of what stands before the host and as an option. */
function readOnce(name: string, option: string | undefined, encoded: string): string {
  const before = decode(encoded, `the ${name}`)
  if (option !== undefined && before !== '' && option !== before) {
    throw invalid(`the option ${name} and the ${name} before the host differ; write one of them`)
  }
  return option ?? before
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(`${what} has a "%" that begins no escape; write it as %25`)
  }
}

const invalid = (rule: string): HubError => misconfigured(kafka, rule)
