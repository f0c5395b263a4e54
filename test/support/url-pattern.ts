import type { createRandom } from './random.ts'

type Random = ReturnType<typeof createRandom>

/** A text that is nearly always a URL Pattern, and topics made in its likeness: many match it, many nearly do. */
export interface GeneratedPattern {
  readonly pattern: string
  topic(): string
}

/** A piece of a pattern and texts in its likeness. */
interface Piece {
  readonly pattern: string
  text(): string
}

const words = ['a', 'b', 'ab', 'books', '1', '42', 'é', '漢', '%C3%A9', '%41', '%2F', 'A', 'a-b', 'a.b', '~', '_', '']
const segments = [...words, 'K', 'x', 'xy', 'aa', 'a b', '/', 'a/b']
const names = ['id', 'a', 'b', 'é', 'x1', '$', '_']
/** Those that the platform's engine gets wrong are left out: what follows `(?i:…)` ignores case there too. */
const regexps: readonly (readonly [source: string, ...texts: string[]])[] = [
  ['\\d+', '1', '42', 'x'],
  ['[a-z]*', '', 'ab', 'A'],
  ['a|b', 'a', 'b', 'ab'],
  ['a||b', 'a', '', 'b'],
  ['(?:ab)+', 'ab', 'abab', 'aba'],
  ['(?:x*y)*', 'y', 'xxyy', 'x'],
  ['(?:(?:a|b)*-)?c', 'c', 'ab-c', 'ab'],
  ['x{2,3}', 'xx', 'x', 'xxxx'],
  ['x{2}y{0}z{1,}?', 'xxz', 'xxzz', 'xxy'],
  ['[^\\/]+?', 'q', 'q/', ''],
  ['.*', '', 'a/b', 'é'],
  ['[^]{2}', 'ab', '/-', 'a'],
  ['[]?a', 'a', '', ']'],
  ['\\w+-\\W', 'a--', 'a-b', '-'],
  ['\\S\\D', 'ab', 'a1', ' a'],
  ['^a$', 'a', 'aa', ''],
  ['^|b', '', 'b', 'a'],
  ['\\bab\\b', 'ab', 'abab', ''],
  ['a\\Bb', 'ab', 'a', 'b'],
  ['[\\w--\\d]+', 'ab', 'a1', '_'],
  ['[\\w&&[^a-c]]+', 'dx', 'a', '9'],
  ['[[a-c][x-z]_]', 'b', 'y', 'm'],
  ['[\\]\\-\\/.&]', '-', '.', '&'],
  ['\\p{Lu}\\p{L}*', 'A', 'Ab', 'a'],
  ['\\P{Lu}', 'a', '1', 'A'],
  ['[\\p{Script=Latin}\\p{Nd}]', 'a', '4', '-'],
  ['\\x61\\u0062\\u{63}', 'abc', 'ab', 'abd'],
  ['[\\x61-\\u0063]', 'a', 'c', 'd'],
  ['\\uD83D\\uDE00?', '', 'a', '%F0%9F%98%80'],
  ['(?m-s:a.)c', 'abc', 'ac', 'a'],
  ['a\\.b\\/', 'a.b/', 'a.b', 'aab/'],
]

export function generatePattern(random: Random): GeneratedPattern {
  const pieces = random.next() < 0.5 ? [...absoluteStart(random)] : []
  pieces.push(...path(random, pieces.length > 0))
  if (random.next() < 0.25)
    pieces.push({ pattern: '\\?', text: () => '?' }, ...some(random, 2, () => piece(random, ['a=1', 'b', '&', 'é'])))
  if (random.next() < 0.15) pieces.push(literal('#'), ...some(random, 2, () => piece(random, ['h', 'é', '-'])))
  return {
    pattern: pieces.map(({ pattern }) => pattern).join(''),
    topic: () => change(random, pieces.map(({ text }) => text()).join('')),
  }
}

