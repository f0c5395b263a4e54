import { availableParallelism } from 'node:os'
import { resolveAdmin } from './admin.ts'
import { type Config, defaultCookieNames, type Issuer, type LimitsConfig, type Roles } from './config.ts'
import { parseDsn } from './dsn.ts'
import type { Report } from './problem.ts'
import { resolveIssuers, resolveKeys } from './roles.ts'
import type { Settings } from './schema.ts'
import { clash, formatAddress } from './values/address.ts'
import { networksOf } from './values/network.ts'

/** What a hub that is not told otherwise keeps survives a restart, and does not fill the disk. */
const defaultTransportUrl = 'bolt://updates.db?size=100000'

export interface ResolveOptions {
  /** Updates come without tokens too: from the application that runs the hub. */
  readonly publishesItself?: boolean
}

/** What the keys mean together. Contradictions are reported, and the result is not to be used then. */
export function resolve(settings: Settings, report: Report, { publishesItself = false }: ResolveOptions = {}): Config {
  const { protocol, cookie_name: cookieName } = settings
  const tls = resolveTls(settings, report)
  const listen = settings.addr ?? { host: '', port: tls === null ? 80 : 443 }
  const keys = resolveKeys(settings, report)
  const issuers = resolveIssuers(settings, report)
  requireVerifiers(settings, keys, issuers, publishesItself, report)
  const metrics = settings.metrics_enabled ? (settings.metrics_addr ?? 'main') : null
  if (metrics !== null && metrics !== 'main' && clash(metrics, listen)) {
    const message = `${formatAddress(metrics)} is taken by addr (${formatAddress(listen)}): choose another port, or "" for the hub's own address.`
    report(['metrics_addr'], message, ['addr', 'metrics_addr', 'metrics_enabled'])
  }
  if (settings.use_forwarded_headers && settings.trusted_proxies.length === 0) {
    report(
      ['trusted_proxies'],
      'is empty, and use_forwarded_headers would have no effect: name the proxies, or leave it out.',
    )
  }
  return {
    listen,
    tls,
    publicOrigins: settings.public_urls,
    useForwardedHeaders: settings.use_forwarded_headers,
    trustedProxies: settings.trusted_proxies.flatMap(networksOf),
    compress: settings.compress,
    workers: settings.workers === 'auto' ? availableParallelism() : settings.workers,
    transportUrl: settings.transport_url ?? parseDsn(defaultTransportUrl),
    recent: settings.recent,
    protocol,
    keys: protocol === '1.0' ? { publisher: null, subscriber: null } : keys,
    issuers: protocol === '0.x' ? [] : issuers,
    resourceIdentifier: settings.resource_identifier,
    cookieNames: cookieName === null ? defaultCookieNames : { '0.x': cookieName, '1.0': cookieName },
    allowAnonymous: settings.allow_anonymous,
    subscriptions: settings.subscriptions,
    corsAllowedOrigins: settings.cors_allowed_origins,
    publishAllowedOrigins: settings.publish_allowed_origins,
    heartbeatIntervalMs: settings.heartbeat_interval,
    writeTimeoutMs: settings.write_timeout,
    dispatchTimeoutMs: settings.dispatch_timeout,
    publishTimeoutMs: settings.publish_timeout,
    readTimeoutMs: settings.read_timeout,
    readHeaderTimeoutMs: settings.read_header_timeout,
    shutdownTimeoutMs: settings.shutdown_timeout,
    maxRequestBodyBytes: settings.max_request_body_size,
    maxQueueBytes: settings.max_queue_bytes,
    maxQueueBytesTotal: settings.max_queue_bytes_total,
    limits: resolveLimits(settings),
    logFormat: settings.log_format === 'TEXT' ? 'text' : 'json',
    debug: settings.debug,
    metrics,
    tracing: settings.tracing
      ? {
          endpoint: settings.tracing_endpoint,
          serviceName: settings.tracing_service_name ?? 'talaria',
          sample: settings.tracing_sample,
        }
      : null,
    admin: resolveAdmin(settings, { addr: listen, metrics_addr: metrics === 'main' ? null : metrics }, report),
    debugger: settings.debugger || settings.demo,
    demo: settings.demo,
  }
}

const resolveLimits = ({ limits }: Settings): LimitsConfig => ({
  connections: limits.connections,
  connectionsPerIp: limits.connections_per_ip,
  connectionsPerSubject: limits.connections_per_subject,
  publishesPerSecond: limits.publishes_per_second,
  publishesPerSecondPerSubject: limits.publishes_per_second_per_subject,
  topics: limits.topics,
  matchers: limits.matchers,
  patternLength: limits.pattern_length,
})

function resolveTls({ cert_file: certFile, key_file: keyFile }: Settings, report: Report): Config['tls'] {
  if (certFile !== null && keyFile !== null) return { certFile, keyFile }
  if (certFile !== null) report(['cert_file'], 'needs key_file, the private key of the certificate.', ['key_file'])
  if (keyFile !== null) report(['key_file'], 'needs cert_file, the certificate of the private key.', ['cert_file'])
  return null
}

/** Without a way to verify publishers the hub has no use; without one for subscribers it serves only those who need none. */
function requireVerifiers(
  settings: Settings,
  keys: Roles,
  issuers: readonly Issuer[],
  publishesItself: boolean,
  report: Report,
): void {
  const accepted: Roles[] = [
    ...(settings.protocol === '1.0' ? [] : [keys]),
    ...(settings.protocol === '0.x' ? [] : issuers),
  ]
  if (settings.protocol === '1.0' && issuers.length === 0) {
    report(['protocol'], 'is 1.0, but no issuers are set: no token would be accepted. Add issuers.', ['issuers'])
  } else if (settings.protocol === '0.x' && keys.publisher === null && keys.subscriber === null) {
    report(
      ['protocol'],
      'is 0.x, but no key is set: no token would be accepted. Set jwt_key, or publisher_jwt_key and subscriber_jwt_key.',
      keySettings,
    )
  } else {
    if (!publishesItself && accepted.every(roles => roles.publisher === null)) {
      report(['jwt_key'], noPublisher, keySettings)
    }
    if (!settings.allow_anonymous && accepted.every(roles => roles.subscriber === null)) {
      report(['jwt_key'], noSubscriber, [...keySettings, 'allow_anonymous'])
    }
  }
}

const noPublisher =
  'nobody could publish: set jwt_key (one secret for publishers and subscribers), publisher_jwt_key, publisher_jwks_url, or issuers with a publisher. `openssl rand -base64 48` makes a secret; the environment gives it as JWT_KEY, or as MERCURE_PUBLISHER_JWT_KEY and MERCURE_SUBSCRIBER_JWT_KEY.'
const noSubscriber =
  'nobody could subscribe: set jwt_key, subscriber_jwt_key, subscriber_jwks_url, or issuers with a subscriber; or allow_anonymous: true.'

const keySettings = [
  ...['jwt_key', 'jwt_key_file', 'jwt_algorithm', 'issuers', 'protocol'],
  ...['publisher_jwt_key', 'publisher_jwt_key_file', 'publisher_jwt_algorithm', 'publisher_jwks_url'],
  ...['subscriber_jwt_key', 'subscriber_jwt_key_file', 'subscriber_jwt_algorithm', 'subscriber_jwks_url'],
]
