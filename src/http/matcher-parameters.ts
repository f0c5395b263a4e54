import { HubError, quote } from '../errors.ts'
import type { Generation } from '../protocol/generation.ts'
import type { CompileMatcher, Matcher, MatcherKind } from '../protocol/matcher.ts'
import { isLowered, type RequestBounds } from './bounds.ts'
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
 * @param place where the request should have them
 * @throws HubError `matcher_missing`, `matcher_unknown`, `matcher_invalid`, `matchers_too_many`, and what `compile` throws
 */
export function readMatchers(
  form: Form,
  compile: CompileMatcher,
  { accepted, bounds }: { readonly accepted: readonly Generation[]; readonly bounds: RequestBounds },
  place = 'in the query',
): Matcher[] {
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
    const most = maxMatchers[generation]
    if (counts[generation] > most && !isLowered(most, bounds.matchers)) throw tooMany(`${most}`, generation)
    if (bounds.matchers > 0 && matchers.length + patterns.length > bounds.matchers) {
      throw tooMany(`${bounds.matchers} (limits.matchers)`, generation)
    }
    for (const pattern of patterns) {
      checkLength(pattern, bounds.patternLength, generation)
      matchers.push(compile(kind, pattern))
    }
  }
  if (matchers.length === 0) throw missing(form, accepted, place)
  return matchers
}

const tooMany = (most: string, generation: Generation): HubError =>
  new HubError('matchers_too_many', `Too many matchers: a request may have ${most}.`, { generation })

/** 0: any length. */
function checkLength(pattern: string, most: number, generation: Generation): void {
  if (most === 0 || pattern.length <= most || [...pattern].length <= most) return
  throw new HubError('matcher_too_long', `A matcher is longer than ${most} characters (limits.pattern_length).`, {
    generation,
  })
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

function missing(form: Form, accepted: readonly Generation[], place: string): HubError {
  for (const name of form.names()) {
    if (kinds.has(name)) {
      return unknown(`This hub speaks protocol 0.x only: use "topic" in the place of "${name}".`, '0.x')
    }
  }
  const names = [
    ...(accepted.includes('1.0') ? ['"match"', '"match_urlpattern"'] : []),
    ...(accepted.includes('0.x') ? ['"topic"'] : []),
  ]
  return new HubError('matcher_missing', `Nothing to subscribe to: give at least one of ${names.join(', ')} ${place}.`)
}
