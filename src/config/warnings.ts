import type { Config, Roles } from './config.ts'
import type { Verifier } from './key.ts'
import { roles } from './roles.ts'
import type { Settings } from './schema.ts'

/** Secrets that documentations print: whoever reads these can sign tokens. */
const knownSecrets: ReadonlySet<string> = new Set(['!ChangeThisMercureHubJWTSecretKey!', '!ChangeMe!'])

/** What a hub can run with, but its operator should know. */
export function warningsOf(config: Config, settings: Settings): string[] {
  return [
    ...ofKeys(config),
    ...ofGenerations(settings),
    ...ofOrigins(config),
    ...ofIdentity(config),
    ...withoutEffect(settings),
  ]
}

function ofKeys({ keys, issuers }: Config): string[] {
  const all: [whose: string, roles: Roles][] = [
    ['0.x tokens', keys],
    ...issuers.map(issuer => [`tokens of ${issuer.id}`, issuer] as [string, Roles]),
  ]
  return all.flatMap(([whose, verifiers]) => {
    const { publisher, subscriber } = verifiers
    const same =
      publisher !== null &&
      subscriber !== null &&
      'key' in publisher &&
      'key' in subscriber &&
      publisher.key === subscriber.key
    const names = same ? ['key'] : roles.map(role => `${role} key`)
    return names.flatMap((name, at) => {
      const verifier = verifiers[roles[at]!]
      return verifier === null ? [] : ofVerifier(verifier, `the ${name} of ${whose}`)
    })
  })
}

function ofVerifier(verifier: Verifier, name: string): string[] {
  if ('jwksUrl' in verifier) {
    const { protocol, hostname } = verifier.jwksUrl
    if (protocol !== 'http:' || /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) return []
    return [`${name} comes from ${hostname} over plain http: whoever is on the way can replace it. Use https.`]
  }
  if (knownSecrets.has(verifier.key)) {
    return [
      `${name} is the one of the documentation: EVERYBODY can sign tokens for this hub. Use a secret of your own, such as of \`openssl rand -base64 48\`.`,
    ]
  }
  const [, bits] = /^HS(\d+)$/.exec(verifier.algorithm) ?? []
  const bytes = Buffer.byteLength(verifier.key)
  // RFC 7518, section 3.2.
  if (bits === undefined || verifier.key.startsWith('{') || bytes >= Number(bits) / 8) return []
  return [
    `${name} has ${bytes} bytes, ${verifier.algorithm} wants ${Number(bits) / 8} random ones: a short one can be guessed from any token.`,
  ]
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

const ofOrigins = ({ publishAllowedOrigins }: Config): string[] =>
  publishAllowedOrigins.includes('*')
    ? ['publish_allowed_origins holds "*": any page on the web can publish with the cookie of a visitor who has one.']
    : []

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

function withoutEffect({ license, compress, log_format }: Settings): string[] {
  return [
    ...(license === null ? [] : ['license is not needed: every transport is free.']),
    ...(compress ? ['compress has no effect in this version: streams are sent uncompressed.'] : []),
    ...(log_format === 'FLUENTD' ? ['log_format FLUENTD is taken as JSON.'] : []),
  ]
}
