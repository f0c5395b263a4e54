import { HubError, quote } from '../../errors.ts'
import { isSymmetric } from '../../protocol/algorithm.ts'
import type { Generation } from '../../protocol/generation.ts'
import { type Claims, type Grant, readGrant0x, readGrant1 } from '../../protocol/grant.ts'
import type { CompileMatcher } from '../../protocol/matcher.ts'
import { doubtOf, mendOf } from './doubt.ts'
import type { KeySetContext } from './key-set.ts'
import { type KeySource, type Keys, openKeys } from './keys.ts'
import { explainSignature, type NamedSecret } from './lost-characters.ts'
import {
  checkAlgorithm,
  checkTimes,
  fingerprintOf,
  readIssuer,
  readUnverifiedClaims,
  type Token,
  type VerifyingKeys,
  verifySignature,
} from './token.ts'

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

/** The keys of one role. */
interface RoleKeys extends VerifyingKeys {
  /** `undefined`: public keys. */
  readonly secret: NamedSecret | undefined
}

/** What the keys of a role are called: in the configuration's own problems, to clients, and to the operator who has several. */
function namesOf(source: KeySource, role: Role, issuer: string | undefined) {
  if (issuer !== undefined) {
    return {
      setting: `issuers: ${issuer}: ${role}`,
      shown: `that issuer's ${role} (under "issuers")`,
      secret: `the ${role} of ${quote(issuer)}`,
    }
  }
  const shown = 'jwksUrl' in source ? `${role}_jwks_url` : `${role}_jwt_key (or jwt_key)`
  return { setting: `${role}_jwt_key`, shown, secret: shown }
}

/** What a token meets that is checked against keys it was not signed for. */
const keyRefusals: ReadonlySet<string> = new Set(['token_algorithm', 'token_key_unknown', 'token_signature'])

/** At least this much between two diagnoses for the log: whoever sends wrong tokens must not make the hub compute. */
const diagnosisFloorMs = 1000

/** The keys that a hub trusts, and the rules that choose among them: a token of one generation never meets the keys of the other. */
export class Verifier {
  /** The generations whose tokens are accepted. */
  readonly accepted: ReadonlySet<Generation>
  readonly #legacy: PerRole<RoleKeys>
  readonly #issuers: ReadonlyMap<unknown, PerRole<RoleKeys>>
  readonly #secrets: readonly NamedSecret[]
  readonly #compileFor: VerifierOptions['compileFor']
  readonly #now: () => number
  #diagnosedAt = Number.NEGATIVE_INFINITY

