let schemas = 0

/** The URL of a log that is not there yet, in a schema of its own. */
export function newLog(server: URL, options: Readonly<Record<string, string>> = {}): URL {
  const url = new URL(server)
  url.searchParams.set('schema', `test_${process.pid}_${schemas++}`)
  for (const [name, value] of Object.entries(options)) url.searchParams.set(name, value)
  return url
}

/** The schema that a URL names. */
export const schemaOf = (url: URL): string => url.searchParams.get('schema')!

/** The same log, by another way. */
export function through(url: URL, { port }: { port: number }): URL {
  const other = new URL(url)
  other.port = String(port)
  return other
}
