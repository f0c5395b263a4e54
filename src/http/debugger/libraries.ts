import { readFileSync } from 'node:fs'
import { posix } from 'node:path'

/** What the page is made with, by the names under which it imports them. */
const libraries: Readonly<Record<string, string>> = {
  'preact.js': 'preact',
  'preact-hooks.js': 'preact/hooks',
  'htm.js': 'htm',
  'uplot.js': 'uplot/dist/uPlot.esm.js',
  'uplot.css': 'uplot/dist/uPlot.min.css',
  'eventsource-parser.js': 'eventsource-parser',
}
const nameOf: ReadonlyMap<string, string> = new Map(Object.entries(libraries).map(([name, from]) => [from, name]))

/**
 * The libraries and the modules that they import, from where they are installed. Browsers know no packages without a script inside of the
 * page, which its policy forbids: imports become relative ones.
 */
export function readLibraries(): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const [name, specifier] of Object.entries(libraries)) read(name, new URL(import.meta.resolve(specifier)), name)
  return texts

  function read(name: string, url: URL, library: string): void {
    if (texts.has(name)) return
    // The map is not served.
    const source = readFileSync(url, 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '')
    texts.set(name, source)
    if (!name.endsWith('.js')) return
    const rewritten = source.replace(importOf, (_statement, keyword: string, quote: string, specifier: string) => {
      const target = nameOf.get(specifier) ?? partName(library, specifier)
      if (specifier.startsWith('.')) read(target, new URL(specifier, url), library)
      return `${keyword}${quote}./${target}${quote}`
    })
    texts.set(name, rewritten)
  }
}

/** `import … from "…"`, `export … from "…"`, `import "…"`, minified or not. */
const importOf = /(\b(?:from|import)\s*)(["'])([@\w./-]+)\2/g

/** A module beside the first one of a library: `parse.js` of `eventsource-parser.js` is `eventsource-parser-parse.js`. */
const partName = (library: string, specifier: string): string =>
  `${posix.basename(library, '.js')}-${posix.basename(specifier)}`
