import type { Generation } from './generation.ts'

/**
 * How a subscriber or a grant selects topics. `exact` and `urlpattern` are the matcher types of generation 1.0,
 * `topic` is the selector of 0.x: `*`, an exact topic, or a URI Template.
 */
export type MatcherKind = 'exact' | 'urlpattern' | 'topic'

/** A compiled matcher. Immutable, shared between subscribers: the same kind and pattern give the same object while cached. */
export interface Matcher {
  readonly kind: MatcherKind
  readonly generation: Generation
  /** The text as the client sent it: what subscription documents show. */
  readonly pattern: string
  /** `*`: matches every topic. */
  readonly everything: boolean
  /** Matches by string equality alone, so that an index can look it up instead of asking `matches`. */
  readonly exact: boolean
  /** Linear in the topic's length, whatever the pattern. */
  matches(topic: string): boolean
}

/** @throws HubError `matcher_invalid`, `matcher_too_long`, `matcher_too_complex` */
export type CompileMatcher = (kind: MatcherKind, pattern: string) => Matcher
