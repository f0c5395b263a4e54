import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const beginOf = (part: string) => `<!-- Written by npm run bench -- ${part}: -->`
const end = '<!-- Until here. -->'

/** Puts the figures of a part into the page of the directory in place of what was between its two marks. @throws Error when it has none */
export async function replaceFigures(directory: string, part: string, figures: string): Promise<void> {
  const { path, before, after } = await requirePlace(directory, part)
  await writeFile(path, `${before}\n${figures}\n${after}`)
}

/** The page around the place. To be asked before a long measurement, too. @throws Error when it has none */
export async function requirePlace(
  directory: string,
  part: string,
): Promise<{ path: string; before: string; after: string }> {
  const path = join(directory, 'performance.md')
  const page = await readFile(path, 'utf8')
  const begin = beginOf(part)
  const from = page.indexOf(begin)
  const to = page.indexOf(end, from)
  if (from === -1 || to === -1) throw new Error(`${path} has no place for figures: ${begin} … ${end}`)
  return { path, before: page.slice(0, from + begin.length), after: page.slice(to) }
}
