/** Lines of at most so many characters, broken at spaces; what starts with spaces keeps them on every line. */
export function wrap(text: string, width: number): string[] {
  const [margin = ''] = /^ */.exec(text) ?? []
  const lines: string[] = []
  let line = ''
  for (const word of text.trim().split(' ')) {
    if (line !== '' && margin.length + line.length + 1 + word.length > width) {
      lines.push(margin + line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, margin + line]
}

/** Characters of a line, as wide as the terminal but not too wide to be read. */
export const lineWidth = (): number => Math.min(process.stdout.columns ?? 110, 110)
