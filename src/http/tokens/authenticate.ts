import { LRUCache } from 'lru-cache'
import { HubError } from '../../errors.ts'
import type { Generation } from '../../protocol/generation.ts'
import type { Grant } from '../../protocol/grant.ts'
import { hubPath } from '../../protocol/topic.ts'
import { type AllowedOrigins, compileOrigins } from '../origin.ts'
import {
  type AuthenticationRequest,
  type Credential,
  type CredentialPlaces,
  checkOrigin,
  findCredential,
  generationOfParameters,
} from './credentials.ts'
import { type Examination, examineToken } from './examine.ts'
import { Inquiry } from './inquiry.ts'
import { fingerprintOf, readToken, type Token } from './token.ts'
import { type Role, type Verified, Verifier, type VerifierOptions } from './verify.ts'

export type { Role }

export interface AuthenticatorOptions extends Omit<VerifierOptions, 'now'> {
  /** The cookies that hold tokens; their names may be the same. */
  readonly cookieNames: { readonly [generation in Generation]: string }
  readonly publishAllowedOrigins: readonly string[]
  /** The `aud` of 1.0 tokens. Absent: derived from each request. */
  readonly resourceIdentifier?: string | undefined
  /** Throws `token_revoked` for the grant of a revoked token. Absent: none is. */
  readonly checkRevoked?: (grant: Grant) => void
  /** Milliseconds since the epoch. Absent: the system's clock. */
  readonly now?: () => number
}

export interface Authenticator {
  /**
   * The grant of a request's token, at once where that token was verified before. `null`: the sender is anonymous, because
   * the request has no token or because this hub verifies nobody in that role.
   * @throws HubError `authorization_malformed`, `token_*`, `origin_*`; the promise rejects with the same
   */
  authenticate(request: AuthenticationRequest, role: Role): Grant | null | Promise<Grant | null>
  /**
   * Asks every rule of the token in a request's Authorization header, though one before is broken: why `authenticate` refuses it, and why
   * it still would. `diagnose`: say also which well-known mistake may have changed a secret, which tells something of the secret.
   */
  examine(request: AuthenticationRequest, role: Role, diagnose: boolean): Promise<Examination>
  /** Tokens of this role can be verified. */
  verifies(role: Role): boolean
  /** Whose statuses and challenges a request gets that has no readable token. */
  presume(request: Pick<AuthenticationRequest, 'topicParameter' | 'matchParameter'>): Generation
  /** What a token's `aud` must name: the configured identifier, or the hub's URL as the request addressed it. */
  resourceOf(request: Pick<AuthenticationRequest, 'origin'>): string
}

/** @throws HubError `configuration_invalid` for keys and origins that cannot be used */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  return new TokenAuthenticator(options)
}

const maxRememberedTokens = 20_000
/** Of all remembered tokens of a role together with their grants, which grow with the token's length. */
const maxRememberedBytes = 32 << 20
const bytesOf = (token: string): number => 1024 + 8 * token.length

/** A verified token and the resource for which it was verified. */
type Remembered = Verified & { readonly resource: string }

class TokenAuthenticator implements Authenticator {
  readonly #verifier: Verifier
  /** The one generation that this hub's tokens are of; `undefined`: both, or none. */
  readonly #only: Generation | undefined
  readonly #places: CredentialPlaces
  readonly #publishOrigins: AllowedOrigins
  readonly #resourceIdentifier: string | undefined
  readonly #checkRevoked: ((grant: Grant) => void) | undefined
  readonly #now: () => number
  /** Verified tokens by their text. One that is revoked is found out when it is used. */
  readonly #remembered = { publisher: createMemory(), subscriber: createMemory() }

  constructor(options: AuthenticatorOptions) {
    const { protocol, cookieNames, publishAllowedOrigins, resourceIdentifier, now = Date.now } = options
    const verifier = new Verifier({ ...options, now })
    const [one, other] = verifier.accepted
    this.#only = protocol !== 'auto' ? protocol : other === undefined ? one : undefined
    this.#places = { query: verifier.accepted.has('0.x'), cookies: orderCookies(cookieNames, protocol) }
    this.#publishOrigins = compileOrigins(publishAllowedOrigins, 'publish_allowed_origins')
    this.#resourceIdentifier = resourceIdentifier
    this.#verifier = verifier
    this.#checkRevoked = options.checkRevoked
    this.#now = now
  }

  verifies(role: Role): boolean {
    return this.#verifier.verifies(role)
  }

