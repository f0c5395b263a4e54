import { LRUCache } from 'lru-cache'
import { HubError } from '../errors.ts'
import { compileLanguage } from './automaton/language.ts'
import type { Generation } from './generation.ts'
import { createTopicUrls, hostAndPathOf, type TopicUrl } from './patterns/topic-url.ts'
import { parseUriTemplate } from './patterns/uri-template.ts'
import { compileUrlPattern } from './patterns/url-pattern.ts'
import { hasForbiddenCharacters, hubPath, maxPatternTopicLength } from './topic.ts'

/**
 * How a subscriber or a grant selects topics. `exact` and `urlpattern` are the matcher types of generation 1.0,
 * `topic` is the selector of 0.x: `*`, an exact topic, or a URI Template.
 */
export type MatcherKind = 'exact' | 'urlpattern' | 'topic'

/**
 * Literals that every topic has to which a matcher says yes, so that an index need not ask it about the others. A topic
 * that has them may still not match.
 */
export interface Anchor {
  /** The text of a topic that they are in: the topic itself, or parts of its URL. Matchers that compare the same text share it. `null`: no match. */
  readonly textOf: (topic: string) => string | null
  /** The text begins with this; may be empty. */
  readonly prefix: string
  /** The text has this after the prefix, anywhere; may be empty. */
  readonly literal: string
}

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
  readonly anchor: Anchor
  /**
   * Linear in the topic's length, whatever the pattern. Topics of more than 4,096 characters, as sent or as a canonical URL,
   * are matched by equality and by `*` only.
   */
  matches(topic: string): boolean
}

/** @throws HubError `matcher_invalid`, `matcher_too_long`, `matcher_too_complex` */
export type CompileMatcher = (kind: MatcherKind, pattern: string) => Matcher

/** In UTF-8. Generation 0.x names no limit: there it holds for selectors with a `{`, and exact topics may be longer. */
export const maxPatternBytes = 4096

/** Base of relative topics and patterns where the hub's URL is not known. */
const unknownBase = 'http://mercure.invalid'

/**
 * What a cached matcher counts at least, in bytes. Bounding the sum of these bounds the entries too; a bound on entries alone
 * would make the cache allocate all of them at once, for every hub URL.
 */
const minCachedBytes = 1024

export interface MatcherCompilerOptions {
  /** The hub's URL: relative topics and URL Patterns are resolved against it. One that does not end in the hub's path is not used. */
  readonly base?: string
  /** How many compiled matchers are kept at most, fewer if they are large: 1 KiB each. */
  readonly cacheSize?: number
}

/** A compiler that keeps the matchers most recently asked for. */
export function createMatcherCompiler({ base, cacheSize = 10_000 }: MatcherCompilerOptions = {}): CompileMatcher {
  const isHubUrl = base !== undefined && URL.parse(base)?.pathname.endsWith(hubPath)
  const baseUrl = isHubUrl ? base : unknownBase
  const topicTexts = createTopicTexts(baseUrl)
  const cache = new LRUCache<string, Compiled>({
    maxSize: cacheSize * minCachedBytes,
    sizeCalculation: ({ matcher, weight }) => Math.max(2 * matcher.pattern.length + weight, minCachedBytes),
  })
  return (kind, pattern) => {
    const key = `${kind}:${pattern}`
    let compiled = cache.get(key)
    if (!compiled) {
      compiled = compile(kind, pattern, baseUrl, topicTexts)
      cache.set(key, compiled)
    }
    return compiled.matcher
  }
}

interface Compiled {
  readonly matcher: Matcher
  /** The memory that it holds besides the pattern, roughly, in bytes. */
  readonly weight: number
}

const weightOfMatcher = 256

/** What matchers of one base URL compare, and the text of it that their literals are in. */
interface TopicTexts {
  readonly urlOf: (topic: string) => TopicUrl | null
  readonly textOf: Anchor['textOf']
}

function createTopicTexts(base: string): TopicTexts {
  const urlOf = createTopicUrls(base)
  const textOf = (topic: string) => {
    const url = urlOf(topic)
    return url && hostAndPathOf(url)
  }
  return { urlOf, textOf }
}

const topicItself: Anchor['textOf'] = topic => topic
const noLiterals: Anchor = { textOf: topicItself, prefix: '', literal: '' }

function compile(kind: MatcherKind, pattern: string, base: string, texts: TopicTexts): Compiled {
  const isTemplate = kind === 'topic' && pattern.includes('{')
  if (kind !== 'topic' || isTemplate) checkLength(pattern)
  if (kind !== 'topic') checkCharacters(pattern)
  if (pattern === '*') return compiled(kind, pattern, { everything: true, matches: () => true })
  if (kind === 'urlpattern') {
    const { prefix, literal, matches, weight } = compileUrlPattern(pattern, base)
    const anchor = { textOf: texts.textOf, prefix, literal }
    const matchesUrl = (url: TopicUrl | null) => url !== null && matches(url)
    return compiled(kind, pattern, { anchor, weight, matches: topic => matchesUrl(texts.urlOf(topic)) })
  }
  const template = isTemplate ? parseUriTemplate(pattern) : null
  if (template === null) {
    const anchor = { textOf: topicItself, prefix: pattern, literal: '' }
    return compiled(kind, pattern, { exact: true, anchor, matches: topic => topic === pattern })
  }
  const { prefix, literal, has, weight } = compileLanguage(template)
  // The template's own text has them too: they are literals of it.
  const anchor = { textOf: topicItself, prefix, literal }
  const matches = (topic: string) => topic === pattern || (topic.length <= maxPatternTopicLength && has(topic))
  return compiled(kind, pattern, { anchor, weight, matches })
}

interface Behaviour {
  readonly everything?: boolean
  readonly exact?: boolean
  readonly anchor?: Anchor
  readonly weight?: number
  readonly matches: Matcher['matches']
}

function compiled(kind: MatcherKind, pattern: string, behaviour: Behaviour): Compiled {
  const { everything = false, exact = false, anchor = noLiterals, weight = 0, matches } = behaviour
  const generation = kind === 'topic' ? '0.x' : '1.0'
  return {
    matcher: { kind, generation, pattern, everything, exact, anchor, matches },
    weight: weight + weightOfMatcher,
  }
}

function checkLength(pattern: string): void {
  if (pattern.length > maxPatternBytes || new TextEncoder().encode(pattern).length > maxPatternBytes)
    throw new HubError('matcher_too_long', `A matcher is longer than ${maxPatternBytes} bytes.`)
}

function checkCharacters(pattern: string): void {
  if (hasForbiddenCharacters(pattern))
    throw new HubError(
      'matcher_invalid',
      'A matcher contains a control or format character (such as zero width or bidirectional ones), or is not valid UTF-8.',
    )
}
