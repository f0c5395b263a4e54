import { HubError, quote } from '../errors.ts'
import { matchesAny } from '../hub/selection.ts'
import type { Generation } from '../protocol/generation.ts'
import type { Claims, Grant } from '../protocol/grant.ts'
import type { Matcher } from '../protocol/matcher.ts'
import { describeRefusal } from './problem.ts'
import { type Action, actions, type PermitOptions, permit, type Question, requestOf, roleOf } from './question.ts'
import { attempt, type Check, Inquiry } from './tokens/inquiry.ts'

export interface JudgeOptions extends PermitOptions {
  /** Name also the mistake that may have changed a secret: only for those who may know something of it. */
  readonly diagnose: boolean
}

/** What a request is answered. */
export interface Verdict {
  readonly accepted: boolean
  readonly status: number
  readonly code: string | null
  readonly message: string | null
  /** `WWW-Authenticate`. */
  readonly challenge: string | null
}

type Shown = Pick<Matcher, 'kind' | 'pattern'>

/** Why a hub accepts or refuses a token. Header, claims and grants are what the token says; the checks say what of that is true. */
export interface Explanation {
  readonly action: Action
  readonly generation: Generation | null
  readonly header: object | null
  readonly claims: Claims | null
  /** In ISO 8601. */
  readonly expiresAt: string | null
  readonly grants: { readonly publish: readonly Shown[] | null; readonly subscribe: readonly Shown[] | null } | null
  readonly checks: readonly Check[]
  readonly verdict: { readonly [action in Action]: Verdict }
  /** Of subscribing: is a private update of this topic delivered, provided that it is subscribed to? */
  readonly privateUpdates: readonly { readonly topic: string; readonly delivered: boolean }[]
}

/** Decides as a request is decided, by the same rules, and says why. */
export async function judge(question: Question, options: JudgeOptions): Promise<Explanation> {
  const { action, topics } = question
  const request = requestOf(question, action, options)
  const { checks, token, claims, grant } = await options.authenticator.examine(
    request,
    roleOf[action],
    options.diagnose,
  )
  const inquiry = new Inquiry()
  const isToldByToken = token === undefined && checks.some(({ ok }) => !ok)
  const isUnread = token !== undefined && grant === undefined
  if (!isToldByToken && !isUnread) {
    await inquiry.ask(
      'action',
      () => permit(question, action, grant ?? null, options),
      () => describePermit(question, grant),
    )
  }
  const decided = await Promise.all(actions.map(async one => [one, await decide(question, one, options)] as const))
  return {
    action,
    generation: token?.generation ?? null,
    header: token?.header ?? null,
    claims: claims ?? null,
    expiresAt: grant?.expiresAt === undefined ? null : new Date(grant.expiresAt).toISOString(),
    grants: grant === undefined ? null : { publish: shown(grant.publish), subscribe: shown(grant.subscribe) },
    checks: [...checks, ...inquiry.checks],
    verdict: Object.fromEntries(decided) as Explanation['verdict'],
    privateUpdates:
      action === 'subscribe'
        ? topics.map(topic => ({ topic, delivered: matchesAny(grant?.subscribe ?? [], [topic]) }))
        : [],
  }
}

/** The very way of a request: its token is authenticated, and what it grants decides. */
async function decide(question: Question, action: Action, options: JudgeOptions): Promise<Verdict> {
  const { authenticator } = options
  const request = requestOf(question, action, options)
  const refusal = await attempt(async () => {
    permit(question, action, await authenticator.authenticate(request, roleOf[action]), options)
  })
  if (!(refusal instanceof HubError)) return { accepted: true, status: 200, code: null, message: null, challenge: null }
  const { status, challenge = null } = describeRefusal(refusal, authenticator.resourceOf(request))
  return { accepted: false, status, code: refusal.code, message: refusal.message, challenge }
}

function describePermit({ action, topics }: Question, grant: Grant | undefined): string {
  if (action === 'publish') {
    return `What it grants is enough to publish${topics.length === 0 ? '' : ` to ${topics.map(topic => quote(topic)).join(', ')}`}.`
  }
  if (action === 'subscriptions') return 'Who is subscribed may be read.'
  return grant === undefined
    ? 'Anybody may subscribe, and gets public updates.'
    : 'It is enough to subscribe; what it grants decides about private updates alone.'
}

const shown = (matchers: Grant['publish']): Shown[] | null =>
  matchers?.map(({ kind, pattern }) => ({ kind, pattern })) ?? null
