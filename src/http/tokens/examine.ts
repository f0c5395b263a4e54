import { HubError, quote } from '../../errors.ts'
import type { Generation } from '../../protocol/generation.ts'
import type { Claims, Grant } from '../../protocol/grant.ts'
import { mendOf } from './doubt.ts'
import { attempt, type Check, Inquiry } from './inquiry.ts'
import { readToken, readUnverifiedClaims, signAgain, type Token } from './token.ts'
import { checkAudience, type Role, type Verifier } from './verify.ts'

/** All that can be said of a token. Only the checks say what of it is proven. */
export interface Examination {
  readonly checks: readonly Check[]
  readonly token?: Token
  readonly claims?: Claims
  readonly grant?: Grant | undefined
}

export interface ExamineOptions {
  readonly role: Role
  /** What the token's `aud` must name. */
  readonly resource: string
  /** Whose statuses apply to what cannot be read. */
  readonly presumed: Generation
  /** Say also which well-known mistake made a signature that does not fit: it tells something of the key. */
  readonly diagnose: boolean
}

/**
 * Asks every rule that a token meets when it is verified, in the same order, though one before is broken: so a token that has expired and
 * was signed with another key is known to be both. What cannot be asked is left out.
 */
export async function examineToken(text: string, verifier: Verifier, options: ExamineOptions): Promise<Examination> {
  const { role, resource, presumed, diagnose } = options
  const inquiry = new Inquiry()
  const { checks } = inquiry
  const token = await inquiry.ask('form', () => readToken(text, presumed), describeToken)
  if (token === undefined) return { checks }
  const claims = await attempt(() => readUnverifiedClaims(token))
  await askSignature(inquiry, token, verifier, { role, diagnose })
  if (claims instanceof HubError) {
    await inquiry.ask('claims', () => Promise.reject(claims), String)
    return { checks, token }
  }
  await inquiry.ask(
    'times',
    () => verifier.checkTimes(claims, token),
    () => describeTimes(claims),
  )
  if (token.generation === '1.0') {
    await inquiry.ask(
      'audience',
      () => checkAudience(claims, resource),
      () => `Its aud names this hub, ${quote(resource)}.`,
    )
  }
  const grant = await inquiry.ask('claims', () => verifier.readGrant(claims, token, resource), describeGrant)
  return { checks, token, claims, grant }
}

async function askSignature(
  inquiry: Inquiry,
  token: Token,
  verifier: Verifier,
  { role, diagnose }: Pick<ExamineOptions, 'role' | 'diagnose'>,
): Promise<void> {
  const trusted = await inquiry.ask(
    'trust',
    () => verifier.keysOf(token, role),
    ({ bearers }) =>
      `This hub accepts ${bearers} with such a token${token.generation === '1.0' ? ' of this iss' : ''}.`,
  )
  if (trusted === undefined) return
  const accept = () => {
    verifier.checkAlgorithm(token, trusted)
    return true
  }
  const isAccepted = await inquiry.ask('algorithm', accept, () => `Its alg, ${quote(token.header.alg)}, is accepted.`)
  if (isAccepted === undefined) {
    explainMistake()
    return
  }
  const outcome = await attempt(() => verifier.verifySignature(token, trusted))
  const isRefused = outcome instanceof HubError
  const verify = () => {
    if (isRefused) throw outcome
  }
  await inquiry.ask('signature', verify, () => `It was signed with the key of ${trusted.setting}.`)
  // That `--explain` would tell is no news here.
  if (isRefused)
    explainMistake(outcome.code === 'token_signature' ? signAgain(trusted) : undefined, verifier.doubtOf(token))

  function explainMistake(otherwise?: string, doubt?: string): void {
    const mistake = diagnose ? (verifier.diagnose(token, role) ?? otherwise) : undefined
    if (mistake !== undefined) inquiry.explainLast(mendOf(doubt, mistake))
  }
}

const describeToken = ({ header, generation }: Token): string =>
  `It is a signed JWT of generation ${generation}: its typ is ${quote(header.typ)}.`

function describeTimes({ exp }: Claims): string {
  if (typeof exp !== 'number') return 'It does not expire.'
  const instant = new Date(exp * 1000)
  return `It is valid until ${Number.isNaN(instant.getTime()) ? 'the end of time' : instant.toISOString()}.`
}

const describeGrant = ({ publish, subscribe, doubt }: Grant): string =>
  `It grants publishing to ${listed(publish)}, and private updates of ${listed(subscribe)}.${doubt === undefined ? '' : ` ${doubt}`}`

const maxListed = 5

function listed(matchers: Grant['publish']): string {
  if (matchers === null || matchers.length === 0) return 'no topic'
  const names = matchers.slice(0, maxListed).map(({ pattern }) => (pattern === '*' ? 'every topic' : quote(pattern)))
  return matchers.length > maxListed ? `${names.join(', ')} and ${matchers.length - maxListed} more` : names.join(', ')
}
