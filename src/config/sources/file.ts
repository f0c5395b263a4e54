import { readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { type ErrorCode, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import type { Path, Problem } from '../problem.ts'
import type { Layer } from './layer.ts'

export interface ConfigFile extends Layer {
  /** As it is shown: relative to the working directory when it is inside. */
  readonly name: string
  readonly directory: string
  readonly problems: readonly Problem[]
  /** The text is no YAML mapping at all: `values` is empty and says nothing. */
  readonly unreadable: boolean
}

/**
 * Where the configuration is looked for, the first that exists is used: the working directory, the user's configuration, the system's.
 * @param home the user's configuration directory
 */
export const searchPath = (cwd: string, home: string): readonly string[] =>
  [cwd, join(home, 'mercure'), '/etc/mercure'].map(directory => join(directory, 'mercure.yaml'))

/** The file of this name; null: there is none. */
export async function readConfigFile(path: string, cwd: string): Promise<ConfigFile | null> {
  const file = resolve(cwd, path)
  const inside = relative(cwd, file)
  const name = inside.startsWith('..') ? file : inside
  try {
    return parseYaml(await readFile(file, 'utf8'), name, dirname(file))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    const problem = { key: null, where: name, message: `the file cannot be read (${code}).` }
    return { name, directory: dirname(file), values: {}, where: () => name, problems: [problem], unreadable: true }
  }
}

/** Reads YAML 1.2. Messages never hold a part of the text, which may be a secret. */
export function parseYaml(text: string, name: string, directory: string): ConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, logLevel: 'error' })
  const root = document.contents
  const at = (offset: number) => `${name}:${lines.linePos(offset).line}`
  const problems: Problem[] = []
  let unreadable = false
  const note = (code: ErrorCode, offset: number) => {
    const [key = null] = (code === 'DUPLICATE_KEY' && /^[\w-]{1,60}/.exec(text.slice(offset))) || []
    problems.push({ key, where: at(offset), message: sentences[code] ?? 'this is not valid YAML.' })
    if (code !== 'DUPLICATE_KEY') unreadable = true
  }
  for (const { code, pos } of [...document.errors, ...document.warnings]) note(code, pos[0])
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) === undefined) note('BAD_ALIAS', alias.range?.[0] ?? 0)
    },
  })
  const empty = root === null || (isScalar(root) && root.value === null)
  if (!unreadable && !empty && !isMap(root)) {
    problems.push({ key: null, where: at(0), message: 'the file must be a mapping: lines of "key: value".' })
    unreadable = true
  }
  const toValues = (): Record<string, unknown> => {
    try {
      return document.toJS()
    } catch (error) {
      if (!(error instanceof ReferenceError)) throw error
      problems.push({ key: null, where: name, message: 'its aliases ("*name") make too much of it.' })
      unreadable = true
      return {}
    }
  }
  const values = unreadable || empty ? {} : toValues()
  return { name, directory, values, problems, unreadable, where: path => at(offsetOf(root, path)) }
}

/** Where the deepest part of the path stands that is there: a key, or an item of a list. */
function offsetOf(node: unknown, path: Path): number {
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part)
      if (pair === undefined) break
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node) && typeof part === 'number' && isNode(node.items[part])) {
      node = node.items[part]
      if (isNode(node)) offset = node.range?.[0] ?? offset
    } else break
  }
  return offset
}

const sentences: Partial<Readonly<Record<ErrorCode, string>>> = {
  DUPLICATE_KEY: 'the key is given a second time.',
  BAD_ALIAS: 'a value that starts with "*" must be in quotes.',
  TAG_RESOLVE_FAILED: 'a value that starts with "!" must be in quotes.',
  BAD_SCALAR_START: 'a value that starts with "@", "`" or "%" must be in quotes.',
  TAB_AS_INDENT: 'YAML is indented with spaces, not tabs.',
  BAD_INDENT: 'this line is not indented like its neighbours, or a bracket before it is not closed.',
  MISSING_CHAR: 'a quote, bracket, comma or the space after ":" is missing.',
  BLOCK_AS_IMPLICIT_KEY: 'a value with ": " in it must be in quotes.',
  MULTIPLE_DOCS: 'the file must hold one YAML document, not several.',
}
