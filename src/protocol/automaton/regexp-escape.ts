import {
  type AsciiSet,
  asciiSet,
  complement,
  digits,
  hexDigits,
  letters,
  whitespace,
  wordCharacters,
} from './ascii-set.ts'
import { eat, invalidRegexp, type Reader } from './regexp-reader.ts'

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
  const number = reader.source.slice(reader.at, reader.at + length)
  if (number.length < length || [...number].some(digit => !isMember(hexDigits, digit)))
    throw invalidRegexp(`an escape needs ${length} hexadecimal digits`)
  reader.at += length
  return Number.parseInt(number, 16)
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