function absoluteStart(random: Random): Piece[] {
  const protocol = random.pick([
    literal('https'),
    literal('HTTP', 'http'),
    literal('http{s}?', 'http', 'https'),
    literal('(https?|wss)', 'http', 'wss', 'ws'),
    literal(':scheme', 'https', 'foo'),
    literal('*', 'http', 'urn'),
  ])
  const host = random.pick([
    literal('example.com', 'example.com', 'EXAMPLE.com'),
    literal('EXAMPLE.com', 'example.com'),
    literal('*.example.com', 'a.example.com', 'a.b.example.com', 'example.com'),
    literal('{:sub.}?example.com', 'example.com', 'a.example.com', 'a.b.example.com'),
    literal('([a-z]+).com', 'abc.com', 'a1.com'),
    literal('bücher.de', 'xn--bcher-kva.de', 'BÜCHER.de'),
    literal('*', 'h', 'a.b'),
    literal('[\\:\\:1]', '[::1]', '[::2]'),
    literal('127.0.0.1', '127.0.0.1', '127.1'),
  ])
  const port = random.pick([
    literal(''),
    literal(''),
    literal(':8080'),
    literal(':443', ':443', ''),
    literal(':80*', ':80', ':8000', ''),
    literal(':(\\d+)', ':1', ''),
  ])
  const user = random.next() < 0.1 ? random.pick([literal('u@'), literal('*:p@', 'u:p@', 'v:q@')]) : literal('')
  return [protocol, literal('://'), user, host, port].map(({ pattern, text }) => ({
    pattern,
    text: text ?? (() => pattern),
  }))

  function literal(pattern: string, ...texts: string[]): Piece {
    return { pattern, text: () => (texts.length > 0 ? random.pick(texts) : pattern) }
  }
}

function path(random: Random, absolute: boolean): Piece[] {
  const pieces = some(random, 3, () => (random.next() < 0.5 ? matcherPiece(random, '/') : piece(random, words, '/')))
  return absolute || random.next() < 0.9 ? [literal('/'), ...pieces] : pieces
}

function piece(random: Random, literals: readonly string[], prefix = ''): Piece {
  if (random.next() < 0.3) return matcherPiece(random, prefix)
  const text = (random.next() < 0.7 ? prefix : '') + random.pick(literals)
  return literal(text)
}

function literal(text: string): Piece {
  return { pattern: text, text: () => text }
}

/** Matchers alone or between literals in braces, with all modifiers. */
function matcherPiece(random: Random, prefix: string): Piece {
  const { pattern, text } = matcher(random)
  const modifier = random.next() < 0.5 ? random.pick(['?', '*', '+']) : ''
  const before = random.pick([prefix, prefix, '-', ''])
  if (random.next() < 0.6) {
    return {
      pattern: before + pattern + modifier,
      text: () => (modifier !== '' && random.next() < 0.3 ? '' : before + text()),
    }
  }
  const after = random.pick(['', '-', 'x'])
  const bare = random.next() < 0.2
  const once = () => before + (bare ? 'z' : text()) + after
  return {
    pattern: `{${before}${bare ? 'z' : pattern}${after}}${modifier}`,
    text: () => Array.from({ length: modifier === '' ? 1 : random.below(3) }, once).join(''),
  }
}

/** Named ones get a number, since a name may stand in a component only once. */
function matcher(random: Random): Piece {
  const [source, ...texts] = random.pick(regexps)
  const name = `:${random.pick(names)}${random.below(1e9)}`
  return random.pick([
    { pattern: name, text: () => random.pick(segments) },
    { pattern: '*', text: () => random.pick(segments) },
    { pattern: `(${source})`, text: () => random.pick(texts) },
    { pattern: `${name}(${source})`, text: () => random.pick(texts) },
  ])
}

function some(random: Random, atMost: number, create: () => Piece): Piece[] {
  return Array.from({ length: random.below(atMost + 1) }, create)
}

/** Half of the topics are left alone, the others lose, double or change a character. */
function change(random: Random, topic: string): string {
  if (random.next() < 0.5 || topic === '') return topic
  const at = random.below(topic.length)
  return topic.slice(0, at) + random.pick(['', 'a', '/', '-', `${topic[at]}${topic[at]}`]) + topic.slice(at + 1)
}

/** The platform's own answer. Absolute patterns need no base. `null`: not a pattern. */
export function platformPattern(pattern: string, base: string): URLPattern | null {
  try {
    return new URLPattern(pattern)
  } catch {
    try {
      return new URLPattern(pattern, base)
    } catch {
      return null
    }
  }
}
