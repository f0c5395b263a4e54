import { HubError, quote } from '../../errors.ts'
import type { Generation } from '../../protocol/generation.ts'
import { type Claims, type Grant, readGrant0x, readGrant1 } from '../../protocol/grant.ts'
import type { CompileMatcher } from '../../protocol/matcher.ts'
import type { KeySetContext } from './key-set.ts'
import { type KeySource, type Keys, openKeys } from './keys.ts'
import { checkTimes, readIssuer, type Token, verifyToken } from './token.ts'

/** What a token's bearer wants to be. */
export type Role = 'publisher' | 'subscriber'

type PerRole<T> = { readonly [role in Role]?: T | undefined }

export interface VerifierOptions {
  /** The keys of 0.x tokens. Absent: no 0.x token is accepted. */
  readonly legacy?: PerRole<KeySource> | undefined
  /** Who may issue 1.0 access tokens; a role without keys is refused for that issuer. Empty: no 1.0 token is accepted. */
  readonly issuers: readonly ({ readonly id: string } & PerRole<KeySource>)[]
  readonly protocol: 'auto' | Generation
  /** Compiles a token's matchers; those of 1.0 are relative to the resource that the token is for. */
  readonly compileFor: (resource: string) => CompileMatcher
  readonly log: KeySetContext['log']
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** A grant, and the keys that vouch for it: it holds as long as their edition stays. */
export interface Verified {
  readonly grant: Grant
  readonly keys: Keys
  readonly edition: number
}

const bearersOf = { publisher: 'publishers', subscriber: 'subscribers' } as const

/** The keys that a hub trusts, and the rules that choose among them: a token of one generation never meets the keys of the other. */
export class Verifier {
  /** The generations whose tokens are accepted. */
  readonly accepted: ReadonlySet<Generation>
  /** Sentences for the operator. */
  readonly warnings: readonly string[]
  readonly #legacy: PerRole<Keys>
  readonly #issuers: ReadonlyMap<unknown, PerRole<Keys>>
  readonly #compileFor: VerifierOptions['compileFor']
  readonly #now: () => number

  /** @throws HubError `configuration_invalid` for keys that cannot be used */
  constructor({ legacy = {}, issuers, protocol, compileFor, log, now }: VerifierOptions) {
    const warnings = new Set<string>()
    const open = (source: KeySource | undefined, setting: string) =>
      source && openKeys(source, { setting, log, now, warn: message => warnings.add(message) })
    const openRoles = ({ publisher, subscriber }: PerRole<KeySource>, setting: (role: Role) => string) => ({
      publisher: open(publisher, setting('publisher')),
      subscriber: open(subscriber, setting('subscriber')),
    })
    this.#legacy = openRoles(protocol === '1.0' ? {} : legacy, role => `${role}_jwt_key`)
    const trusted = protocol === '0.x' ? [] : issuers
    this.#issuers = new Map(
      trusted.map(issuer => [issuer.id, openRoles(issuer, role => `issuers: ${issuer.id}: ${role}`)]),
    )
    const accepted = new Set<Generation>()
    if (this.#legacy.publisher !== undefined || this.#legacy.subscriber !== undefined) accepted.add('0.x')
    if (this.#issuers.size > 0) accepted.add('1.0')
    this.accepted = accepted
    this.#compileFor = compileFor
    this.#now = now
    this.warnings = [...warnings]
  }

  verifies(role: Role): boolean {
    return this.#legacy[role] !== undefined || this.#issuers.values().some(keys => keys[role] !== undefined)
  }

  /** @throws HubError `token_*` */
  async verify(token: Token, role: Role, resource: string): Promise<Verified> {
    const { generation } = token
    const keys = generation === '1.0' ? this.#keysOfIssuer(token, role) : this.#keysOf0x(token, role)
    const edition = keys.edition()
    const claims = await verifyToken(token, keys, bearersOf[role])
    checkTimes(claims, generation, this.#now())
    if (generation === '1.0') checkAudience(claims, resource)
    const read = generation === '1.0' ? readGrant1 : readGrant0x
    return { grant: read(claims, this.#compileFor(resource)), keys, edition }
  }

  #keysOfIssuer(token: Token, role: Role): Keys {
    if (!this.accepted.has('1.0')) {
      throw new HubError(
        'token_generation',
        'The token is an access token of 1.0 (its typ is at+jwt), and this hub accepts 0.x tokens only: send one of those, or name the issuer under "issuers" in its configuration.',
        { generation: '0.x' },
      )
    }
    const issuer = readIssuer(token)
    if (issuer === undefined) throw issuerRefused('The token has no iss: an access token must say who issued it.')
    const roles = this.#issuers.get(issuer)
    if (roles === undefined) {
      throw issuerRefused(`The token's iss is ${quote(issuer)}, which this hub does not trust.`)
    }
    const keys = roles[role]
    if (keys !== undefined) return keys
    throw issuerRefused(`The token's iss is ${quote(issuer)}, which this hub does not trust for ${bearersOf[role]}.`)
  }

  #keysOf0x(token: Token, role: Role): Keys {
    const keys = this.#legacy[role]
    if (keys !== undefined) return keys
    throw new HubError(
      'token_type',
      `The token's typ is ${quote(token.header.typ)}; this hub verifies ${bearersOf[role]} by access tokens of 1.0 only, whose typ is "at+jwt".`,
      { generation: '1.0' },
    )
  }
}

const issuerRefused = (message: string): HubError => new HubError('token_issuer', message, { generation: '1.0' })

/** RFC 7519, section 4.1.3: one string or a list of them. */
function checkAudience({ aud }: Claims, resource: string): void {
  if (Array.isArray(aud) ? aud.includes(resource) : aud === resource) return
  throw new HubError('token_audience', `The token's aud is ${quote(aud)}; it must name this hub, ${quote(resource)}.`, {
    generation: '1.0',
  })
}
