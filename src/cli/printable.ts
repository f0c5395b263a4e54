/** Somebody else's text on one line: it is shown, and does nothing to the terminal. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, character => {
    const code = character.codePointAt(0)!.toString(16)
    return character === '\n' ? '\\n' : `\\u{${code}}`
  })

/** The same on the lines that it has, with its tabs. */
export const printableLines = (text: string): string =>
  text.replace(/[^\n\t]+/g, part => printable(part.replace(/\r$/, '')))
