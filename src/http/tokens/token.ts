import { hash } from 'node:crypto'
import { compactVerify, decodeJwt, decodeProtectedHeader, errors, type JWSHeaderParameters } from 'jose'
import { HubError, quote } from '../../errors.ts'
import type { Generation } from '../../protocol/generation.ts'
import { type Claims, isClaims } from '../../protocol/grant.ts'
import type { Keys } from './keys.ts'

/** A signed JWT as it arrived: decoded, nothing verified. */
export interface Token {
  readonly text: string
  readonly header: JWSHeaderParameters
  /** Whose rules apply to it: an access token (RFC 9068) says so in its `typ`, everything else is 0.x. */
  readonly generation: Generation
}

/** The keys that may have signed a token, and how messages speak of them. */
export interface VerifyingKeys {
  readonly keys: Keys
  /** Whom they verify: `publishers` or `subscribers`. */
  readonly bearers: string
  /** What the configuration calls them, such as `publisher_jwt_key (or jwt_key)`. */
  readonly setting: string
}

const maxTokenLength = 65_536
/** The decoder of jose lets white space and padding pass: one token would then have many texts. */
const compactJws = /^[\w-]+\.[\w-]+\.[\w-]*$/

/** `generation` is whose statuses apply to what cannot be read. @throws HubError `token_malformed` */
export function readToken(text: string, generation: Generation): Token {
  if (text.length > maxTokenLength) {
    throw new HubError('token_malformed', `The token has more than ${maxTokenLength} characters.`, { generation })
  }
  if (!compactJws.test(text)) {
    throw new HubError(
      'token_malformed',
      'The token is not a signed JWT: three parts in base64url with dots between them.',
      { generation, mend: 'Send it as it was issued: nothing cut off, no quotes, "Bearer" once.' },
    )
  }
  try {
    const header = decodeProtectedHeader(text)
    return { text, header, generation: isAccessToken(header.typ) ? '1.0' : '0.x' }
  } catch {
    // Without the cause: a parser's message quotes what it could not read.
    throw malformed('has a header that is not a JSON object in base64url', generation)
  }
}

const isAccessToken = (typ: unknown): boolean => typeof typ === 'string' && /^(application\/)?at\+jwt$/i.test(typ)

/** The same for every text of a token: its signature can be written in more than one way, what is signed cannot. */
export const fingerprintOf = ({ text }: Token): string =>
  hash('sha256', text.slice(0, text.lastIndexOf('.')), 'base64url')

/** The `iss` that a token claims to have: good for choosing the key that then proves it. @throws HubError `token_malformed` */
export function readIssuer(token: Token): unknown {
  try {
    return decodeJwt(token.text).iss
  } catch {
    throw malformed('has claims that are not a JSON object in base64url', token.generation)
  }
}

/** What a token claims, proven by nothing: to be shown, never to be relied on. @throws HubError `token_malformed` */
export function readUnverifiedClaims({ text, generation }: Token): Claims {
  return parseClaims(Buffer.from(text.split('.')[1] ?? '', 'base64url'), generation)
}

/** @throws HubError `token_algorithm` */
export function checkAlgorithm({ header, generation }: Token, { keys, bearers, setting }: VerifyingKeys): void {
  const { algorithms } = keys
  if (typeof header.alg === 'string' && algorithms.includes(header.alg)) return
  const accepted = algorithms.join(', ')
  throw new HubError(
    'token_algorithm',
    `The token's alg is ${quote(header.alg)}; this hub verifies ${bearers} with ${accepted}.`,
    {
      generation,
      mend: `Sign it with ${algorithms.length === 1 ? accepted : 'one of these'}, or change the algorithm of ${setting} in the hub's configuration.`,
    },
  )
}

/**
 * The claims of a token whose algorithm is accepted, themselves unchecked.
 * @throws HubError `token_key_unknown`, `token_keys_unreachable`, `token_signature`, `token_malformed`
 */
export async function verifySignature(token: Token, trusted: VerifyingKeys): Promise<Claims> {
  const { keys } = trusted
  let refusal: HubError | undefined
  for (const key of await findKeys(token, keys)) {
    try {
      const { payload } = await compactVerify(token.text, key, { algorithms: [...keys.algorithms] })
      return parseClaims(payload, token.generation)
    } catch (error) {
      refusal ??= describeFailure(error, token, trusted)
    }
  }
  throw refusal ?? unusableKey(token.generation)
}

