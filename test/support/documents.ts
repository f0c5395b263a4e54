import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from './process.ts'

export interface Snippet {
  /** The heading that it stands under. */
  readonly section: string
  readonly language: string
  readonly text: string
}

/** A text of the documentation in Markdown. */
export interface Document {
  /** From the root of the project. */
  readonly path: string
  readonly text: string
  readonly snippets: readonly Snippet[]
  /** What its links lead to, as they are written. */
  readonly links: readonly string[]
  /** What a link may name behind `#`. */
  readonly anchors: ReadonlySet<string>
}

export async function readDocument(path: string): Promise<Document> {
  const text = await readFile(join(root, path), 'utf8')
  const prose = text.replace(/^ *```.*?^ *```$/gms, '')
  return {
    path,
    text,
    snippets: readSnippets(text),
    links: [...prose.replace(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(match => match[1]!),
    anchors: readAnchors(prose),
  }
}

/** Every one of the project's own. */
export async function readDocuments(): Promise<Document[]> {
  const paths: string[] = []
  for await (const path of glob('{*,{docs,src,transports,test,scripts,charts}/**/*}.md', { cwd: root }))
    paths.push(path)
  return await Promise.all(paths.toSorted().map(readDocument))
}

function readSnippets(text: string): Snippet[] {
  return text.split(/^(?=#{1,3} )/m).flatMap(part => {
    const section = /^#+ (.*)/.exec(part)?.[1] ?? ''
    return [...part.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
      section,
      language,
      text,
    }))
  })
}

/** As GitHub makes them of headings, and those that are written out. */
function readAnchors(prose: string): Set<string> {
  const anchors = new Set([...prose.matchAll(/<a id="([^"]+)"/g)].map(match => match[1]!))
  for (const [, heading = ''] of prose.matchAll(/^#+ (.*)$/gm)) {
    const name = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-')
    let anchor = name
    for (let again = 1; anchors.has(anchor); again++) anchor = `${name}-${again}`
    anchors.add(anchor)
  }
  return anchors
}
