import { type AsciiSet, asciiSize, complement, letters } from './ascii-set.ts'
import { readEscape } from './regexp-escape.ts'
import { eat, invalidRegexp, type Reader } from './regexp-reader.ts'

/** Must follow a backslash inside a class. */
const classSyntaxCharacters = '()[]{}/-|'
/** Reserved inside a class when doubled. */
const doubledPunctuators = '&!#$%*+,.:;<=>?@^`~'
/** In which the two cases of an ASCII letter differ. */
const caseBit = 0x20
/** The characters outside ASCII that fold to letters of ASCII: long s and the Kelvin sign. */
const foreignCases: readonly [code: number, letter: number][] = [
  [0x17f, 0x73],
  [0x212a, 0x6b],
]
const maxDepth = 100

/** A character's code point, or a set as it is. Outside ASCII only what folds to ASCII counts. */
export function toSet(member: number | AsciiSet, ignoreCase: boolean): AsciiSet {
  if (typeof member !== 'number') return member
  const set = new Uint8Array(asciiSize)
  addRange(set, member, member, ignoreCase)
  return set
}

/** A class, after its `[`. Its syntax is that of the `v` flag: nested classes, `&&` and `--` included. */
export function readClass(reader: Reader, depth = 1): AsciiSet {
  if (depth > maxDepth) throw invalidRegexp(`its classes are nested more than ${maxDepth} deep`)
  const negated = eat(reader, '^')
  const set = eat(reader, ']') ? new Uint8Array(asciiSize) : readMembers(reader, depth)
  return negated ? complement(set) : set
}

function readMembers(reader: Reader, depth: number): AsciiSet {
  const first = readOperand(reader, depth)
  for (const operator of ['--', '&&'])
    if (reader.source.startsWith(operator, reader.at))
      return readOperation(reader, toSet(first, reader.ignoreCase), operator, depth)
  return readUnion(reader, first, depth)
}

function readOperation(reader: Reader, first: AsciiSet, operator: string, depth: number): AsciiSet {
  const set = first.slice()
  while (!eat(reader, ']')) {
    const doubled = eat(reader, operator) && !(operator === '&&' && reader.source.startsWith('&', reader.at))
    if (!doubled) throw invalidRegexp(`in a class, ${operator} stands between all members or none`)
    const operand = toSet(readOperand(reader, depth), reader.ignoreCase)
    for (let code = 0; code < asciiSize; code++) set[code]! &= operator === '&&' ? operand[code]! : 1 - operand[code]!
  }
  return set
}

function readUnion(reader: Reader, first: number | AsciiSet, depth: number): AsciiSet {
  const set = new Uint8Array(asciiSize)
  let member = first
  for (;;) {
    if (eat(reader, '-')) addRange(set, member, readOperand(reader, depth), reader.ignoreCase)
    else if (typeof member === 'number') addRange(set, member, member, reader.ignoreCase)
    else for (let code = 0; code < asciiSize; code++) set[code]! |= member[code]!
    if (eat(reader, ']')) return set
    member = readOperand(reader, depth)
  }
}

function addRange(set: AsciiSet, from: number | AsciiSet, to: number | AsciiSet, ignoreCase: boolean): void {
  if (typeof from !== 'number' || typeof to !== 'number' || from > to)
    throw invalidRegexp('a range in a class needs two characters in ascending order')
  for (let code = from; code <= to && code < asciiSize; code++) {
    set[code] = 1
    if (ignoreCase && letters[code] === 1) set[code ^ caseBit] = 1
  }
  if (ignoreCase)
    for (const [code, letter] of foreignCases) if (code >= from && code <= to) addRange(set, letter, letter, true)
}

function readOperand(reader: Reader, depth: number): number | AsciiSet {
  if (reader.at >= reader.source.length) throw invalidRegexp('a class is not closed with ]')
  if (eat(reader, '[')) return readClass(reader, depth + 1)
  if (eat(reader, '\\')) return readEscape(reader, true)
  const character = reader.source[reader.at++]!
  const doubled = doubledPunctuators.includes(character) && reader.source[reader.at] === character
  if (doubled || classSyntaxCharacters.includes(character))
    throw invalidRegexp(`${doubled ? character.repeat(2) : character} in a class needs a backslash before it`)
  return character.charCodeAt(0)
}
