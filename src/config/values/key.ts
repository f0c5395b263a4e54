import { createPublicKey, type KeyObject, type webcrypto } from 'node:crypto'
import {
  type Algorithm,
  type AsymmetricAlgorithm,
  algorithms,
  asymmetricAlgorithms,
  isAsymmetric,
  shapeOf,
} from '../../protocol/algorithm.ts'
import { invalid } from '../invalid.ts'

/** How tokens of one role are verified. */
export type Verifier =
  /** A secret as it is written for `HS…` (a JWK of type `oct` included), otherwise a public key as PEM (SubjectPublicKeyInfo). */
  | { readonly key: string; readonly algorithm: Algorithm }
  /** An `https:`, `http:` or `file:` URL of a JWK Set. */
  | { readonly jwksUrl: URL; readonly algorithms: readonly AsymmetricAlgorithm[] }

/**
 * Pairs a key with its algorithm, so that none can be used with another kind than its own.
 * @param text a secret, a PEM text (public key or certificate) or a JWK
 * @param algorithmKey the configuration key that states, or should state, the algorithm
 * @throws HubError `configuration_invalid`, the key not shown
 */
export function keyVerifier(text: string, algorithm: Algorithm | null, algorithmKey: string): Verifier {
  const jwk = parseJwk(text)
  algorithm = agreedAlgorithm(jwk, algorithm, algorithmKey)
  const publicKey = readPublicKey(text, jwk)
  if (publicKey === null) {
    if (countSecretBytes(text) === 0) throw invalid('holds an empty secret.')
    if (algorithm === null || !isAsymmetric(algorithm)) return { key: text, algorithm: algorithm ?? 'HS256' }
    throw invalid(`holds a plain secret, but ${algorithmKey} says ${algorithm}, which takes a public key in PEM form.`)
  }
  const possible = algorithmsOf(publicKey)
  if (possible.length === 0) throw invalid(`holds ${describe(publicKey)}, which no algorithm of this hub uses.`)
  if (algorithm === null)
    throw invalid(`holds a public key: state its algorithm in ${algorithmKey}, ${oneOf(possible)}.`)
  if (!isAsymmetric(algorithm)) {
    throw invalid(
      `holds a public key, but ${algorithmKey} says ${algorithm}, with which everybody who knows that key could sign tokens; say ${oneOf(possible)}.`,
    )
  }
  if (!possible.includes(algorithm)) {
    throw invalid(
      `holds ${describe(publicKey)}, but ${algorithmKey} says ${algorithm}; for this key say ${oneOf(possible)}.`,
    )
  }
  return { key: publicKey.export({ type: 'spki', format: 'pem' }).toString(), algorithm }
}

/** What a JWK says of itself counts as stated. */
function agreedAlgorithm(
  jwk: webcrypto.JsonWebKey | null,
  algorithm: Algorithm | null,
  algorithmKey: string,
): Algorithm | null {
  if (jwk?.alg === undefined) return algorithm
  const own = algorithms.find(name => name === jwk.alg)
  if (own === undefined) throw invalid('holds a JWK whose alg is none of this hub.')
  if (algorithm === null || algorithm === own) return own
  throw invalid(`holds a JWK for ${own}, but ${algorithmKey} says ${algorithm}.`)
}

/** How long a secret is that a `Verifier` holds. */
export function countSecretBytes(text: string): number {
  const jwk = parseJwk(text)
  if (jwk === null) return Buffer.byteLength(text)
  return typeof jwk.k === 'string' ? Buffer.from(jwk.k, 'base64url').length : 0
}

/** null: a secret. */
function readPublicKey(text: string, jwk: webcrypto.JsonWebKey | null): KeyObject | null {
  if (jwk?.kty === 'oct' || (jwk === null && !text.includes('-----BEGIN'))) return null
  if (text.includes('PRIVATE KEY-----') || jwk?.d !== undefined) {
    throw invalid(
      'holds a private key; the hub only verifies, give it the public one (openssl pkey -in private.pem -pubout).',
    )
  }
  try {
    if (jwk !== null) return createPublicKey({ key: jwk, format: 'jwk' })
    // Environment variables often carry the line breaks as two characters.
    return createPublicKey(text.includes('\n') ? text.trim() : text.trim().replaceAll('\\n', '\n'))
  } catch {
    throw invalid(`holds a ${jwk === null ? 'PEM text' : 'JWK'} that cannot be read as a public key.`)
  }
}

function parseJwk(text: string): webcrypto.JsonWebKey | null {
  if (!text.trimStart().startsWith('{')) return null
  try {
    const value: webcrypto.JsonWebKey | null = JSON.parse(text)
    return typeof value?.kty === 'string' ? value : null
  } catch {
    return null
  }
}

function algorithmsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly AsymmetricAlgorithm[] {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails ?? {}
  return asymmetricAlgorithms.filter(name => {
    const { type, curve, bits = 0 } = shapeOf.get(name)!
    return type === asymmetricKeyType && curve === namedCurve && modulusLength >= bits
  })
}

function describe(key: KeyObject): string {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  const detail = namedCurve ?? (modulusLength === undefined ? '' : `${modulusLength} bits`)
  return `a key of type ${key.asymmetricKeyType}${detail === '' ? '' : ` (${detail})`}`
}

const oneOf = (names: readonly string[]): string => (names.length === 1 ? names[0]! : `one of ${names.join(', ')}`)

/** @throws HubError `configuration_invalid`, the URL not shown: it may hold a secret */
export function parseKeySetUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^(https?|file):$/.test(url.protocol))
    throw invalid('must be an https:, http: or file: URL.')
  if (url.protocol === 'file:' && !/^file:\/\/[^/]*\//i.test(text)) {
    throw invalid('a file: URL is absolute: write file:///path/to/jwks.json.')
  }
  if (url.username !== '' || url.password !== '') throw invalid('must not hold a user and password.')
  if (url.protocol === 'file:' && url.host !== '')
    throw invalid('a file: URL names no host: write file:///path/to/jwks.json.')
  return url
}
