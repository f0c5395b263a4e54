import { findIdFlaw } from './event-id.ts'
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

/**
 * The bytes of an event as subscribers get them: without its id where that is one that they could not send back (`findIdFlaw`), as a log may
 * have it from elsewhere. A client keeps the id before it, resumes there, and gets what came after that again; with
 * this one its request would be refused, and an `EventSource` would never try again.
 */
export function toSend(event: Uint8Array): Uint8Array {
  let start = 0
  while (event[start] !== firstOfId) {
    if (event[start] === firstOfData) return event
    const next = event.indexOf(lineFeed, start) + 1
    if (next === 0) return event
    start = next
  }
  const end = event.indexOf(lineFeed, start)
  if (end < 0 || findIdFlaw(event, start + 'id: '.length, end) === undefined) return event
  const rest = new Uint8Array(event.length - (end + 1 - start))
  rest.set(event.subarray(0, start))
  rest.set(event.subarray(end + 1), start)
  return rest
}

const lineFeed = 0x0a
const firstOfId = 0x69
const firstOfData = 0x64

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
