let topics = 0

/** The URL of a log that is not there yet, on a Pulsar. */
export function newTopic(server: URL, options: Readonly<Record<string, string | number>> = {}): URL {
  const url = new URL(server)
  url.searchParams.set('topic', `test-${process.pid}-${topics++}`)
  for (const [name, value] of Object.entries(options)) url.searchParams.set(name, String(value))
  return url
}
