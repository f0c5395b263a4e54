import type { Algorithm, AsymmetricAlgorithm } from '../protocol/algorithm.ts'
import type { Config } from './config.ts'
import { checkOptions, checkSettings, misplaced } from './embed-options.ts'
import { ConfigurationError } from './problem.ts'
import { readConfig } from './read.ts'
import type { Key } from './schema.ts'
import { merge } from './sources/layer.ts'
import { warningsOf } from './warnings.ts'

/** As in `mercure.yaml`: `15s`, `1m30s`, `500ms`; `0s`: none. */
export type Duration = string
/** Bytes, as a number or with a unit: `64KiB`, `1MiB`; 0: no bound. */
export type Size = string | number

/**
 * The configuration of a hub inside of an application: the keys of `mercure.yaml`, with the same values, defaults and checks. What a hub
 * needs only to listen by itself is left out: the server that it is mounted in has it.
 */
export interface HubSettings {
  /** Origins by which the hub may be asked, `https://example.com`; others get 421. Default: any. */
  readonly public_urls?: readonly string[] | undefined
  /** The proxy in front is trusted to say by which origin the hub was asked. Default: false. */
  readonly use_forwarded_headers?: boolean | undefined
  /** Whose word that is: addresses, networks, `private_ranges`, which is the default. */
  readonly trusted_proxies?: readonly string[] | undefined
  /** gzip, zstd and br for streams. Default: false. */
  readonly compress?: boolean | undefined

  /** The log that keeps updates. Default: `bolt://updates.db?size=100000`, in the working directory. */
  readonly transport_url?: string | undefined
  readonly transport_url_file?: string | undefined
  /** Bounds of the newest updates kept in memory. Default: 10,000 entries, 64 MiB. */
  readonly recent?: { readonly entries?: number | undefined; readonly bytes?: Size | undefined } | undefined

  /** 0.x tokens: one secret for both roles, or a public key as PEM with its algorithm. */
  readonly jwt_key?: string | undefined
  readonly jwt_key_file?: string | undefined
  readonly jwt_algorithm?: Algorithm | undefined
  readonly publisher_jwt_key?: string | undefined
  readonly publisher_jwt_key_file?: string | undefined
  readonly publisher_jwt_algorithm?: Algorithm | undefined
  readonly publisher_jwks_url?: string | undefined
  readonly subscriber_jwt_key?: string | undefined
  readonly subscriber_jwt_key_file?: string | undefined
  readonly subscriber_jwt_algorithm?: Algorithm | undefined
  readonly subscriber_jwks_url?: string | undefined
  /** Who may issue 1.0 tokens. */
  readonly issuers?: readonly IssuerSettings[] | undefined
  /** What a 1.0 token's `aud` must name. Default: the hub's URL as the request has it. */
  readonly resource_identifier?: string | undefined

  /** Default: `auto`, both generations. */
  readonly protocol?: 'auto' | '1.0' | '0.x' | undefined
  /** Subscribers without a token are allowed, and get public updates. Default: false. */
  readonly allow_anonymous?: boolean | undefined
  /** The subscription API, and updates that announce who comes and goes. Default: false. */
  readonly subscriptions?: boolean | undefined
  readonly cookie_name?: string | undefined
  /** Origins whose pages may read. Default: none but the hub's own. */
  readonly cors_allowed_origins?: readonly string[] | undefined
  /** Origins whose pages may publish with a cookie. Default: none. */
  readonly publish_allowed_origins?: readonly string[] | undefined

  /** Default: 15s. */
  readonly heartbeat_interval?: Duration | undefined
  /** The longest life of a stream. Default: 600s. */
  readonly write_timeout?: Duration | undefined
  /** How long bytes may wait for a reader. Default: 5s. */
  readonly dispatch_timeout?: Duration | undefined
  /** How long a publisher waits for a log that does not answer. Default: 5s. */
  readonly publish_timeout?: Duration | undefined
  /** How long closing the hub takes at most: streams are ended evenly over this time, few of them sooner; 0: all at once. Default: 30s. */
  readonly shutdown_timeout?: Duration | undefined
  /** Default: 1MiB. */
  readonly max_request_body_size?: Size | undefined
  /** The debugger page, at `/.well-known/mercure/debug/`. Default: false. */
  readonly debugger?: boolean | undefined
  /** Spans of what the hub is asked, by the tracer provider that the application has registered with `@opentelemetry/api`. Default: false. */
  readonly tracing?: boolean | undefined
  /** What may wait for one subscriber. Default: 1MiB. */
  readonly max_queue_bytes?: Size | undefined
  /** What may wait for all of them. Default: 256MiB. */
  readonly max_queue_bytes_total?: Size | undefined
  /** What senders of requests may have, and what a request may hold; the application itself is not limited. Default: no limits. */
  readonly limits?: LimitSettings | undefined
}

