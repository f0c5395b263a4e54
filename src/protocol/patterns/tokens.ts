export type TokenKind =
  | 'open'
  | 'close'
  | 'regexp'
  | 'name'
  | 'character'
  | 'escaped character'
  | 'modifier'
  | 'asterisk'
  | 'invalid character'
  | 'end'

/** A token of a URL Pattern string, at `pattern.slice(start, end)`. */
export interface Token {
  readonly kind: TokenKind
  readonly start: number
  readonly end: number
  /** A name without its colon, a regular expression without its parentheses, an escaped character without its backslash. */
  readonly value: string
}

const singleKinds: Readonly<Record<string, TokenKind>> = {
  '*': 'asterisk',
  '+': 'modifier',
  '?': 'modifier',
  '{': 'open',
  '}': 'close',
}

/**
 * The tokens of a pattern, by the tokenizer of the URL Pattern Standard (section 2.1) with its lenient policy: what cannot be
 * a token is an `invalid character`. Linear.
 */
export function tokenize(pattern: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < pattern.length) {
    const token = readToken(pattern, at)
    tokens.push(token)
    at = token.end
  }
  tokens.push({ kind: 'end', start: at, end: at, value: '' })
  return tokens
}

function readToken(pattern: string, start: number): Token {
  const character = characterAt(pattern, start)
  const next = start + character.length
  const single = singleKinds[character]
  if (single) return { kind: single, start, end: next, value: character }
  if (character === '\\' && next < pattern.length) {
    const escaped = characterAt(pattern, next)
    return { kind: 'escaped character', start, end: next + escaped.length, value: escaped }
  }
  if (character === ':') {
    const end = endOfName(pattern, next)
    if (end > next) return { kind: 'name', start, end, value: pattern.slice(next, end) }
  }
  if (character === '(') {
    const end = endOfRegexp(pattern, next)
    if (end > next) return { kind: 'regexp', start, end, value: pattern.slice(next, end - 1) }
  }
  const kind = '\\:('.includes(character) ? 'invalid character' : 'character'
  return { kind, start, end: next, value: character }
}

function characterAt(text: string, index: number): string {
  return String.fromCodePoint(text.codePointAt(index)!)
}

function endOfName(pattern: string, start: number): number {
  let end = start
  while (end < pattern.length) {
    const character = characterAt(pattern, end)
    if (!isNameCharacter(character, end === start)) break
    end += character.length
  }
  return end
}

/** Asked for one character at a time. Joiners, which may be in names too, are format characters and so in no matcher. */
function isNameCharacter(character: string, first: boolean): boolean {
  return (first ? /^[$_\p{ID_Start}]$/u : /^[$\p{ID_Continue}]$/u).test(character)
}

/** After the closing parenthesis, or 0 if there is no regular expression here. */
function endOfRegexp(pattern: string, start: number): number {
  if (pattern[start] === '?') return 0
  let depth = 1
  for (let at = start; at < pattern.length; at++) {
    if (pattern.charCodeAt(at) > 0x7f) return 0
    const character = pattern[at]
    if (character === '\\') {
      at++
      if (at === pattern.length || pattern.charCodeAt(at) > 0x7f) return 0
    } else if (character === ')') {
      depth--
      if (depth === 0) return at === start ? 0 : at + 1
    } else if (character === '(') {
      depth++
      at++
      if (pattern[at] !== '?') return 0
    }
  }
  return 0
}
