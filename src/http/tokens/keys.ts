import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { HubError } from '../../errors.ts'
import { algorithms as allAlgorithms, asymmetricAlgorithms, isSymmetric, shapeOf } from '../../protocol/algorithm.ts'
import { type KeyHint, KeySet, type KeySetContext } from './key-set.ts'
import { describeMisfit, type Jwk, parseJwk } from './signing.ts'

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

/** @throws HubError `configuration_invalid`, which names the setting */
export function openKeys(source: KeySource, context: KeySetContext): Keys {
  if ('jwksUrl' in source) return openKeySet(source, context)
  const key = readKey(source, context.setting)
  return { algorithms: [source.algorithm], edition: () => 0, find: async () => [key] }
}

function openKeySet({ jwksUrl, algorithms = asymmetricAlgorithms }: KeySetSource, context: KeySetContext): Keys {
  const { setting } = context
  if (algorithms.length === 0) {
    throw invalid(setting, 'the list of algorithms is empty; leave it out to accept every asymmetric one')
  }
  for (const algorithm of algorithms) {
    if (isSymmetric(algorithm)) {
      throw invalid(setting, `${algorithm} is for shared secrets and not accepted with a JWK Set`)
    }
    if (!shapeOf.has(algorithm)) throw unknownAlgorithm(setting, algorithm, asymmetricAlgorithms)
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
  return new KeySet(url, algorithms, context)
}

/** Reads and checks a configured key, so that a wrong one stops the start and not each request. */
function readKey({ key: text, algorithm }: { key: string; algorithm: string }, setting: string): KeyObject {
  const shape = shapeOf.get(algorithm)
  if (shape === undefined) throw unknownAlgorithm(setting, algorithm, allAlgorithms)
  const jwk = parseJwk(text)
  if (jwk?.alg !== undefined && jwk.alg !== algorithm) {
    throw invalid(setting, `the key is a JWK for ${JSON.stringify(jwk.alg)}, the algorithm is ${algorithm}`)
  }
  if (shape.type === 'secret') return readSecret({ text, jwk, algorithm, setting })
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

function readSecret({ text, jwk, algorithm, setting }: KeyText): KeyObject {
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
