import type { Config, Roles } from './config.ts'
import type { Settings } from './schema.ts'
import { isEveryInterface } from './values/address.ts'
import { formatDuration } from './values/duration.ts'
import { countSecretBytes, type Verifier } from './values/key.ts'
import { privateRanges } from './values/network.ts'

/** Secrets that documentations print: whoever reads these can sign tokens. */
const knownSecrets: ReadonlySet<string> = new Set(['!ChangeThisMercureHubJWTSecretKey!', '!ChangeMe!'])

/** What a hub can run with, but its operator should know. */
export function warningsOf(config: Config, settings: Settings): string[] {
  return [
    ...ofKeys(config),
    ...ofGenerations(settings),
    ...ofOrigins(config),
    ...ofSubscribers(config),
    ...ofSilence(config),
    ...ofIdentity(config),
    ...ofAdmin(config, settings),
    ...ofProxies(settings),
    ...withoutEffect(settings),
  ]
}

/** A key is warned of once, however many roles and issuers use it. */
function ofKeys({ keys, issuers }: Config): string[] {
  const owners: [whose: string, verifiers: Roles][] = [
    ['0.x tokens', keys],
    ...issuers.map(issuer => [`tokens of ${issuer.id}`, issuer] as [string, Roles]),
  ]
  const found = owners.flatMap(([whose, { publisher, subscriber }]) =>
    JSON.stringify(publisher) === JSON.stringify(subscriber)
      ? judge(publisher, `the key of ${whose}`)
      : [...judge(publisher, `the publisher key of ${whose}`), ...judge(subscriber, `the subscriber key of ${whose}`)],
  )
  const keysAtFault = Map.groupBy(found, ({ key, fault }) => JSON.stringify([key, fault])).values()
  return [...keysAtFault].map(uses => `${uses.map(({ name }) => name).join(' and ')} ${uses[0]!.fault}`)
}

function judge(verifier: Verifier | null, name: string): { key: string; name: string; fault: string }[] {
  const fault = verifier && faultOf(verifier)
  if (verifier === null || fault === null) return []
  return [{ key: 'key' in verifier ? verifier.key : verifier.jwksUrl.href, name, fault }]
}

/** What is wrong with a key, to follow its name; null: nothing. */
function faultOf(verifier: Verifier): string | null {
  if ('jwksUrl' in verifier) {
    const { protocol, hostname } = verifier.jwksUrl
    if (protocol !== 'http:' || /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) return null
    return `comes from ${hostname} over plain http: whoever is on the way can replace it. Use https.`
  }
  if (knownSecrets.has(verifier.key)) {
    return 'is the one of the documentation: EVERYBODY can sign tokens for this hub. Use a secret of your own, such as of `openssl rand -base64 48`.'
  }
  const [, bits] = /^HS(\d+)$/.exec(verifier.algorithm) ?? []
  const bytes = countSecretBytes(verifier.key)
  // RFC 7518, section 3.2.
  if (bits === undefined || bytes >= Number(bits) / 8) return null
  return `has ${bytes} bytes, ${verifier.algorithm} wants ${Number(bits) / 8} random ones: a short one can be guessed from any token.`
}

/** Keys of the generation that `protocol` leaves out. */
function ofGenerations({ protocol, issuers, ...settings }: Settings): string[] {
  const keysOf0x = [
    settings.jwt_key,
    settings.publisher_jwt_key,
    settings.subscriber_jwt_key,
    settings.publisher_jwks_url,
    settings.subscriber_jwks_url,
  ]
  if (protocol === '0.x' && issuers.length > 0) return ['issuers are not used: protocol is 0.x.']
  if (protocol === '1.0' && keysOf0x.some(key => key !== null))
    return ['the keys of 0.x tokens (jwt_key and the like) are not used: protocol is 1.0.']
  return []
}

