import * as z from 'zod'
import { algorithms, asymmetricAlgorithms } from '../protocol/algorithm.ts'
import { parseDsn } from './dsn.ts'
import {
  choice,
  count,
  flag,
  mapping,
  one,
  optional,
  optionalChoice,
  scalar,
  several,
  size,
  timer,
  withDefault,
} from './fields.ts'
import { invalid } from './invalid.ts'
import { retiredKeys } from './sources/retired.ts'
import { parseAddress } from './values/address.ts'
import { parseCollectorUrl } from './values/collector-url.ts'
import { parseKeySetUrl } from './values/key.ts'
import { parseNetwork, privateRanges } from './values/network.ts'
import { parseOrigin } from './values/origin.ts'
import { parsePublicUrl, parseResourceIdentifier } from './values/public-url.ts'
import { parseShare } from './values/share.ts'
import { parseWorkers } from './values/workers.ts'

const asWritten = (text: string): string => text

const role = mapping({
  key: optional(asWritten),
  key_file: optional(asWritten),
  algorithm: optionalChoice(algorithms),
  jwks_uri: optional(parseKeySetUrl),
  algorithms: several(choice(asymmetricAlgorithms)),
})

/**
 * Every key of `mercure.yaml`, with its default written as in YAML. `…_file` keys name a file that holds the value, for secrets.
 * What keys mean together is in `resolve.ts`.
 */
export const schema = mapping(
  {
    // where it listens
    addr: optional(parseAddress, scalar),
    cert_file: optional(asWritten),
    key_file: optional(asWritten),
    public_urls: several(one(parsePublicUrl)),
    use_forwarded_headers: flag(false),
    trusted_proxies: several(one(parseNetwork)).prefault([privateRanges]),
    compress: flag(false),
    workers: withDefault(parseWorkers, '1'),
    // the log
    transport_url: optional(parseDsn),
    transport_url_file: optional(asWritten),
    recent: mapping({ entries: count(10_000), bytes: size('64MiB') }).prefault({}),
    // 0.x tokens
    jwt_key: optional(asWritten),
    jwt_key_file: optional(asWritten),
    jwt_algorithm: optionalChoice(algorithms),
    publisher_jwt_key: optional(asWritten),
    publisher_jwt_key_file: optional(asWritten),
    publisher_jwt_algorithm: optionalChoice(algorithms),
    publisher_jwks_url: optional(parseKeySetUrl),
    subscriber_jwt_key: optional(asWritten),
    subscriber_jwt_key_file: optional(asWritten),
    subscriber_jwt_algorithm: optionalChoice(algorithms),
    subscriber_jwks_url: optional(parseKeySetUrl),
    // 1.0 tokens
    issuers: several(
      mapping({
        id: one(asWritten),
        authorization_server: flag(false),
        publisher: role.optional(),
        subscriber: role.optional(),
      }),
    ),
    resource_identifier: optional(parseResourceIdentifier),
    // who may do what
    protocol: z.preprocess(value => (value === 1 ? '1.0' : value), choice(['auto', '1.0', '0.x'])).prefault('auto'), // YAML reads 1.0 as 1
    allow_anonymous: flag(false),
    subscriptions: flag(false),
    cookie_name: optional(parseCookieName),
    cors_allowed_origins: several(one(parseOrigin)),
    publish_allowed_origins: several(one(parseOrigin)),
    // times and bounds
    heartbeat_interval: timer('15s'),
    write_timeout: timer('600s'),
    dispatch_timeout: timer('5s'),
    publish_timeout: timer('5s'),
    read_timeout: timer('5s'),
    read_header_timeout: timer('3s'),
    shutdown_timeout: timer('30s'),
    max_request_body_size: size('1MiB'),
    max_queue_bytes: size('1MiB', 1024),
    max_queue_bytes_total: size('256MiB'),
    limits: mapping({
      connections: count(0),
      connections_per_ip: count(0),
      connections_per_subject: count(0),
      publishes_per_second: count(0),
      publishes_per_second_per_subject: count(0),
      topics: count(0, 1000),
      matchers: count(0, 1000),
      pattern_length: count(0),
    }).prefault({}),
    // watching it
    log_format: choice(['TEXT', 'JSON', 'FLUENTD']).prefault('JSON'),
    debug: flag(false),
    metrics_enabled: flag(false),
    metrics_addr: optional(parseAddress, scalar).prefault('127.0.0.1:9764'),
    tracing: flag(false),
    tracing_endpoint: withDefault(parseCollectorUrl, 'http://localhost:4318/v1/traces'),
    tracing_service_name: optional(asWritten).prefault('talaria'),
    tracing_sample: withDefault(parseShare, '1'),
    admin_addr: optional(parseAddress, scalar),
    admin_secret: optional(asWritten),
    admin_secret_file: optional(asWritten),
    debugger: flag(false),
    demo: flag(false),
    license: optional(asWritten),
  },
  retiredKeys,
)

/** The values of all keys, each by itself. */
export type Settings = z.output<typeof schema>
export type RoleSettings = z.output<typeof role>
export type Key = keyof Settings
export const keys = Object.keys(schema.shape) as readonly Key[]

/** RFC 6265, section 4.1.1: a token of HTTP. */
function parseCookieName(text: string): string {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(text)) return text
  throw invalid('must be of letters, digits and the signs that a cookie name may have (no space, ";", "=" or ",").')
}
