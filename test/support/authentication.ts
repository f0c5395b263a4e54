import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { JWTPayload } from 'jose'
import { type ErrorCode, HubError } from '../../src/errors.ts'
import {
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
} from '../../src/http/tokens/authenticate.ts'
import type { AuthenticationRequest } from '../../src/http/tokens/credentials.ts'
import type { Generation } from '../../src/protocol/generation.ts'
import { authorizationDetailType } from '../../src/protocol/grant.ts'
import { type CompileMatcher, createMatcherCompiler } from '../../src/protocol/matcher.ts'
import { secret, sign } from './keys.ts'

/** The time at which the hubs of these tests live, in milliseconds. */
export const now = Date.parse('2027-01-15T08:00:00.000Z')
export const nowSeconds = now / 1000

export const origin = 'https://hub.example'
export const resource = `${origin}/.well-known/mercure`
export const issuer = 'https://issuer.example'

/** Compiles matchers relative to this hub. */
export const compile: CompileMatcher = createMatcherCompiler({ base: resource })

/** Keeps what is logged and lets a test wait for the next line of a kind. */
export class TestLog {
  readonly lines: { level: 'info' | 'warn'; message: string; fields: object }[] = []
  readonly #written = new EventEmitter()

  info(fields: object, message: string): void {
    this.#write('info', fields, message)
  }

  warn(fields: object, message: string): void {
    this.#write('warn', fields, message)
  }

  async next(message: string): Promise<void> {
    await once(this.#written, message)
  }

  #write(level: 'info' | 'warn', fields: object, message: string): void {
    this.lines.push({ level, message, fields })
    this.#written.emit(message)
  }
}

export const cookieNames = { '0.x': 'mercureAuthorization', '1.0': '__Secure-mercure_access_token' }
export const hmac = { key: secret, algorithm: 'HS256' }
const issuers: AuthenticatorOptions['issuers'] = [{ id: issuer, publisher: hmac, subscriber: hmac }]
/** Options of a hub that accepts tokens of both generations, and of one that accepts those of 1.0 alone. */
export const bothGenerations: Partial<AuthenticatorOptions> = { issuers }
export const currentOnly: Partial<AuthenticatorOptions> = { legacy: undefined, issuers }

/** A 0.x token that names its subject, to tell tokens apart. */
export const legacyToken = (sub = 'old', claims: JWTPayload = {}): Promise<string> =>
  sign({ mercure: { subscribe: ['*'], publish: ['*'] }, sub, ...claims })

/** An access token of 1.0 for this hub. */
export const accessToken = (claims: JWTPayload = {}, header: object = {}): Promise<string> =>
  sign(
    {
      iss: issuer,
      aud: resource,
      exp: nowSeconds + 60,
      sub: 'access',
      authorization_details: [
        { type: authorizationDetailType, actions: ['publish', 'subscribe'], topics: [{ match: '*' }] },
      ],
      ...claims,
    },
    { header: { typ: 'at+jwt', ...header } },
  )

/** A hub's authenticator: 0.x keys for both roles unless told otherwise, at a fixed time. */
export function authenticator(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  return createAuthenticator({
    legacy: { publisher: hmac, subscriber: hmac },
    issuers: [],
    protocol: 'auto',
    cookieNames,
    publishAllowedOrigins: [],
    compileFor: () => compile,
    log: new TestLog(),
    now: () => now,
    ...options,
  })
}

export interface RequestOptions extends Partial<Omit<AuthenticationRequest, 'header'>> {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}

export function request({ headers = {}, ...rest }: RequestOptions = {}): AuthenticationRequest {
  return {
    method: 'GET',
    header: name => [headers[name] ?? []].flat(),
    queryAuthorization: [],
    topicParameter: false,
    matchParameter: false,
    origin,
    ...rest,
  }
}

export const withBearer = (token: string, rest: RequestOptions = {}): AuthenticationRequest =>
  request({ ...rest, headers: { ...rest.headers, authorization: `Bearer ${token}` } })

/** Asserts that something is refused with a code, a sentence and the statuses of a generation. */
export async function refuses(
  action: () => unknown,
  expected: { code: ErrorCode; sentence?: RegExp; generation?: Generation },
): Promise<HubError> {
  try {
    await action()
  } catch (error) {
    assert.ok(error instanceof HubError, `expected a HubError, got ${error}`)
    const { code, sentence, generation } = expected
    assert.equal(error.code, code, error.message)
    if (sentence !== undefined) assert.match(error.message, sentence)
    if (generation !== undefined) assert.equal(error.generation, generation)
    return error
  }
  assert.fail(`expected a refusal with ${expected.code}`)
}
