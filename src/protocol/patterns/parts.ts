import { HubError } from '../../errors.ts'
import { type AsciiSet, anyCharacter } from '../automaton/ascii-set.ts'
import { type Expression, sequence, text } from '../automaton/expression.ts'
import { parseRegexp } from '../automaton/regexp.ts'
import type { Canonicalise } from './canonical.ts'
import { type Token, tokenize } from './tokens.ts'

/** How one component of a URL Pattern is read. */
export interface ComponentSyntax {
  /** What `:name` matches, one or more times. */
  readonly segment: AsciiSet
  /** A character that belongs to the group after it: `/` in paths, so that `/:id?` also matches nothing at all. */
  readonly prefix: string
  readonly canonicalise: Canonicalise
}

const boundsOf: Readonly<Record<string, [min: number, max: number]>> = {
  '?': [0, 1],
  '*': [0, Infinity],
  '+': [1, Infinity],
}

/**
 * Parses the pattern string of one component into what it matches (URL Pattern Standard, section 2.1, "parse a pattern string").
 *
 * @throws HubError `matcher_invalid`
 */
export function parseComponent(pattern: string, syntax: ComponentSyntax): Expression {
  const tokens = tokenize(pattern)
  const names = new Set<string>()
  const parts: Expression[] = []
  let pending = ''
  let at = 0

  function take(...kinds: readonly Token['kind'][]): string | undefined {
    const token = tokens[at]!
    if (!kinds.includes(token.kind)) return undefined
    at++
    return token.value
  }

  function takeText(): string {
    let characters = ''
    for (;;) {
      const next = take('character', 'escaped character')
      if (next === undefined) return characters
      characters += next
    }
  }

  /** `:name`, `(regexp)`, `:name(regexp)` or `*`. */
  function takeMatcher(): Expression | undefined {
    const name = take('name')
    if (name !== undefined && names.has(name))
      throw invalidPattern(`":${shorten(name)}" stands for two groups of one component`)
    if (name !== undefined) names.add(name)
    const source = take('regexp')
    if (source !== undefined) return parseRegexp(source)
    if (name !== undefined) return { kind: 'run', of: syntax.segment, min: 1 }
    return take('asterisk') === undefined ? undefined : { kind: 'run', of: anyCharacter, min: 0 }
  }

  function literal(characters: string): Expression {
    const canonical = characters === '' ? '' : syntax.canonicalise(characters)
    if (canonical === null) throw invalidPattern(`"${shorten(characters)}" cannot stand in this part of a URL`)
    return text(canonical)
  }

  function flush(): void {
    parts.push(literal(pending))
    pending = ''
  }

  function addPart(prefix: string, matcher: Expression | undefined, suffix: string): void {
    const modifier = take('modifier', 'asterisk')
    if (matcher === undefined && modifier === undefined) {
      pending += prefix
      return
    }
    flush()
    if (matcher === undefined && prefix === '') return
    const item = matcher === undefined ? literal(prefix) : sequence(literal(prefix), matcher, literal(suffix))
    const bounds = boundsOf[modifier ?? '']
    parts.push(bounds ? { kind: 'repeat', item, min: bounds[0], max: bounds[1] } : item)
  }

  while (take('end') === undefined) {
    const character = take('character')
    const matcher = takeMatcher()
    if (matcher) {
      const isPrefix = character === syntax.prefix
      if (!isPrefix) pending += character ?? ''
      addPart(isPrefix ? syntax.prefix : '', matcher, '')
      continue
    }
    const plain = character ?? take('escaped character')
    if (plain !== undefined) {
      pending += plain
      continue
    }
    if (take('open') === undefined) throw invalidPattern(whyUnexpected(tokens[at]!))
    const prefix = takeText()
    const group = takeMatcher()
    const suffix = takeText()
    if (take('close') === undefined) throw invalidPattern(whyNotClosed(tokens[at]!))
    addPart(prefix, group, suffix)
  }
  flush()
  return sequence(...parts)
}

function invalidPattern(reason: string): HubError {
  return new HubError('matcher_invalid', `The value is not a URL Pattern: ${reason}.`)
}

function whyUnexpected({ value }: Token): string {
  if (value === '(')
    return 'a parenthesis opens no regular expression, which is closed, not empty, ASCII and without inner capturing groups; a literal one is written \\('
  return `"${value}" stands where it has no meaning; a literal one is written \\${value}`
}

function whyNotClosed({ kind, value }: Token): string {
  if (kind === 'end') return 'a { is not closed; a literal one is written \\{'
  return `"${value}" cannot follow what stands before it in the braces, which hold literals around at most one group`
}

/** A client's text in a message. */
function shorten(characters: string): string {
  return characters.length > 50 ? `${characters.slice(0, 50)}…` : characters
}
