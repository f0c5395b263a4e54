import type { Matcher } from '../protocol/matcher.ts'
import { Patterns } from './patterns.ts'

/** Lists up to this length are gone through: most are, and an index of one costs memory and time. */
const shortList = 8

/** The topics that a list of matchers selects, for one who asks about many. */
export type Selection = (topics: readonly string[]) => boolean

export function createSelection(matchers: readonly Matcher[]): Selection {
  if (matchers.some(({ everything }) => everything)) return () => true
  if (matchers.length <= shortList) return topics => matchesAny(matchers, topics)
  const exact = new Set<string>()
  const patterns = new Patterns<Matcher>()
  for (const matcher of matchers) {
    if (matcher.exact) exact.add(matcher.pattern)
    else patterns.add(matcher.anchor, matcher)
  }
  const has = (topic: string) => {
    let found = exact.has(topic)
    if (!found) {
      patterns.candidates(topic, matcher => {
        found ||= matcher.matches(topic)
      })
    }
    return found
  }
  return topics => topics.some(has)
}

/** For one who asks once. */
export function matchesAny(matchers: readonly Matcher[], topics: readonly string[]): boolean {
  for (const matcher of matchers) {
    for (const topic of topics) {
      if (matcher.exact ? topic === matcher.pattern : matcher.matches(topic)) return true
    }
  }
  return false
}