/** Each: 0 or left out is no limit but the hub's own. */
export interface LimitSettings {
  /** Streams, in all. */
  readonly connections?: number | undefined
  /** Of one IPv4 address, or one /64 of IPv6. */
  readonly connections_per_ip?: number | undefined
  /** Of the `sub` of tokens. */
  readonly connections_per_subject?: number | undefined
  readonly publishes_per_second?: number | undefined
  readonly publishes_per_second_per_subject?: number | undefined
  /** Of an update. */
  readonly topics?: number | undefined
  /** Of a subscription. */
  readonly matchers?: number | undefined
  /** Characters of a matcher. */
  readonly pattern_length?: number | undefined
}

export interface IssuerSettings {
  /** The token's `iss`. */
  readonly id: string
  /** Named in the metadata, as a place to get tokens. Default: false. */
  readonly authorization_server?: boolean | undefined
  /** A role that is left out is refused for this issuer. */
  readonly publisher?: RoleKeys | undefined
  readonly subscriber?: RoleKeys | undefined
}

/** A key with its algorithm, or a JWK Set with its algorithms. */
export interface RoleKeys {
  readonly key?: string | undefined
  readonly key_file?: string | undefined
  readonly algorithm?: Algorithm | undefined
  readonly jwks_uri?: string | undefined
  readonly algorithms?: readonly AsymmetricAlgorithm[] | undefined
}

const listening = 'the server that the hub is mounted in does that: take it out.'
const logging = 'is for the log that you give: take it out.'
const exporting = "is for the application's own tracer provider to know: take it out."
const administration = 'is for a hub that runs by itself: take it out.'
const figures = "the figures are at the hub's `metrics`: take it out."

/** Keys of `mercure.yaml` that mean nothing inside of an application. */
const foreignKeys: Readonly<Record<Exclude<Key, keyof HubSettings>, string>> = {
  addr: listening,
  cert_file: listening,
  key_file: listening,
  read_timeout: listening,
  read_header_timeout: listening,
  workers:
    'an application runs one hub in each of its processes; a log that they can share makes them one: take it out.',
  log_format: logging,
  debug: logging,
  metrics_enabled: figures,
  metrics_addr: figures,
  tracing_endpoint: exporting,
  tracing_service_name: exporting,
  tracing_sample: exporting,
  admin_addr: administration,
  admin_secret: administration,
  admin_secret_file: administration,
  demo: 'the application has pages of its own: take it out.',
  license: 'is not needed: take it out.',
}

const whyForeign = (key: string): string | null =>
  Object.hasOwn(foreignKeys, key) ? foreignKeys[key as keyof typeof foreignKeys] : null

/**
 * Reads what an application configures.
 * @param options the second argument of `createHub`: it is only checked, so that all that is wrong is told at once
 * @throws ConfigurationError with every problem; nothing of it shows a secret
 */
export async function readSettings(
  settings: HubSettings,
  options: object = {},
): Promise<{ readonly config: Config; readonly warnings: readonly string[] }> {
  const problems = [...checkSettings(settings), ...checkOptions(options)]
  if (problems.some(({ key }) => key === null)) throw new ConfigurationError(problems)
  const values = new Map<string, unknown>()
  for (const [key, value] of Object.entries(settings)) {
    if (value === undefined) continue
    const message = whyForeign(key) ?? misplaced(key, value)
    if (message === null) values.set(key, value)
    else problems.push({ key, where: null, message })
  }
  const sources = merge([{ values: Object.fromEntries(values), where: () => 'createHub' }])
  const read = await readConfig(sources, process.cwd(), problems, { publishesItself: true })
  return { config: read.config, warnings: warningsOf(read.config, read.settings) }
}
