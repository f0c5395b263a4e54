import type { Config, LimitsConfig, Roles } from '../config/config.ts'
import { redactDsn, schemeOf } from '../config/dsn.ts'
import { type Address, formatAddress, isEveryInterface, isLoopback } from '../config/values/address.ts'
import { formatDuration } from '../config/values/duration.ts'
import { countSecretBytes, type Verifier } from '../config/values/key.ts'
import { formatSize } from '../config/values/size.ts'
import { describeLogFile } from './log-file.ts'

/** What a configuration means, subject by subject, in sentences. Keys and passwords are described, never shown. */
export function explain(config: Config): Readonly<Record<string, readonly string[]>> {
  return {
    address: describeAddress(config),
    log: describeLog(config),
    protocol: [generations[config.protocol]],
    '0.x tokens': describeRoles(config.keys) ?? ['Refused.'],
    '1.0 tokens': describeIssuers(config),
    cookies: describeCookies(config),
    subscribers: [
      config.allowAnonymous
        ? 'Anybody may subscribe and gets public updates; a token adds the private ones that it grants.'
        : 'Only with a token.',
      config.subscriptions
        ? 'Subscriptions are announced as updates, and listed by the subscription API.'
        : 'Subscriptions are neither announced nor listed.',
    ],
    CORS: [describeCors(config.corsAllowedOrigins)],
    publishing: [
      config.publishAllowedOrigins.length === 0
        ? 'Only with a token in the header: no page may publish with a cookie.'
        : `With a token in the header; with a cookie from pages of ${config.publishAllowedOrigins.join(', ')}.`,
      config.maxRequestBodyBytes === 0
        ? 'Bodies may have any length.'
        : `Bodies may have ${formatSize(config.maxRequestBodyBytes)}.`,
    ],
    streams: describeStreams(config),
    limits: describeLimits(config.limits),
    requests: [
      `Read within ${time(config.readTimeoutMs)}, their heads within ${time(config.readHeaderTimeoutMs)}.`,
      `When the hub stops, streams and requests have ${config.shutdownTimeoutMs === 0 ? 'no time' : time(config.shutdownTimeoutMs)} to end.`,
    ],
    watching: [
      describeMetrics(config.metrics),
      ...(config.tracing === null ? [] : [describeTracing(config.tracing)]),
      ...(config.admin === null
        ? []
        : [`Operators revoke tokens at ${formatAddress(config.admin.listen)}, with a secret, over plain HTTP.`]),
      `The hub logs ${config.logFormat === 'json' ? 'JSON' : 'text'}${config.debug ? ', with every update and its payload' : ''}.`,
    ],
  }
}

const generations: Readonly<Record<Config['protocol'], string>> = {
  auto: 'Both generations, 0.x and 1.0, as each request asks.',
  '0.x': 'Generation 0.x alone.',
  '1.0': 'Generation 1.0 alone.',
}

function describeAddress({ listen, tls, workers, publicOrigins, ...config }: Config): string[] {
  const reach = isEveryInterface(listen.host)
    ? ', on every interface'
    : isLoopback(listen.host)
      ? ', for this machine only'
      : ''
  return [
    `Listens on ${formatAddress(listen)}${reach}, ${tls === null ? 'plain HTTP' : `HTTPS with the certificate ${tls.certFile}`}.`,
    ...(workers > 1 ? [`${workers} processes serve requests there; one more keeps them.`] : []),
    ...(publicOrigins.length > 0 ? [`Answers for ${publicOrigins.join(', ')} alone.`] : []),
    ...(config.useForwardedHeaders
      ? [
          `Takes address, scheme and host of a client from the headers of proxies in ${config.trustedProxies.join(', ')}, which must set them on every request.`,
        ]
      : []),
  ]
}

function describeLog({ transportUrl, recent }: Config): string[] {
  const url = redactDsn(transportUrl)
  const scheme = schemeOf(transportUrl)
  if (scheme === 'local') return [`${url}: updates live in the memory of this hub, and end with it.`]
  return [
    `${url}: ${scheme === 'bolt' ? 'a file of this hub alone' : 'shared by all hubs that have the same URL'}.`,
    ...(scheme === 'bolt' ? describeLogFile(transportUrl) : []),
    `The newest ${recent.entries} updates, at most ${formatSize(recent.bytes)}, stay in memory for clients that reconnect.`,
  ]
}

function describeRoles(roles: Roles): string[] | null {
  const { publisher, subscriber } = roles
  if (publisher === null && subscriber === null) return null
  return [`Publishers: ${describeVerifier(publisher)}.`, `Subscribers: ${describeVerifier(subscriber)}.`]
}

