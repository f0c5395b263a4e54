import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto'
import { HubError } from '../errors.ts'
import { describeMisfit, parseJwk } from '../http/tokens/signing.ts'
import { asymmetricAlgorithms, shapeOf } from '../protocol/algorithm.ts'
import { readTextArgument } from './text-argument.ts'

/**
 * The key of a `--key` argument and the algorithm to sign with: the one asked for, or what the key is for.
 * `argument` is a secret, a PEM private key or a JWK; `@FILE` and `@-` say where to read it.
 * @throws HubError `configuration_invalid` for what cannot sign
 */
export async function readSigningKey(argument: string, algorithm?: string): Promise<{ key: KeyObject; alg: string }> {
  const key = parseKey(await readTextArgument('--key', argument))
  const alg = algorithm ?? naturalAlgorithm(key)
  const misfit = describeMisfit(key, alg)
  if (misfit !== undefined) throw invalid(`--alg: ${misfit}`)
  return { key, alg }
}

function parseKey(text: string): KeyObject {
  const jwk = parseJwk(text)
  if (jwk === undefined && !text.includes('-----BEGIN')) return secretKey(Buffer.from(text))
  if (jwk?.kty === 'oct') return secretKey(Buffer.from(typeof jwk.k === 'string' ? jwk.k : '', 'base64url'))
  try {
    return jwk === undefined
      ? createPrivateKey(text.replaceAll('\\n', '\n'))
      : createPrivateKey({ key: jwk, format: 'jwk' })
  } catch (cause) {
    throw invalid(
      '--key: there is no private key in it; tokens are signed with one, in PEM without a passphrase or as a JWK',
      cause,
    )
  }
}

function secretKey(secret: Buffer): KeyObject {
  if (secret.length === 0) throw invalid('--key: the secret is empty')
  return createSecretKey(secret)
}

/** What a key is for when nobody says: its curve decides, else the shortest hash. */
function naturalAlgorithm({ type, asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  if (type === 'secret') return 'HS256'
  const algorithm = asymmetricAlgorithms.find(name => {
    const shape = shapeOf.get(name)!
    return shape.type === asymmetricKeyType && shape.curve === asymmetricKeyDetails?.namedCurve
  })
  if (algorithm !== undefined) return algorithm
  throw invalid(`--key: a key of type ${asymmetricKeyType} signs no tokens; use RSA, EC on a P curve, or Ed25519`)
}

const invalid = (rule: string, cause?: unknown): HubError =>
  new HubError('configuration_invalid', `${rule}.`, { cause })