function ofOrigins({ corsAllowedOrigins, publishAllowedOrigins }: Config): string[] {
  const readers = corsAllowedOrigins.find(namesEveryHost)
  const publishers = publishAllowedOrigins.find(origin => origin === '*' || namesEveryHost(origin))
  return [
    ...(publishers !== undefined
      ? [
          `publish_allowed_origins holds "${publishers}": any page on the web can publish with the cookie of a visitor who has one.`,
        ]
      : []),
    ...(corsAllowedOrigins.includes('*') && corsAllowedOrigins.length > 1
      ? [
          'cors_allowed_origins holds "*" beside other origins: with "*" no page may send cookies (credentials), these neither. Take it out, or leave it alone.',
        ]
      : []),
    ...(readers !== undefined && !corsAllowedOrigins.includes('*')
      ? [
          `cors_allowed_origins holds "${readers}": any page on the web can read private updates with the cookie (credentials) of a visitor who has one.`,
        ]
      : []),
    ...(publishAllowedOrigins.includes('null')
      ? [`publish_allowed_origins holds "null": ${anyFrame} can publish with the cookie of a visitor who has one.`]
      : []),
    ...(corsAllowedOrigins.includes('null') && !corsAllowedOrigins.includes('*')
      ? [
          `cors_allowed_origins holds "null": ${anyFrame} can read private updates with the cookie (credentials) of a visitor who has one.`,
        ]
      : []),
  ]
}

/** Whose origin is opaque, and has no other name. */
const anyFrame = 'any page on the web, by a sandboxed iframe,'

/** `https://*` and the like. */
const namesEveryHost = (origin: string): boolean => /^[^:]+:\/\/\*(:\d+)?$/.test(origin)

/** Where nobody can be verified, everybody is anonymous. */
function ofSubscribers({ allowAnonymous, subscriptions, keys, issuers }: Config): string[] {
  if (!allowAnonymous || [keys, ...issuers].some(({ subscriber }) => subscriber !== null)) return []
  return [
    'allow_anonymous is on and no subscriber can be verified: private updates reach nobody. Set jwt_key or subscriber_jwt_key, or issuers with a subscriber.',
    ...(subscriptions
      ? ['subscriptions is on and no subscriber can be verified: everybody may read who is subscribed.']
      : []),
  ]
}

/** What nginx, HAProxy's usual configurations and cloud load balancers wait for a stream that is silent, and then cut it. */
const proxyIdleMs = 60_000

function ofSilence({ heartbeatIntervalMs }: Config): string[] {
  if (heartbeatIntervalMs > 0 && heartbeatIntervalMs < proxyIdleMs) return []
  const silence =
    heartbeatIntervalMs === 0 ? 'no heartbeat' : `a heartbeat every ${formatDuration(heartbeatIntervalMs)}`
  return [
    `heartbeat_interval: ${silence}; many proxies (nginx, load balancers) cut a stream that is silent for 60s. Keep it below that, such as 15s.`,
  ]
}

function ofIdentity({ issuers, resourceIdentifier, publicOrigins }: Config): string[] {
  if (issuers.length === 0) return []
  if (resourceIdentifier === null && publicOrigins.length === 0) {
    return [
      "issuers are set, but neither resource_identifier nor public_urls: a token's aud is compared with the Host header that the client sends.",
    ]
  }
  if (resourceIdentifier !== null && !resourceIdentifier.startsWith('https:'))
    return ['resource_identifier is not an https URL, as OAuth wants it.']
  return []
}

/** Its secret and what it is asked travel as they are. */
function ofAdmin({ admin }: Config, { admin_addr, admin_secret }: Settings): string[] {
  if (admin_addr === null && admin_secret !== null) {
    return ['admin_secret has no effect without admin_addr, which says where operators reach the hub.']
  }
  if (admin === null || !isEveryInterface(admin.listen.host)) return []
  return [
    'admin_addr: it is on every interface, and speaks plain HTTP. Name an address that only operators reach, such as 127.0.0.1.',
  ]
}

function ofProxies({ use_forwarded_headers: isForwarded, trusted_proxies: proxies }: Settings): string[] {
  if (!isForwarded) {
    return proxies.every(proxy => proxy === privateRanges)
      ? []
      : [
          'trusted_proxies has no effect without use_forwarded_headers: true; clients are taken for the proxies in front of them.',
        ]
  }
  const all = proxies.find(proxy => proxy.endsWith('/0'))
  if (all === undefined) return []
  return [
    `trusted_proxies holds "${all}": every client may say which address and host it has. Name the proxies, unless nobody else can reach the hub.`,
  ]
}

function withoutEffect({ license, log_format }: Settings): string[] {
  return [
    ...(license === null ? [] : ['license is not needed: every transport is free.']),
    ...(log_format === 'FLUENTD' ? ['log_format FLUENTD is taken as JSON.'] : []),
  ]
}
