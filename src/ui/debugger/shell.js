/** One word of a POSIX shell, whatever it contains. */
export const quoteWord = text => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

const join = words => words.join(' \\\n  ')
const authorization = token => (token === undefined ? [] : [`-H ${quoteWord(`Authorization: Bearer ${token}`)}`])

/** The command that publishes these fields: lists repeat a field. */
export function publishCommand(url, fields, token) {
  const data = fields.map(([name, value]) => `--data-urlencode ${quoteWord(`${name}=${value}`)}`)
  return join([`curl ${quoteWord(url)}`, ...authorization(token), ...data])
}

/** The command that follows a stream. */
export function subscribeCommand(url, lastEventId, token) {
  const cursor = lastEventId === '' ? [] : [`-H ${quoteWord(`Last-Event-ID: ${lastEventId}`)}`]
  return join([`curl -N ${quoteWord(url)}`, ...authorization(token), ...cursor])
}
