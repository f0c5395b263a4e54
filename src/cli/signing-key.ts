import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import { describeReadFailure } from '../config/read-failure.ts'
import { HubError } from '../errors.ts'
import { describeMisfit, parseJwk } from '../http/tokens/signing.ts'

/**
 * The key of a `--key` argument and the algorithm to sign with: the one asked for, or what the key is for.
 * `argument` is a secret, a PEM private key or a JWK; `@FILE` and `@-` say where to read it.
 * @throws HubError `configuration_invalid` for what cannot sign
 */
export async function readSigningKey(argument: string, algorithm?: string): Promise<{ key: KeyObject; alg: string }> {
  const key = parseKey(await readText(argument))
  const alg = algorithm ?? naturalAlgorithm(key)
  const misfit = describeMisfit(key, alg)
  if (misfit !== undefined) throw invalid(`--alg: ${misfit}`)
  return { key, alg }
}

async function readText(argument: string): Promise<string> {
  if (!argument.startsWith('@')) return argument
  try {
    const text = argument === '@-' ? await readAll(process.stdin) : await readFile(argument.slice(1), 'utf8')
    // Editors and `echo` end a file with a line break that is no part of the secret.
    return text.replace(/\r?\n$/, '')
  } catch (cause) {
    const source = argument === '@-' ? 'standard input' : 'the file after the @'
    const start = argument === '@-' ? '' : `. Relative names start at ${process.cwd()}`
    throw invalid(`--key: ${source} cannot be read: ${describeReadFailure(cause)}${start}`, cause)
  }
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
  if (asymmetricKeyType === 'rsa') return 'RS256'
  if (asymmetricKeyType === 'ed25519') return 'EdDSA'
  const curves: Record<string, string> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }
  const algorithm = curves[asymmetricKeyDetails?.namedCurve ?? '']
  if (algorithm !== undefined) return algorithm
  throw invalid(`--key: a key of type ${asymmetricKeyType} signs no tokens; use RSA, EC on a P curve, or Ed25519`)
}

const invalid = (rule: string, cause?: unknown): HubError =>
  new HubError('configuration_invalid', `${rule}.`, { cause })