  /** @throws HubError `configuration_invalid` for keys that cannot be used */
  constructor({ legacy = {}, issuers, protocol, compileFor, log, now }: VerifierOptions) {
    const open = (sources: PerRole<KeySource>, role: Role, issuer?: string): RoleKeys | undefined => {
      const source = sources[role]
      if (source === undefined) return undefined
      const { setting, shown, secret } = namesOf(source, role, issuer)
      const isSecret = 'key' in source && isSymmetric(source.algorithm)
      return {
        keys: openKeys(source, { setting, log, now }),
        bearers: bearersOf[role],
        setting: shown,
        secret: isSecret ? { name: secret, text: source.key } : undefined,
      }
    }
    const openRoles = (sources: PerRole<KeySource>, issuer?: string) => ({
      publisher: open(sources, 'publisher', issuer),
      subscriber: open(sources, 'subscriber', issuer),
    })
    this.#legacy = openRoles(protocol === '1.0' ? {} : legacy)
    const trusted = protocol === '0.x' ? [] : issuers
    this.#issuers = new Map(trusted.map(issuer => [issuer.id, openRoles(issuer, issuer.id)]))
    this.#secrets = [this.#legacy, ...this.#issuers.values()]
      .flatMap(({ publisher, subscriber }) => [publisher?.secret, subscriber?.secret])
      .filter(secret => secret !== undefined)
    const accepted = new Set<Generation>()
    if (this.#legacy.publisher !== undefined || this.#legacy.subscriber !== undefined) accepted.add('0.x')
    if (this.#issuers.size > 0) accepted.add('1.0')
    this.accepted = accepted
    this.#compileFor = compileFor
    this.#now = now
  }

  verifies(role: Role): boolean {
    return this.#legacy[role] !== undefined || this.#issuers.values().some(keys => keys[role] !== undefined)
  }

  /** @throws HubError `token_*` */
  async verify(token: Token, role: Role, resource: string): Promise<Verified> {
    const trusted = this.keysOf(token, role)
    const edition = trusted.keys.edition()
    this.checkAlgorithm(token, trusted)
    const claims = await this.verifySignature(token, trusted).catch(error => {
      throw this.#diagnosed(error, token, role)
    })
    this.checkTimes(claims, token)
    if (token.generation === '1.0') checkAudience(claims, resource)
    const grant = { ...this.readGrant(claims, token, resource), fingerprint: fingerprintOf(token) }
    return { grant, keys: trusted.keys, edition }
  }

  /** The keys that must have signed a token, chosen by what it says of itself. @throws HubError `token_*` */
  keysOf(token: Token, role: Role): RoleKeys {
    return token.generation === '1.0' ? this.#keysOfIssuer(token, role) : this.#keysOf0x(token, role)
  }

  /** @throws HubError `token_algorithm` */
  checkAlgorithm(token: Token, trusted: RoleKeys): void {
    try {
      checkAlgorithm(token, trusted)
    } catch (error) {
      throw this.#doubted(error, token)
    }
  }

  /**
   * The claims of a token whose algorithm is accepted.
   * @throws HubError `token_key_unknown`, `token_keys_unreachable`, `token_signature`, `token_malformed`
   */
  async verifySignature(token: Token, trusted: RoleKeys): Promise<Claims> {
    try {
      return await verifySignature(token, trusted)
    } catch (error) {
      throw this.#doubted(error, token)
    }
  }

  /** Why a token was rather meant as one of the other generation, judged by what nobody has proven; `undefined`: nothing tells. */
  doubtOf(token: Token): string | undefined {
    try {
      return doubtOf(token, readUnverifiedClaims(token), iss => this.#issuers.has(iss))
    } catch {
      return undefined
    }
  }

  /** @throws HubError `token_expired`, `token_not_yet_valid`, `token_claims` */
  checkTimes(claims: Claims, { generation }: Token): void {
    checkTimes(claims, generation, this.#now())
  }

  /** @throws HubError `token_claims` */
  readGrant(claims: Claims, token: Token, resource: string): Grant {
    const grant = (token.generation === '1.0' ? readGrant1 : readGrant0x)(claims, this.#compileFor(resource))
    if (grant.publish !== null || grant.subscribe !== null) return grant
    const doubt = doubtOf(token, claims, iss => this.#issuers.has(iss))
    return doubt === undefined ? grant : { ...grant, doubt }
  }

  /** Which well-known mistake made a signature that does not fit, in a sentence that shows no key; `undefined`: none. */
  diagnose(token: Token, role: Role): string | undefined {
    return explainSignature(token, this.keysOf(token, role).secret, this.#secrets)
  }

  /** With a diagnosis as the cause, which is for the log alone: it says something of the key. */
  #diagnosed(error: unknown, token: Token, role: Role): unknown {
    if (!(error instanceof HubError) || error.code !== 'token_signature') return error
    const { code, says, mend, generation, cause } = error
    if (Math.abs(this.#now() - this.#diagnosedAt) < diagnosisFloorMs) return error
    this.#diagnosedAt = this.#now()
    const diagnosis = this.diagnose(token, role)
    return diagnosis === undefined
      ? error
      : new HubError(code, says, { mend, generation, cause: new Error(diagnosis, { cause }) })
  }

  /** A refusal that the other generation's keys might not have made says so. */
  #doubted(error: unknown, token: Token): unknown {
    if (!(error instanceof HubError) || !keyRefusals.has(error.code)) return error
    const doubt = this.doubtOf(token)
    if (doubt === undefined) return error
    const { code, says, mend = '', generation, cause } = error
    return new HubError(code, says, { mend: mendOf(doubt, mend), generation, cause })
  }

  #keysOfIssuer(token: Token, role: Role): RoleKeys {
    if (!this.accepted.has('1.0')) {
      throw new HubError(
        'token_generation',
        'The token is an access token of 1.0 (its typ is at+jwt), and this hub accepts 0.x tokens only.',
        {
          generation: '0.x',
          mend: 'Send one of those, with another typ, or name the issuer under "issuers" in the configuration of the hub.',
        },
      )
    }
    const issuer = readIssuer(token)
    if (issuer === undefined) {
      throw issuerRefused(
        'The token has no iss: an access token must say who issued it.',
        'Set it to the id of an issuer that the hub has under "issuers".',
      )
    }
    const roles = this.#issuers.get(issuer)
    if (roles === undefined) {
      throw issuerRefused(
        `The token's iss is ${quote(issuer)}, which this hub does not trust.`,
        'Take a token of an issuer that it trusts, or add this one under "issuers" in its configuration, letter by letter.',
      )
    }
    const keys = roles[role]
    if (keys !== undefined) return keys
    throw issuerRefused(
      `The token's iss is ${quote(issuer)}, which this hub does not trust for ${bearersOf[role]}.`,
      `Take a token of another issuer, or add a ${role} to this one under "issuers" in the configuration of the hub.`,
    )
  }

  #keysOf0x(token: Token, role: Role): RoleKeys {
    const keys = this.#legacy[role]
    if (keys !== undefined) return keys
    throw new HubError(
      'token_type',
      `The token's typ is ${quote(token.header.typ)}; this hub verifies ${bearersOf[role]} by access tokens of 1.0 only, whose typ is "at+jwt".`,
      {
        generation: '1.0',
        mend: `Take such a token, or set ${role}_jwt_key in the configuration of the hub, for 0.x tokens.`,
      },
    )
  }
}

const issuerRefused = (says: string, mend: string): HubError =>
  new HubError('token_issuer', says, { generation: '1.0', mend })

/** RFC 7519, section 4.1.3: one string or a list of them. @throws HubError `token_audience` */
export function checkAudience({ aud }: Claims, resource: string): void {
  if (Array.isArray(aud) ? aud.includes(resource) : aud === resource) return
  throw new HubError('token_audience', `The token's aud is ${quote(aud)}; it must name this hub, ${quote(resource)}.`, {
    generation: '1.0',
    mend: 'Have it issued for that, or set resource_identifier to what clients call the hub (behind a proxy: use_forwarded_headers).',
  })
}
