import { HubError } from '../errors.ts'
import {
  type AsciiSet,
  asciiSet,
  asciiSize,
  complement,
  digits,
  hexDigits,
  letters,
  whitespace,
  wordCharacters,
} from './ascii-set.ts'

/** A place in a regular expression's source, which the functions below move forward. */
export interface Reader {
  readonly source: string
  at: number
  /** Inside `(?i:…)`. */
  ignoreCase: boolean
}

const classEscapes: Readonly<Record<string, AsciiSet>> = {
  d: digits,
  D: complement(digits),
  s: whitespace,
  S: complement(whitespace),
  w: wordCharacters,
  W: complement(wordCharacters),
}
const controlEscapes: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 }
const syntaxCharacters = '^$\\.*+?()[]{}|/'
/** May follow a backslash inside a class only. */
const classPunctuators = '&-!#%,:;<=>@`~'
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

export function eat(reader: Reader, expected: string): boolean {
  if (!reader.source.startsWith(expected, reader.at)) return false
  reader.at += expected.length
  return true
}

export function invalidRegexp(reason: string): HubError {
  return new HubError('matcher_invalid', `A regular expression in the pattern cannot be used: ${reason}.`)
}

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

/** The rest of an escape, after its backslash: a character's code point or a set. */
export function readEscape(reader: Reader, inClass: boolean): number | AsciiSet {
  const letter = reader.source[reader.at++] ?? ''
  const known = classEscapes[letter] ?? controlEscapes[letter]
  if (known !== undefined) return known
  switch (letter) {
    case 'p':
    case 'P':
      return readProperty(reader, letter)
    case 'x':
      return readHexadecimal(reader, 2)
    case 'u':
      return readUnicodeEscape(reader)
    case 'c':
      return readControlLetter(reader)
    case 'b':
      if (inClass) return 8
      break
    case 'q':
      if (inClass) throw invalidRegexp('\\q{…} in a class is not supported')
      break
    case 'k':
      throw invalidRegexp('it refers back to a group, which cannot be matched in linear time')
  }
  if (isMember(digits, letter)) {
    if (letter === '0' && !isMember(digits, reader.source[reader.at])) return 0
    throw invalidRegexp('it refers back to a group, which cannot be matched in linear time')
  }
  if (letter !== '' && (syntaxCharacters.includes(letter) || (inClass && classPunctuators.includes(letter))))
    return letter.charCodeAt(0)
  throw invalidRegexp(`\\${letter} is not an escape`)
}

function isMember(set: AsciiSet, character: string | undefined): boolean {
  return character !== undefined && set[character.charCodeAt(0)] === 1
}

function readControlLetter(reader: Reader): number {
  const letter = reader.source[reader.at++]
  if (!isMember(letters, letter)) throw invalidRegexp('\\c needs a letter')
  return letter!.charCodeAt(0) % 32
}

function readHexadecimal(reader: Reader, length: number): number {
  const digits = reader.source.slice(reader.at, reader.at + length)
  if (digits.length < length || [...digits].some(digit => !isMember(hexDigits, digit)))
    throw invalidRegexp(`an escape needs ${length} hexadecimal digits`)
  reader.at += length
  return Number.parseInt(digits, 16)
}

function readUnicodeEscape(reader: Reader): number {
  if (eat(reader, '{')) {
    const end = reader.source.indexOf('}', reader.at)
    const code = end > reader.at ? readHexadecimal(reader, end - reader.at) : Number.NaN
    if (!(code <= 0x10ffff) || !eat(reader, '}'))
      throw invalidRegexp('\\u{…} needs the hexadecimal number of a code point')
    return code
  }
  const unit = readHexadecimal(reader, 4)
  if (
    unit >= 0xd800 &&
    unit <= 0xdbff &&
    reader.source.startsWith('\\u', reader.at) &&
    reader.source[reader.at + 2] !== '{'
  ) {
    const next: Reader = { ...reader, at: reader.at + 2 }
    const trail = readHexadecimal(next, 4)
    if (trail >= 0xdc00 && trail <= 0xdfff) {
      reader.at = next.at
      return 0x10000 + ((unit - 0xd800) << 10) + (trail - 0xdc00)
    }
  }
  return unit
}

/** `\p{…}`: the platform's own tables answer, asked for the characters of ASCII and never for a text of a client. */
function readProperty(reader: Reader, letter: string): AsciiSet {
  const end = reader.source.indexOf('}', reader.at)
  const name = eat(reader, '{') && end > 0 ? reader.source.slice(reader.at, end) : ''
  const plain = name !== '' && [...name].every(character => isMember(wordCharacters, character) || character === '=')
  // These match sequences of characters
  const strings = name.startsWith('RGI_') || name === 'Basic_Emoji' || name === 'Emoji_Keycap_Sequence'
  if (!plain || strings)
    throw invalidRegexp(`\\${letter} does not stand before the name of a property of single characters`)
  reader.at = end + 1
  let character: RegExp
  try {
    character = new RegExp(`\\${letter}{${name}}`, reader.ignoreCase ? 'iv' : 'v')
  } catch {
    throw invalidRegexp(`\\${letter}{${name.slice(0, 50)}} is not a Unicode property`)
  }
  return asciiSet(code => character.test(String.fromCharCode(code)))
}
