import { type AsciiSet, asciiSetOf, digits, hexDigits, letters, union } from '../automaton/ascii-set.ts'
import { type Expression, optional, sequence, text } from '../automaton/expression.ts'

/** What an operator of RFC 6570 means for matching. */
interface Operator {
  /** Stands before the values. */
  readonly first: string
  /** Stands between the values. */
  readonly separator: string
  /** Values may have reserved characters. */
  readonly reserved: boolean
  /** Values have names, and so may have an equals sign. */
  readonly named: boolean
}

const simple: Operator = { first: '', separator: ',', reserved: false, named: false }
const operators: Readonly<Record<string, Operator>> = {
  '+': { ...simple, reserved: true },
  '#': { ...simple, first: '#', reserved: true },
  '.': { ...simple, first: '.', separator: '.' },
  '/': { ...simple, first: '/', separator: '/' },
  ';': { ...simple, first: ';', separator: ';', named: true },
  '?': { ...simple, first: '?', separator: '&', named: true },
  '&': { ...simple, first: '&', separator: '&', named: true },
}

const unreserved = union(letters, digits, asciiSetOf('-._~'))
const values = union(unreserved, asciiSetOf(','))
const namedValues = union(values, asciiSetOf('='))
const reservedValues = union(unreserved, asciiSetOf(":/?#[]@!$&'()*+,;="))

const nameCharacters = union(letters, digits, asciiSetOf('_'))
/** Section 2.1, with the apostrophe (erratum 6937). */
const literalCharacters = union(unreserved, asciiSetOf("!#$&'()*+,/:;=?@[]"))

/**
 * Parses a URI Template (RFC 6570) into what generation 0.x matches with it, which is less than the RFC's reverse would be:
 * - an expression may be left out entirely, together with its first character: `{/a}` matches the empty text;
 * - a value is any number of allowed characters and percent-encoded triples, also none. `{v}` never matches `/`;
 * - a prefix length (`{v:3}`) is not enforced;
 * - of n values n - 1 may be preceded by the separator; with an exploded one (`{v*}`), any number;
 * - names are not looked at: `{?x}` matches `?y=1`.
 *
 * `null`: the text is not a template.
 */
export function parseUriTemplate(template: string): Expression | null {
  const items: Expression[] = []
  let at = 0
  while (at < template.length) {
    const open = template.indexOf('{', at)
    const literal = template.slice(at, open < 0 ? undefined : open)
    if (!isLiteral(literal)) return null
    items.push(text(literal))
    if (open < 0) break
    const close = template.indexOf('}', open)
    const expression = close < 0 ? null : parseExpression(template.slice(open + 1, close))
    if (!expression) return null
    items.push(expression)
    at = close + 1
  }
  return sequence(...items)
}

function parseExpression(content: string): Expression | null {
  const operator = operators[content[0] ?? '']
  const variables = (operator ? content.slice(1) : content).split(',')
  if (!variables.every(isVariable)) return null
  return expressionOf(
    operator ?? simple,
    variables.map(variable => variable.endsWith('*')),
  )
}

function expressionOf({ first, separator, reserved, named }: Operator, exploded: readonly boolean[]): Expression {
  const anyExploded = exploded.includes(true)
  const value = (hasNames: boolean): Expression => ({
    kind: 'escapable run',
    of: reserved ? reservedValues : hasNames ? namedValues : values,
  })
  const max = anyExploded ? Infinity : exploded.length - 1
  const others: Expression = {
    kind: 'repeat',
    item: sequence(text(separator), value(named || anyExploded)),
    min: 0,
    max,
  }
  const list = sequence(text(first), value(named || exploded[0]!), ...(max > 0 ? [others] : []))
  // Without a first character the list matches the empty text anyway
  return first === '' ? list : optional(list)
}

/** A variable's name with its modifier, if any: `name`, `name*` or `name:3`. */
function isVariable(variable: string): boolean {
  if (variable.endsWith('*')) return isName(variable.slice(0, -1))
  const colon = variable.indexOf(':')
  return colon < 0 ? isName(variable) : isName(variable.slice(0, colon)) && isPrefixLength(variable.slice(colon + 1))
}

/** 1 to 9999, without leading zeros. */
function isPrefixLength(length: string): boolean {
  return length.length >= 1 && length.length <= 4 && length[0] !== '0' && all(length, digits)
}

/** Dots stand between characters only. */
function isName(name: string): boolean {
  return name.split('.').every(part => part !== '' && isEncoded(part, code => nameCharacters[code] === 1))
}

function isLiteral(literal: string): boolean {
  return isEncoded(literal, code => literalCharacters[code] === 1 || isForeignLiteral(code))
}

/** `ucschar` and `iprivate` of RFC 3987. */
function isForeignLiteral(code: number): boolean {
  if (code >= 0x10000) return (code & 0xffff) <= 0xfffd && !(code >= 0xe0000 && code < 0xe1000)
  return (code >= 0xa0 && code <= 0xd7ff) || (code >= 0xe000 && code <= 0xfdcf) || (code >= 0xfdf0 && code <= 0xffef)
}

/** The text consists of accepted characters and percent-encoded triples. */
function isEncoded(encoded: string, accepts: (code: number) => boolean): boolean {
  const [first = '', ...rest] = encoded.split('%')
  const plain = (part: string) => [...part].every(character => accepts(character.codePointAt(0)!))
  return (
    plain(first) && rest.every(part => part.length >= 2 && all(part.slice(0, 2), hexDigits) && plain(part.slice(2)))
  )
}

function all(characters: string, set: AsciiSet): boolean {
  return [...characters].every(character => set[character.charCodeAt(0)] === 1)
}