function describeIssuers({ issuers, resourceIdentifier }: Config): string[] {
  if (issuers.length === 0) return ['Refused: no issuers are set.']
  const audience = resourceIdentifier ?? 'the URL of the hub that the request was sent to'
  return [
    ...issuers.flatMap(issuer => {
      const note = issuer.authorizationServer ? ', named in the metadata as authorization server' : ''
      return [`Of ${issuer.id}${note}:`, ...(describeRoles(issuer) ?? []).map(line => `  ${line}`)]
    }),
    `Their aud must name ${audience}.`,
  ]
}

function describeVerifier(verifier: Verifier | null): string {
  if (verifier === null) return 'refused'
  if ('jwksUrl' in verifier) {
    const { protocol, host, pathname } = verifier.jwksUrl // its query may hold a secret
    return `the keys of ${protocol}//${host}${pathname}, with ${verifier.algorithms.join(', ')}`
  }
  if (!verifier.algorithm.startsWith('HS')) return `${verifier.algorithm}, a public key`
  return `${verifier.algorithm}, a secret of ${countSecretBytes(verifier.key)} bytes`
}

function describeCookies({ cookieNames, protocol }: Config): string[] {
  const read = protocol === 'auto' ? Object.values(cookieNames) : [cookieNames[protocol]]
  return [`A token may come in the cookie ${[...new Set(read)].join(' or ')}.`]
}

function describeCors(origins: readonly string[]): string {
  if (origins.length === 0) return 'No pages but those of the hub itself may read.'
  if (origins.includes('*')) return 'Pages of every origin may read, without cookies.'
  return `Pages of ${origins.join(', ')} may read, with cookies.`
}

function describeStreams(config: Config): string[] {
  const { heartbeatIntervalMs, writeTimeoutMs, dispatchTimeoutMs, maxQueueBytes, maxQueueBytesTotal, compress } = config
  const stuck = dispatchTimeoutMs === 0 ? '' : `, or any for ${time(dispatchTimeoutMs)}`
  const total =
    maxQueueBytesTotal === 0
      ? ''
      : ` When ${formatSize(maxQueueBytesTotal)} wait for all of them, those with the most end.`
  return [
    heartbeatIntervalMs === 0
      ? 'Nothing is sent in silence.'
      : `A comment is sent after ${time(heartbeatIntervalMs)} of silence.`,
    writeTimeoutMs === 0
      ? 'A stream has no longest life.'
      : `A stream lives for ${time(writeTimeoutMs)} at most; its client then reconnects.`,
    `A reader is too slow, and its stream ends, when more than ${formatSize(maxQueueBytes)} wait for it${stuck}.${total}`,
    ...(compress ? ['Streams are compressed for those who ask: gzip, zstd, br.'] : []),
  ]
}

function describeLimits({ connections, connectionsPerIp, connectionsPerSubject, ...limits }: LimitsConfig): string[] {
  const { publishesPerSecond, publishesPerSecondPerSubject, topics, matchers, patternLength } = limits
  const set: readonly [limit: number, what: string][] = [
    [connections, 'streams at this node'],
    [connectionsPerIp, 'streams of an address'],
    [connectionsPerSubject, 'streams of the sub of a token'],
    [publishesPerSecond, 'updates a second at this node'],
    [publishesPerSecondPerSubject, 'updates a second of the sub of a token'],
    [topics, 'topics of an update'],
    [matchers, 'matchers of a subscription'],
    [patternLength, 'characters of a matcher'],
  ]
  const sentences = set.filter(([limit]) => limit > 0).map(([limit, what]) => `At most ${limit} ${what}.`)
  return sentences.length > 0 ? sentences : ['Senders may have any number of streams, and publish as fast as they can.']
}

function describeTracing({ endpoint, serviceName, sample }: NonNullable<Config['tracing']>): string {
  const { protocol, host, pathname } = endpoint
  const share = sample === 1 ? 'All traces' : `Traces that others have begun, and ${sample} of those that begin here,`
  return `${share} go to ${protocol}//${host}${pathname}, as of ${serviceName}.`
}

function describeMetrics(metrics: Config['metrics']): string {
  if (metrics === null) return 'No metrics.'
  if (metrics === 'main') return "Metrics at /metrics of the hub's own address."
  return `Metrics at http://${formatAddress(named(metrics))}/metrics.`
}

const named = ({ host, port }: Address): Address => ({ host: host === '' ? '0.0.0.0' : host, port })
const time = (ms: number): string => (ms === 0 ? 'any time' : formatDuration(ms))
