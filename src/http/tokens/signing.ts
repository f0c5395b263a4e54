import type { KeyObject } from 'node:crypto'
import { algorithms, shapeOf } from '../../protocol/algorithm.ts'

/** The secret of the shipped `mercure.yaml` and of the documentation: for a hub on the developer's own machine. */
export const developmentSecret = '!ChangeThisMercureHubJWTSecretKey!'

/** Why a key cannot serve an algorithm; `undefined`: it can. */
export function describeMisfit(key: KeyObject, algorithm: string): string | undefined {
  const shape = shapeOf.get(algorithm)
  if (shape === undefined) return `${algorithm} is not one of ${algorithms.join(', ')}`
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
