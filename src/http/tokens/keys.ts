import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { HubError } from '../../errors.ts'
import { type KeyHint, KeySet, type KeySetContext } from './key-set.ts'
import {
  allAlgorithms,
  asymmetricAlgorithms,
  describeMisfit,
  isSymmetric,
  type Jwk,
  parseJwk,
  shapeOf,
} from './signing.ts'

/** Where the keys of one role come from, as configured. */
export type KeySource =
  /** A secret, a PEM text (public key or certificate) or a JWK, and the one algorithm that is accepted with it. */
  | { readonly key: string; readonly algorithm: string }
  /** A JWK Set at `https://`, `http://` or `file://`, and the algorithms accepted with its keys (default: every asymmetric one). */
  | KeySetSource

export interface KeySetSource {
  readonly jwksUrl: string
  readonly algorithms?: readonly string[] | undefined
}

/** The keys that verify the tokens of one role. */
export interface Keys {
  readonly algorithms: readonly string[]
  /** Changes when the keys change: what was verified under another edition must be verified again. Starts a refresh that is due. */
  edition(): number
  /**
   * The keys that may have signed a token with this header, at least one.
   * @throws HubError `token_key_unknown`, `token_keys_unreachable`
   */
  find(header: KeyHint): Promise<readonly (KeyObject | CryptoKey)[]>
}

/** Secrets printed in documentation: whoever reads that can mint tokens. */
const wellKnownSecrets: ReadonlySet<string> = new Set(['!ChangeThisMercureHubJWTSecretKey!', '!ChangeMe!'])

export interface KeysContext extends KeySetContext {
  /** Receives what the operator should know though the hub can run with it. */
  warn(message: string): void
}

/** @throws HubError `configuration_invalid`, which names the setting */
export function openKeys(source: KeySource, context: KeysContext): Keys {
  if ('jwksUrl' in source) return openKeySet(source, context)
  const key = readKey(source, context)
  return { algorithms: [source.algorithm], edition: () => 0, find: async () => [key] }
}

function openKeySet({ jwksUrl, algorithms = asymmetricAlgorithms }: KeySetSource, context: KeysContext): Keys {
  const { setting } = context
  if (algorithms.length === 0) {
    throw invalid(setting, 'the list of algorithms is empty; leave it out to accept every asymmetric one')
  }
  for (const algorithm of algorithms) {
    if (isSymmetric(algorithm)) {
      throw invalid(setting, `${algorithm} is for shared secrets and not accepted with a JWK Set`)
    }
    if (!asymmetricAlgorithms.includes(algorithm)) throw unknownAlgorithm(setting, algorithm, asymmetricAlgorithms)
  }
  if (!URL.canParse(jwksUrl)) throw invalid(setting, 'the URL of the JWK Set is not an absolute URL')
  const url = new URL(jwksUrl)
  if (!['https:', 'http:', 'file:'].includes(url.protocol)) {
    throw invalid(setting, 'a JWK Set is read from https://, http:// or file://')
  }
  if (url.protocol === 'file:' && url.host !== '') {
    throw invalid(setting, 'a file:// URL names no host: file:///path/to/jwks.json')
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(setting, 'the URL of a JWK Set cannot hold a user or password')
  }
  if (url.protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)) {
    context.warn(
      `${setting}: the JWK Set of ${url.host} is read over plain http; whoever is on the way can replace its keys.`,
    )
  }
  return new KeySet(url, algorithms, context)
}

/** Reads and checks a configured key, so that a wrong one stops the start and not each request. */
function readKey(
  { key: text, algorithm }: { key: string; algorithm: string },
  { setting, warn }: KeysContext,
): KeyObject {
  const shape = shapeOf.get(algorithm)
  if (shape === undefined) throw unknownAlgorithm(setting, algorithm, allAlgorithms)
  const jwk = parseJwk(text)
  if (jwk?.alg !== undefined && jwk.alg !== algorithm) {
    throw invalid(setting, `the key is a JWK for ${JSON.stringify(jwk.alg)}, the algorithm is ${algorithm}`)
  }
  if (shape.type === 'secret') return readSecret({ text, jwk, algorithm, bits: shape.bits ?? 0, setting, warn })
  if (/PRIVATE KEY-----/.test(text) || jwk?.d !== undefined) {
    warn(`${setting}: this is a private key. The hub only verifies: give it the public key alone.`)
  }
  const key = readPublicKey({ text, jwk, algorithm, setting })
  const misfit = describeMisfit(key, algorithm)
  if (misfit !== undefined) throw invalid(setting, misfit)
  return key
}

interface KeyText {
  readonly text: string
  readonly jwk: Jwk | undefined
  readonly algorithm: string
  readonly setting: string
}

function readSecret({
  text,
  jwk,
  algorithm,
  bits,
  setting,
  warn,
}: KeyText & { bits: number; warn(message: string): void }): KeyObject {
  // With a public key as the shared secret, everybody who has that key could mint tokens.
  if (/-----BEGIN/.test(text) || (jwk !== undefined && jwk.kty !== 'oct')) {
    throw invalid(
      setting,
      `this is not a shared secret as ${algorithm} needs; name the key's own algorithm, such as RS256 or ES256`,
    )
  }
  const secret =
    jwk === undefined ? Buffer.from(text) : Buffer.from(typeof jwk.k === 'string' ? jwk.k : '', 'base64url')
  if (secret.length === 0) throw invalid(setting, 'the secret is empty')
  if (wellKnownSecrets.has(text)) {
    warn(`${setting}: this is the secret of the documentation's examples: everybody can mint tokens for this hub.`)
  } else if (secret.length < bits / 8) {
    warn(
      `${setting}: the secret has ${secret.length} bytes, ${algorithm} wants ${bits / 8} random ones: a short one is guessed from any token.`,
    )
  }
  return createSecretKey(secret)
}

function readPublicKey({ text, jwk, algorithm, setting }: KeyText): KeyObject {
  try {
    if (jwk !== undefined) return createPublicKey({ key: jwk, format: 'jwk' })
    // Environment files keep a PEM on one line, with \n written out.
    return createPublicKey(text.includes('\n') ? text.trim() : text.trim().replaceAll('\\n', '\n'))
  } catch (cause) {
    throw invalid(
      setting,
      `the key cannot be read; ${algorithm} needs a public key or certificate in PEM, or a JWK`,
      cause,
    )
  }
}

const unknownAlgorithm = (setting: string, algorithm: string, known: readonly string[]): HubError =>
  invalid(setting, `the algorithm ${JSON.stringify(algorithm)} is not one of ${known.join(', ')}`)

const invalid = (setting: string, rule: string, cause?: unknown): HubError =>
  new HubError('configuration_invalid', `${setting}: ${rule}.`, { cause })
