import { HubError, quote } from '../errors.ts'
import type { Generation } from '../protocol/generation.ts'
import type { CompileMatcher, Matcher, MatcherKind } from '../protocol/matcher.ts'
import type { Form } from './form.ts'

/** The parameters that select topics, in the order in which their subscriptions are listed, and what each may hold. */
const kinds: ReadonlyMap<string, MatcherKind> = new Map([
  ['match', 'exact'],
  ['match_exact', 'exact'],
  ['match_urlpattern', 'urlpattern'],
  ['topic', 'topic'],
])
const maxMatchers: { readonly [generation in Generation]: number } = { '0.x': 1000, '1.0': 100 }

/** The request has a parameter of generation 1.0, known or not. */
export function bringsMatch(form: Form): boolean {
  for (const name of form.names()) if (/^match/i.test(name)) return true
  return false
}

/**
 * The matchers of a subscribe request, both generations' in one list.
 * @throws HubError `matcher_missing`, `matcher_unknown`, `matcher_invalid`, `matchers_too_many`, and what `compile` throws
 */
export function readMatchers(form: Form, compile: CompileMatcher, accepted: readonly Generation[]): Matcher[] {
  checkNames(form, accepted)
  const matchers: Matcher[] = []
  const counts = { '0.x': 0, '1.0': 0 }
  for (const [name, kind] of kinds) {
    const generation = kind === 'topic' ? '0.x' : '1.0'
    const patterns = accepted.includes(generation) ? form.getAll(name) : []
    if (patterns.length === 0) continue
    if (generation === '1.0' && form.notUtf8.has(name)) {
      throw new HubError('matcher_invalid', `A "${name}" is not valid UTF-8.`, { generation })
    }
    counts[generation] += patterns.length
    if (counts[generation] > maxMatchers[generation]) {
      throw new HubError('matchers_too_many', `Too many matchers: a request may have ${maxMatchers[generation]}.`, {
        generation,
      })
    }
    for (const pattern of patterns) matchers.push(compile(kind, pattern))
  }
  if (matchers.length === 0) throw missing(form, accepted)
  return matchers
}

/** 1.0 refuses what it does not know among its own names; to 0.x every name but `topic` means nothing. */
function checkNames(form: Form, accepted: readonly Generation[]): void {
  if (!accepted.includes('1.0')) return
  for (const name of form.names()) {
    const kind = kinds.get(name)
    if (kind === undefined && /^match/i.test(name)) {
      throw unknown(
        `Unknown topic matcher parameter ${quote(name)}: use "match", "match_exact" or "match_urlpattern".`,
        '1.0',
      )
    }
    if (kind === 'topic' && !accepted.includes('0.x')) {
      throw unknown(
        'This hub speaks protocol 1.0 only: use "match" or "match_urlpattern" in the place of "topic".',
        '1.0',
      )
    }
  }
}

const unknown = (message: string, generation: Generation): HubError =>
  new HubError('matcher_unknown', message, { generation })

function missing(form: Form, accepted: readonly Generation[]): HubError {
  for (const name of form.names()) {
    if (kinds.has(name)) {
      return unknown(`This hub speaks protocol 0.x only: use "topic" in the place of "${name}".`, '0.x')
    }
  }
  const names = [
    ...(accepted.includes('1.0') ? ['"match"', '"match_urlpattern"'] : []),
    ...(accepted.includes('0.x') ? ['"topic"'] : []),
  ]
  return new HubError(
    'matcher_missing',
    `Nothing to subscribe to: give at least one of ${names.join(', ')} in the query.`,
  )
}
