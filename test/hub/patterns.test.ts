import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HubError } from '../../src/errors.ts'
import { Patterns } from '../../src/hub/patterns.ts'
import { type CompileMatcher, createMatcherCompiler, type Matcher } from '../../src/protocol/matcher.ts'
import { createRandom } from '../support/random.ts'
import { generatePattern } from '../support/url-pattern.ts'

type Random = ReturnType<typeof createRandom>

const compilers = ['http://hub.example/.well-known/mercure', 'https://other.example:8443/base/.well-known/mercure'].map(
  base => createMatcherCompiler({ base }),
)

const literals = [
  'https://example.com',
  'HTTPS://EXAMPLE.com:443',
  '/books',
  '/',
  'a',
  'é',
  '%C3%A9',
  '.',
  '?a=1',
  '#b',
  '',
]
const expressions = ['{id}', '{+path}', '{/a,b}', '{/a*}', '{?q}', '{;x}', '{.e}', '{#f}', '{&c}', '{v:3}', '{v*}']

/** A template, or an exact topic; and topics in its likeness, its own text among them. */
function generateTemplate(random: Random): { pattern: string; topic(): string } {
  const pieces = Array.from({ length: 1 + random.below(5) }, () =>
    random.pick(random.next() < 0.5 ? literals : expressions),
  )
  const values = ['', '1', '/1', 'a/b', '.x', '?y=1', ';z', '#f', '&c', 'é', '%C3%A9']
  const topic = () => {
    const text = pieces.map(piece => (piece.startsWith('{') ? random.pick(values) : piece)).join('')
    return random.next() < 0.1 ? pieces.join('') : random.next() < 0.2 ? text + random.pick(values) : text
  }
  return { pattern: pieces.join(''), topic }
}

function compileOrNothing(compile: CompileMatcher, kind: 'topic' | 'urlpattern', pattern: string): Matcher | undefined {
  try {
    return compile(kind, pattern)
  } catch (error) {
    if (error instanceof HubError) return undefined
    throw error
  }
}

const candidatesOf = <Item>(index: Patterns<Item>, topic: string): Item[] => {
  const found: Item[] = []
  index.candidates(topic, item => found.push(item))
  return found
}

test('every pattern that matches is a candidate, in both generations, whatever patterns come and go', () => {
  const random = createRandom(5)
  const index = new Patterns<Matcher>()
  const present = new Set<Matcher>()
  const topics: string[] = ['', '/', 'urn:isbn:1', 'https://example.com/', 'a'.repeat(5000)]
  let matched = 0
  let spared = 0
  for (let round = 0; round < 6000; round++) {
    if (present.size < 20 || (random.next() < 0.55 && present.size < 200)) {
      const kind = random.pick(['topic', 'urlpattern'] as const)
      const { pattern, topic } = kind === 'topic' ? generateTemplate(random) : generatePattern(random)
      topics.push(topic(), topic())
      const matcher = compileOrNothing(random.pick(compilers), kind, pattern)
      if (matcher === undefined || present.has(matcher)) continue
      present.add(matcher)
      index.add(matcher.anchor, matcher)
    } else {
      const removed = random.pick([...present])
      present.delete(removed)
      index.delete(removed.anchor, removed)
    }
    const topic = random.next() < 0.7 ? random.pick(topics.slice(-200)) : random.pick([...present]).pattern
    const candidates = new Set(candidatesOf(index, topic))
    for (const candidate of candidates) assert.ok(present.has(candidate), candidate.pattern)
    for (const matcher of present) {
      if (!matcher.matches(topic)) continue
      assert.ok(candidates.has(matcher), `${matcher.kind} ${matcher.pattern} matches ${topic}`)
      matched++
    }
    spared += present.size - candidates.size
  }
  assert.ok(matched > 5000, `${matched} matches`)
  assert.ok(spared > 200_000, `${spared} patterns were not asked`)
  for (const matcher of present) index.delete(matcher.anchor, matcher)
  assert.ok(index.isEmpty)
})

test('among 10,000 patterns, each of a subscriber of its own, a topic has the candidates that are meant', () => {
  const [compile] = compilers
  const people = Array.from({ length: 10_000 }, (_, n) => n)
  const styles: readonly (readonly [kind: 'topic' | 'urlpattern', pattern: (n: number) => string, topic: string])[] = [
    ['urlpattern', n => `https://example.com/users/${n}/*`, 'https://example.com/users/77/inbox'],
    ['urlpattern', n => `https://example.com/users/${n}/:id`, 'https://EXAMPLE.com:443/users/77/1'],
    ['urlpattern', n => `/users/${n}/(\\d+)`, 'http://hub.example/users/77/1'],
    ['urlpattern', n => `https://user-${n}.example.com/*`, 'https://user-77.example.com/inbox'],
    ['urlpattern', n => `http{s}?://example.com/:kind/user-${n}`, 'https://example.com/inbox/user-77'],
    ['urlpattern', n => `https://*.example.com/users/${n}/:id`, 'https://eu.example.com/users/77/1'],
    ['topic', n => `https://example.com/users/${n}/{id}`, 'https://example.com/users/77/1'],
    ['topic', n => `https://example.com/{kind}/user-${n}`, 'https://example.com/inbox/user-77'],
    ['topic', n => `user-${n}{/rest*}`, 'user-77/a/b'],
  ]
  for (const [kind, pattern, topic] of styles) {
    const index = new Patterns<number>()
    for (const n of people) index.add(compile!(kind, pattern(n)).anchor, n)
    const candidates = candidatesOf(index, topic)
    assert.ok(candidates.includes(77), topic)
    // user-7 is a prefix of user-77.
    assert.ok(candidates.length <= 2, `${pattern(0)}: ${candidates}`)
  }
})
