import type { KeyObject } from 'node:crypto'

export type KeyShape = {
  readonly type: 'secret' | 'rsa' | 'ec' | 'ed25519'
  readonly bits?: number
  readonly curve?: string
}

/** What each algorithm needs: bytes of secret (RFC 7518, section 3.2), bits of modulus (section 3.3), or a curve. */
export const shapeOf: ReadonlyMap<string, KeyShape> = new Map<string, KeyShape>([
  ['HS256', { type: 'secret', bits: 256 }],
  ['HS384', { type: 'secret', bits: 384 }],
  ['HS512', { type: 'secret', bits: 512 }],
  ['RS256', { type: 'rsa', bits: 2048 }],
  ['RS384', { type: 'rsa', bits: 2048 }],
  ['RS512', { type: 'rsa', bits: 2048 }],
  ['PS256', { type: 'rsa', bits: 2048 }],
  ['PS384', { type: 'rsa', bits: 2048 }],
  ['PS512', { type: 'rsa', bits: 2048 }],
  ['ES256', { type: 'ec', curve: 'prime256v1' }],
  ['ES384', { type: 'ec', curve: 'secp384r1' }],
  ['ES512', { type: 'ec', curve: 'secp521r1' }],
  ['EdDSA', { type: 'ed25519' }],
  ['Ed25519', { type: 'ed25519' }],
])

export const isSymmetric = (algorithm: string): boolean => shapeOf.get(algorithm)?.type === 'secret'
export const allAlgorithms = [...shapeOf.keys()]
/** A published key set must never be taken for a shared secret: HMAC is not for it. */
export const asymmetricAlgorithms = allAlgorithms.filter(algorithm => !isSymmetric(algorithm))

/** Why a key cannot serve an algorithm; `undefined`: it can. */
export function describeMisfit(key: KeyObject, algorithm: string): string | undefined {
  const shape = shapeOf.get(algorithm)
  if (shape === undefined) return `${algorithm} is not one of ${allAlgorithms.join(', ')}`
  const type = key.type === 'secret' ? 'secret' : key.asymmetricKeyType
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  if (type !== shape.type) return `the key is of type ${type}, ${algorithm} needs ${shape.type}`
  if (namedCurve !== shape.curve) return `the key is on the curve ${namedCurve}, ${algorithm} needs ${shape.curve}`
  if (type === 'rsa' && modulusLength < (shape.bits ?? 0)) {
    return `the key has ${modulusLength} bits, ${algorithm} needs ${shape.bits}`
  }
  return undefined
}

/** A JSON Web Key (RFC 7517), its members unchecked. */
export type Jwk = { readonly [member: string]: unknown } & { readonly kty: string }

/** `undefined`: not a JWK, so a secret or a PEM text. */
export function parseJwk(text: string): Jwk | undefined {
  if (!text.trimStart().startsWith('{')) return undefined
  try {
    const value: { kty?: unknown } = JSON.parse(text)
    return typeof value.kty === 'string' ? { ...value, kty: value.kty } : undefined
  } catch {
    return undefined
  }
}