async function findKeys({ header, generation }: Token, keys: Keys) {
  try {
    return await keys.find(header)
  } catch (cause) {
    throw cause instanceof HubError
      ? new HubError(cause.code, cause.says, { generation, mend: cause.mend, cause })
      : unusableKey(generation, cause)
  }
}

function parseClaims(payload: Uint8Array, generation: Generation): Claims {
  let claims: unknown
  try {
    claims = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    throw malformed('has claims that are not JSON in UTF-8', generation)
  }
  if (isClaims(claims)) return claims
  throw malformed('has claims that are not a JSON object', generation)
}

/** What to do about a signature that does not fit. */
export const signAgain = ({ setting }: VerifyingKeys): string => `Sign it with the key of ${setting}.`

/** Each failure of a verification under one of the hub's own codes. */
function describeFailure(error: unknown, { generation }: Token, trusted: VerifyingKeys): HubError {
  if (error instanceof HubError) return error
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new HubError(
      'token_signature',
      `The token's signature does not fit the key with which this hub verifies ${trusted.bearers}: it was signed with another key, or altered.`,
      {
        generation,
        mend: `${signAgain(trusted).slice(0, -1)}; "talaria token --explain" tells whether characters of it were lost on the way.`,
        cause: error,
      },
    )
  }
  if (error instanceof errors.JOSENotSupported) {
    return malformed('demands an extension (crit) that this hub does not know', generation, error)
  }
  if (error instanceof errors.JWSInvalid) {
    return malformed(`breaks a rule of signed JWTs: ${error.message}`, generation, error)
  }
  return unusableKey(generation, error)
}

/**
 * Checks `exp` and `nbf` against `now`, in milliseconds; both may have fractions of a second.
 * @throws HubError `token_expired`, `token_not_yet_valid`, `token_claims`
 */
export function checkTimes(claims: Claims, generation: Generation, now: number): void {
  const expiresAt = readTime(claims, 'exp', generation)
  const validFrom = readTime(claims, 'nbf', generation)
  if (expiresAt === undefined && generation === '1.0') {
    throw new HubError('token_claims', 'The token has no exp.', {
      generation,
      mend: 'Add one, in seconds since 1970: an access token must say when it expires.',
    })
  }
  if (expiresAt !== undefined && expiresAt <= now) {
    const ago = ((now - expiresAt) / 1000).toFixed(0)
    throw new HubError('token_expired', `The token expired at ${instant(expiresAt)} (${ago} s ago).`, {
      generation,
      mend: 'Send a fresh one; if this one is fresh, compare the clocks of its issuer and of the hub.',
    })
  }
  if (validFrom !== undefined && validFrom > now) {
    const ahead = ((validFrom - now) / 1000).toFixed(0)
    throw new HubError('token_not_yet_valid', `The token is valid from ${instant(validFrom)} (in ${ahead} s).`, {
      generation,
      mend: 'If that is now, compare the clocks of its issuer and of the hub.',
    })
  }
}

function readTime(claims: Claims, name: 'exp' | 'nbf', generation: Generation): number | undefined {
  const seconds = claims[name]
  if (seconds === undefined || (seconds === null && generation === '0.x')) return undefined
  if (typeof seconds === 'number') return seconds * 1000
  throw new HubError('token_claims', `The token's ${name} is not a number.`, {
    generation,
    mend: 'Write it as a number of seconds since 1970, not as text.',
  })
}

const instant = (ms: number): string =>
  Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${(ms / 1000).toExponential()} s`

const unusableKey = (generation: Generation, cause?: unknown): HubError =>
  new HubError('token_key_unknown', "The key that the token's kid and alg select cannot be used to verify it.", {
    generation,
    mend: "Correct that key in the hub's JWK Set, or sign with another one of it.",
    cause,
  })

const malformed = (rule: string, generation: Generation, cause?: unknown): HubError =>
  new HubError('token_malformed', `The token ${rule}.`, { generation, cause })
