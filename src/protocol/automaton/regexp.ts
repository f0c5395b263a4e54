import { asciiSetOf, complement, digits, wordCharacters } from './ascii-set.ts'
import { type Expression, noWordBoundary, text, textEnd, textStart, wordBoundary } from './expression.ts'
import { readClass, toSet } from './regexp-class.ts'
import { readEscape } from './regexp-escape.ts'
import { eat, invalidRegexp, type Reader } from './regexp-reader.ts'

const lineTerminators = asciiSetOf('\n\r')
const notLiteral = '^$\\.*+?()[]{}|'
const maxDepth = 100

/**
 * Parses a regular expression of JavaScript with the `v` flag, as it stands in a URL Pattern (ASCII only).
 * What no automaton can decide is refused: backreferences and assertions that look around.
 *
 * @throws HubError `matcher_invalid`
 */
export function parseRegexp(source: string): Expression {
  const reader: Reader = { source, at: 0, ignoreCase: false }
  const expression = readChoice(reader, 0)
  if (reader.at < source.length) throw invalidRegexp('it has a ) too many')
  return expression
}

function readChoice(reader: Reader, depth: number): Expression {
  if (depth > maxDepth) throw invalidRegexp(`its groups are nested more than ${maxDepth} deep`)
  const items: Expression[] = []
  do items.push(readSequence(reader, depth))
  while (eat(reader, '|'))
  return items.length === 1 ? items[0]! : { kind: 'choice', items }
}

function readSequence(reader: Reader, depth: number): Expression {
  const items: Expression[] = []
  while (reader.at < reader.source.length && !'|)'.includes(reader.source[reader.at]!)) {
    items.push(readAssertion(reader) ?? readQuantifier(reader, readAtom(reader, depth)))
  }
  return { kind: 'sequence', items }
}

function readAssertion(reader: Reader): Expression | undefined {
  if (eat(reader, '^')) return { kind: 'assertion', at: textStart }
  if (eat(reader, '$')) return { kind: 'assertion', at: textEnd }
  if (eat(reader, '\\b')) return { kind: 'assertion', at: wordBoundary }
  if (eat(reader, '\\B')) return { kind: 'assertion', at: noWordBoundary }
  return undefined
}

function readAtom(reader: Reader, depth: number): Expression {
  if (eat(reader, '(')) return readGroup(reader, depth)
  if (eat(reader, '[')) return { kind: 'one', of: readClass(reader) }
  if (eat(reader, '.')) return { kind: 'one', of: complement(lineTerminators) }
  if (eat(reader, '\\')) return { kind: 'one', of: toSet(readEscape(reader, false), reader.ignoreCase) }
  const character = reader.source[reader.at++]!
  if (notLiteral.includes(character))
    throw invalidRegexp(`${character} stands where nothing can be repeated or needs a backslash`)
  return reader.ignoreCase ? { kind: 'one', of: toSet(character.charCodeAt(0), true) } : text(character)
}

function readGroup(reader: Reader, depth: number): Expression {
  const outerCase = reader.ignoreCase
  if (eat(reader, '?')) readGroupKind(reader)
  const expression = readChoice(reader, depth + 1)
  if (!eat(reader, ')')) throw invalidRegexp('a group is not closed with )')
  reader.ignoreCase = outerCase
  return expression
}

/** What follows `(?`: a name, modifiers or nothing, up to where the group's content begins. */
function readGroupKind(reader: Reader): void {
  for (const lookaround of ['=', '!', '<=', '<!'])
    if (eat(reader, lookaround))
      throw invalidRegexp(`it looks around with (?${lookaround}…), which cannot be matched in linear time`)
  if (eat(reader, '<')) {
    const end = reader.source.indexOf('>', reader.at)
    const name = reader.source.slice(reader.at, Math.max(end, reader.at))
    const isName = [...name].every(character => character === '$' || wordCharacters[character.charCodeAt(0)] === 1)
    if (name === '' || !isName || digits[name.charCodeAt(0)] === 1)
      throw invalidRegexp('a group has no valid name between < and >')
    reader.at = end + 1
    return
  }
  const end = reader.source.indexOf(':', reader.at)
  const modifiers = end < 0 ? '?' : reader.source.slice(reader.at, end)
  if (!isModifiers(modifiers)) throw invalidRegexp(`(? is followed by something that is not a kind of group`)
  // `m` and `s` are about line terminators, which no URL has
  const [added, removed] = modifiers.split('-')
  if (added!.includes('i')) reader.ignoreCase = true
  if (removed?.includes('i')) reader.ignoreCase = false
  reader.at = end + 1
}

function isModifiers(modifiers: string): boolean {
  const [added, removed, ...others] = modifiers.split('-')
  const flags = `${added}${removed ?? ''}`
  if (others.length > 0 || (removed !== undefined && flags === '')) return false
  return [...flags].every(flag => 'ims'.includes(flag)) && new Set(flags).size === flags.length
}

function readQuantifier(reader: Reader, item: Expression): Expression {
  const bounds = readBounds(reader)
  if (!bounds) return item
  // Which way it prefers changes what groups capture, not what matches
  eat(reader, '?')
  return { kind: 'repeat', item, min: bounds[0], max: bounds[1] }
}

function readBounds(reader: Reader): [min: number, max: number] | undefined {
  if (eat(reader, '*')) return [0, Infinity]
  if (eat(reader, '+')) return [1, Infinity]
  if (eat(reader, '?')) return [0, 1]
  if (!eat(reader, '{')) return undefined
  const min = readNumber(reader)
  const max = !eat(reader, ',') ? min : reader.source[reader.at] === '}' ? Infinity : readNumber(reader)
  if (!(min <= max) || !eat(reader, '}'))
    throw invalidRegexp('a repetition is not of the form {n}, {n,} or {n,m} with n ≤ m')
  return [min, max]
}

/** `NaN` where there is none. */
function readNumber(reader: Reader): number {
  const start = reader.at
  while (digits[reader.source.charCodeAt(reader.at)] === 1) reader.at++
  return start === reader.at ? Number.NaN : Number(reader.source.slice(start, reader.at))
}