  presume(request: Pick<AuthenticationRequest, 'topicParameter' | 'matchParameter'>): Generation {
    return this.#only ?? generationOfParameters(request)
  }

  resourceOf({ origin }: Pick<AuthenticationRequest, 'origin'>): string {
    return this.#resourceIdentifier ?? `${origin}${hubPath}`
  }

  authenticate(request: AuthenticationRequest, role: Role): Grant | null | Promise<Grant | null> {
    if (!this.verifies(role)) return null
    const presumed = this.presume(request)
    const credential = findCredential(request, this.#places, presumed)
    if (credential === null) return null
    const resource = this.resourceOf(request)
    const known = this.#recall(credential.token, role, resource)
    if (known !== undefined) {
      this.#checkPlace(credential, request, known.generation)
      this.#checkRevoked?.(known)
      return known
    }
    const token = readToken(credential.token, presumed)
    this.#checkPlace(credential, request, token.generation)
    return this.#verify(token, role, resource)
  }

  async examine(request: AuthenticationRequest, role: Role, diagnose: boolean): Promise<Examination> {
    const presumed = this.presume(request)
    const inquiry = new Inquiry()
    const find = () => (this.verifies(role) ? findCredential(request, this.#places, presumed) : undefined)
    const credential = await inquiry.ask('credential', find, found =>
      found === undefined
        ? `This hub verifies no ${role}s: it looks at no token of theirs.`
        : found === null
          ? 'There is no token.'
          : 'There is a token.',
    )
    const { checks } = inquiry
    if (!credential) return { checks }
    const resource = this.resourceOf(request)
    const examination = await examineToken(credential.token, this.#verifier, { role, resource, presumed, diagnose })
    const last = new Inquiry()
    const { token, grant } = examination
    // Of a token that may be anybody's work nothing is told: it could name any subject.
    if (token !== undefined && grant !== undefined && examination.checks.every(({ ok }) => ok)) {
      const check = () => this.#checkRevoked?.({ ...grant, fingerprint: fingerprintOf(token) })
      if (this.#checkRevoked !== undefined) await last.ask('revocation', check, () => 'It was not revoked.')
    }
    return { ...examination, checks: [...checks, ...examination.checks, ...last.checks] }
  }

  /** Not every place is good for every token: a cookie proves who sent it but not which page, a query shows it to everybody. */
  #checkPlace({ from }: Credential, request: AuthenticationRequest, generation: Generation): void {
    if (from === 'cookie') checkOrigin(request, this.#publishOrigins, generation)
    if (from === 'query' && generation === '1.0') throw accessTokenInQuery()
  }

  /** The grant of a token verified before, unless it has expired, its keys have changed since, or it was for another resource. */
  #recall(text: string, role: Role, resource: string): Grant | undefined {
    const known = this.#remembered[role].get(text)
    if (known === undefined) return undefined
    const { grant, keys, edition } = known
    const expired = grant.expiresAt !== undefined && grant.expiresAt <= this.#now()
    const elsewhere = grant.generation === '1.0' && known.resource !== resource
    return expired || elsewhere || keys.edition() !== edition ? undefined : grant
  }

  async #verify(token: Token, role: Role, resource: string): Promise<Grant> {
    const memory = this.#remembered[role]
    memory.delete(token.text)
    const verified = await this.#verifier.verify(token, role, resource)
    this.#checkRevoked?.(verified.grant)
    memory.set(token.text, { ...verified, resource })
    return verified.grant
  }
}

/** A hub pinned to one generation looks for no cookie of the other. */
function orderCookies(
  names: AuthenticatorOptions['cookieNames'],
  protocol: AuthenticatorOptions['protocol'],
): CredentialPlaces['cookies'] {
  const old = protocol === '1.0' ? [] : [names['0.x']]
  const current = protocol === '0.x' ? [] : [names['1.0']]
  return { '0.x': [...old, ...current], '1.0': [...current, ...old] }
}

/** RFC 9700, section 4.3.2: addresses end up in logs and histories. */
const accessTokenInQuery = (): HubError =>
  new HubError(
    'token_generation',
    'An access token of 1.0 cannot come in the query: send it in the Authorization header or in a cookie.',
    { generation: '1.0' },
  )

const createMemory = () =>
  new LRUCache<string, Remembered>({
    max: maxRememberedTokens,
    maxSize: maxRememberedBytes,
    sizeCalculation: (_, token) => bytesOf(token),
  })
