/** What a key must be to go with an algorithm. */
export interface KeyShape {
  readonly type: 'secret' | 'rsa' | 'ec' | 'ed25519'
  /** At least: of the secret (RFC 7518, section 3.2), or of the modulus (sections 3.3 and 3.5). */
  readonly bits?: number
  /** As OpenSSL calls it. */
  readonly curve?: string
}

/** Of each kind of key, the first is what it is for when nobody says. */
const shapes = {
  HS256: { type: 'secret', bits: 256 },
  HS384: { type: 'secret', bits: 384 },
  HS512: { type: 'secret', bits: 512 },
  RS256: { type: 'rsa', bits: 2048 },
  RS384: { type: 'rsa', bits: 2048 },
  RS512: { type: 'rsa', bits: 2048 },
  PS256: { type: 'rsa', bits: 2048 },
  PS384: { type: 'rsa', bits: 2048 },
  PS512: { type: 'rsa', bits: 2048 },
  ES256: { type: 'ec', curve: 'prime256v1' },
  ES384: { type: 'ec', curve: 'secp384r1' },
  ES512: { type: 'ec', curve: 'secp521r1' },
  EdDSA: { type: 'ed25519' },
  Ed25519: { type: 'ed25519' },
} as const satisfies Readonly<Record<string, KeyShape>>

/** By which tokens are signed: RFC 7518, RFC 8037 and RFC 9864. */
export type Algorithm = keyof typeof shapes
export type AsymmetricAlgorithm = Exclude<Algorithm, `HS${string}`>

export const shapeOf: ReadonlyMap<string, KeyShape> = new Map(Object.entries(shapes))
export const algorithms = Object.keys(shapes) as readonly Algorithm[]

export const isSymmetric = (algorithm: string): boolean => shapeOf.get(algorithm)?.type === 'secret'
export const isAsymmetric = (algorithm: Algorithm): algorithm is AsymmetricAlgorithm => !isSymmetric(algorithm)
/** What a key set may be used with: its keys are public, so never HMAC. */
export const asymmetricAlgorithms: readonly AsymmetricAlgorithm[] = algorithms.filter(isAsymmetric)
