import * as z from 'zod'
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
import { algorithms, asymmetricAlgorithms, parseKeySetUrl } from './values/key.ts'
import { parseOrigin } from './values/origin.ts'
import { parsePublicUrl, parseResourceIdentifier } from './values/public-url.ts'
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
    // watching it
    log_format: choice(['TEXT', 'JSON', 'FLUENTD']).prefault('JSON'),
    debug: flag(false),
    metrics_enabled: flag(false),
    metrics_addr: optional(parseAddress, scalar).prefault('127.0.0.1:9764'),
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
