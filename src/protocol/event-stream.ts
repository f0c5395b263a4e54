import type { Update } from './update.ts'

/**
 * An update as bytes of `text/event-stream` (HTML Living Standard, "server-sent events"): optional `event` and `retry`,
 * `id`, one `data` line per line of data, a blank line. CRLF, CR and LF all end a line, so that no value can start a field of its own.
 */
export function encodeEvent(update: Update): Uint8Array {
  let text = ''
  if (update.type !== '') text += `event: ${update.type}\n`
  if (update.retry !== 0) text += `retry: ${update.retry}\n`
  text += `id: ${update.id}\ndata: `
  text += hasLineBreak.test(update.data) ? update.data.replace(lineBreaks, '\ndata: ') : update.data
  return utf8.encode(`${text}\n\n`)
}

const utf8 = new TextEncoder()
const hasLineBreak = /[\r\n]/
const lineBreaks = /\r\n|\r|\n/g

/** Keeps a connection from looking dead to proxies. Not an event: no blank line follows. */
export const comment: Uint8Array = utf8.encode(':\n')

/** How long clients wait before they reconnect, in milliseconds, where no update says otherwise: the same for all of them. */
export const defaultRetryMs = 3000

/** How long clients wait before they reconnect from now on, in milliseconds. Not an event: it goes before one, or to the end of a stream. */
export const encodeRetry = (ms: number): Uint8Array => utf8.encode(`retry: ${ms}\n`)

/** The first bytes of a client's first stream: a comment, so that the head is not held back, and the reconnection time. */
export const opening: Uint8Array = utf8.encode(`:\nretry: ${defaultRetryMs}\n`)
