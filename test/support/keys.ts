import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type JWTPayload, SignJWT } from 'jose'

/** A secret as long as HS512 wants it. */
export const secret = 'a-secret-of-sixty-four-bytes-for-the-tests-of-every-hmac-length!'
export const secretKey = Buffer.from(secret)

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const made = new Map<string, KeyPair>()

/** A key pair for an algorithm, made once a process: RSA keys take long. `which` tells several pairs of one algorithm apart. */
export function keyPair(algorithm: string, which = ''): KeyPair {
  const type = /^[RP]S/.test(algorithm) ? 'RSA' : algorithm
  const name = `${type} ${which}`
  const pair = made.get(name) ?? generate(type)
  made.set(name, pair)
  return pair
}

function generate(type: string): KeyPair {
  const curves: Record<string, string> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }
  if (type === 'RSA') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (type === 'EdDSA') return generateKeyPairSync('ed25519')
  return generateKeyPairSync('ec', { namedCurve: curves[type] ?? 'P-256' })
}

/** A token with any claims, signed by `secret` unless told otherwise. */
export async function sign(
  claims: JWTPayload,
  options: { alg?: string; key?: KeyObject | Uint8Array; header?: Record<string, unknown> } = {},
): Promise<string> {
  const { alg = 'HS256', key = secretKey, header = {} } = options
  return new SignJWT(claims).setProtectedHeader({ alg, ...header }).sign(key)
}

export const spki = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()
export const pkcs8 = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString()

/** A key as a member of a JWK Set. */
export const publicJwk = (key: KeyObject, members: { kid?: string; alg?: string; use?: string } = {}): object => ({
  ...key.export({ format: 'jwk' }),
  ...members,
})
