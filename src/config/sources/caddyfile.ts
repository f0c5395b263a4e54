import { HubError } from '../../errors.ts'

/** One line of a Caddyfile, with the lines of its block if it opens one. */
export interface Directive {
  readonly name: string
  readonly args: readonly string[]
  readonly block: readonly Directive[] | null
  /** Counted from 1. */
  readonly line: number
  /** Variables that its words name, and that have neither a value nor a default. */
  readonly unset: readonly string[]
}

/** What is wrong in one line, as a sentence that does not show what it holds. */
export class CaddyfileError extends HubError {
  readonly line: number

  constructor(line: number, sentence: string) {
    super('configuration_invalid', sentence)
    this.line = line
  }
}

/**
 * Reads directives as a Caddyfile writes them: words separated by spaces, `"quoted"` or in backquotes, `#` comments, `{`…`}` blocks, and `\` at the
 * end of a line that goes on in the next.
 * @throws CaddyfileError
 */
export function parseCaddyfile(text: string): readonly Directive[] {
  const stack: { block: Directive[]; line: number }[] = [{ block: [], line: 0 }]
  for (const { words, line } of readLines(text)) {
    if (words.length === 1 && words[0] === '}') {
      stack.pop()
      if (stack.length === 0) throw new CaddyfileError(line, '"}" closes nothing.')
      continue
    }
    const opens = words.at(-1) === '{'
    if (words.slice(0, -1).includes('{') || (words.length > 1 && words.includes('}'))) {
      throw new CaddyfileError(line, 'a block goes over several lines: "{" ends its line, "}" has one of its own.')
    }
    const [name = '', ...args] = opens ? words.slice(0, -1) : words
    if (name === '') throw new CaddyfileError(line, 'a block needs a name before "{".')
    const block: Directive[] | null = opens ? [] : null
    stack.at(-1)!.block.push({ name, args, block, line, unset: [] })
    if (block !== null) stack.push({ block, line })
  }
  if (stack.length > 1) throw new CaddyfileError(stack.at(-1)!.line, 'the block is not closed by a line with "}".')
  return stack[0]!.block
}

/** Words of each line that has any; a quoted word may hold line breaks. */
function* readLines(text: string): Generator<{ words: string[]; line: number }> {
  const token =
    /(\n)|[^\S\n]+|\\\r?\n|#[^\n]*|"((?:[^"\\]|\\[\s\S])*)"|`([^`]*)`|([^\s"`](?:[^\s\\]|\\(?!\r?\n))*)|["`]/gy
  let words: string[] = []
  let line = 1
  let first = 1
  for (const [whole, lineBreak, quoted, raw, bare] of text.matchAll(token)) {
    const word = quoted?.replace(/\\(["\\])/g, '$1') ?? raw ?? bare
    if (whole === '"' || whole === '`') throw new CaddyfileError(line, 'a quote is not closed.')
    if (lineBreak !== undefined && words.length > 0) {
      yield { words, line: first }
      words = []
    }
    if (word !== undefined) {
      if (words.length === 0) first = line
      words.push(word)
    }
    line += whole.split('\n').length - 1
  }
  if (words.length > 0) yield { words, line: first }
}

/** Puts values of the environment for `{env.NAME}`, `{$NAME}` and `{$NAME:default}`. */
export function expandPlaceholders(
  directives: readonly Directive[],
  env: Readonly<Record<string, string | undefined>>,
): readonly Directive[] {
  return directives.map(directive => {
    const unset: string[] = []
    const put = (word: string) =>
      word.replace(/\{(?:env\.(\w+)|\$(\w+)(?::([^}]*))?)\}/g, (_, late, early, byDefault = '') => {
        const name: string = late ?? early
        const value = env[name] || byDefault
        if (value === '') unset.push(name)
        return value
      })
    const args = directive.args.map(put)
    return { ...directive, args, unset, block: directive.block && expandPlaceholders(directive.block, env) }
  })
}
