/** Deeper levels are no further to the right: the text stays as long as what it is made of. */
const maxDepth = 60
/** White space, marks and literals; of a string the first character alone, as its end is looked for by itself. */
const parts = /[\s,:]+|[[\]{}]|"|[^\s,:[\]{}"]+/y

/**
 * Indents a JSON text and leaves its literals and members as they are written: what is read into values and written again has its numbers
 * rounded and its repeated members dropped.
 * @param {string} text JSON: this does not check it
 * @param {number} maxCharacters of the answer; what is longer ends with `…`
 */
export function indentJson(text, maxCharacters = Number.POSITIVE_INFINITY) {
  let indented = ''
  let depth = 0
  let isEmpty = false
  const breakLine = () => `\n${'  '.repeat(Math.min(depth, maxDepth))}`
  const write = literal => {
    indented += isEmpty ? breakLine() + literal : literal
    isEmpty = false
  }
  for (let at = 0; at < text.length && indented.length <= maxCharacters; ) {
    parts.lastIndex = at
    const [part] = parts.exec(text)
    const end = part === '"' ? endOfString(text, at) : at + part.length
    if (part === '{' || part === '[') {
      write(part)
      isEmpty = true
      depth++
    } else if (part === '}' || part === ']') {
      depth--
      indented += isEmpty ? part : breakLine() + part
      isEmpty = false
    } else if (part.includes(',')) indented += `,${breakLine()}`
    else if (part.includes(':')) indented += ': '
    else if (part.trim() !== '') write(text.slice(at, end))
    at = end
  }
  return indented.length <= maxCharacters ? indented : `${indented.slice(0, maxCharacters)}\n…`
}

/** Behind the closing quote. */
function endOfString(text, start) {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return text.length
}
