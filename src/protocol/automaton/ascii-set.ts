/**
 * A set of ASCII characters: element `c` is 1 when the character with code `c` is in the set. The components of a parsed
 * URL are ASCII (everything else is percent-encoded or punycode), so no pattern ever needs a wider set.
 */
export type AsciiSet = Uint8Array

export const asciiSize = 128

export function asciiSet(has: (code: number) => boolean): AsciiSet {
  const set = new Uint8Array(asciiSize)
  for (let code = 0; code < asciiSize; code++) if (has(code)) set[code] = 1
  return set
}

export function asciiSetOf(characters: string): AsciiSet {
  return asciiSet(code => characters.includes(String.fromCharCode(code)))
}

export function complement(set: AsciiSet): AsciiSet {
  return set.map(member => 1 - member)
}

export function union(...sets: readonly AsciiSet[]): AsciiSet {
  return asciiSet(code => sets.some(set => set[code] === 1))
}

export const anyCharacter = asciiSet(() => true)
export const digits = asciiSetOf('0123456789')
export const hexDigits = asciiSetOf('0123456789ABCDEFabcdef')
export const letters = asciiSetOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
/** Letters, digits and underscore: what `\w` and word boundaries mean. */
export const wordCharacters = union(letters, digits, asciiSetOf('_'))
export const whitespace = asciiSetOf('\t\n\v\f\r ')
