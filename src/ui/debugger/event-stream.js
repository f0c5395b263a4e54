import { findUnsendable, passes, readRefusal } from './request.js'
import { createParser } from './vendor/eventsource-parser.js'

/** Streams that hold a connection of the browser, or wait for one. */
const connected = new Set()
export const countConnected = () => connected.size

const defaultRetryMs = 3000
const maxRetryMs = 30_000
/** Hubs take far smaller ones. */
const maxUpdateCharacters = 64 * 1024 * 1024
/** The longest that timers take: they end at once for longer ones. */
const maxTimerMs = 2 ** 31 - 1

/**
 * A stream of the hub that connects again. Unlike EventSource it sends headers, passes on events of every type and tells why it ended.
 * State: `connecting` → `open` → `retrying` (`retryAt`) → … → `ended`, each with the `reason` of the last change as a sentence.
 */
export class EventStream {
  state = { name: 'connecting', reason: '' }
  lastEventId
  retryMs = defaultRetryMs
  #options
  #connection
  #timer
  /** Attempts in a row that opened nothing. */
  #failures = 0

  /**
   * @param {{url: string, lastEventId?: string, authorize: () => RequestInit,
   *   onUpdate: (update: {id: string, type: string, data: string, retry: number | undefined}) => void,
   *   onState: (state: object) => void, onGap?: (askedFor: string) => void}} options `authorize` is asked for each connection
   */
  constructor(options) {
    this.#options = options
    this.lastEventId = options.lastEventId ?? ''
  }

  /** Connects, also before a retry is due or after the end. */
  connect() {
    this.#stop()
    const connection = new AbortController()
    this.#connection = connection
    this.#setState('connecting')
    this.#run(connection.signal).then(
      reason => connection.signal.aborted || this.#retry(reason),
      error => {
        if (connection.signal.aborted) return
        if (error instanceof Ended) this.#end(error.message, error.refusal)
        else this.#retry(error instanceof Passing ? error.message : 'The connection was lost.', error.afterMs)
      },
    )
  }

  close(reason = 'Closed here.') {
    this.#stop()
    this.#end(reason)
  }

  #stop() {
    clearTimeout(this.#timer)
    this.#connection?.abort()
    this.#connection = undefined
  }

  async #run(signal) {
    const asked = this.lastEventId
    const init = this.#options.authorize()
    const headers = {
      Accept: 'text/event-stream',
      ...init.headers,
      ...(asked === '' ? {} : { 'Last-Event-ID': encodeHeader(asked) }),
    }
    const unsendable = findUnsendable(headers)
    if (unsendable !== undefined) throw new Ended(unsendable)
    const response = await fetch(this.#options.url, { ...init, headers, cache: 'no-store', signal })
    await requireStream(response)
    const cursor = response.headers.get('Mercure-Last-Event-ID') ?? response.headers.get('Last-Event-ID')
    if (asked !== '' && asked !== 'earliest' && cursor !== null && cursor !== headers['Last-Event-ID'])
      this.#options.onGap?.(asked)
    this.#failures = 0
    this.#setState('open')
    const parser = this.#createParser(asked !== '')
    const text = new TextDecoder()
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return 'The hub ended the stream.'
      feed(parser, text.decode(value, { stream: true }))
    }
  }

  #createParser(resumed) {
    let retry
    // A first stream begins with the hub's own reconnection time, which belongs to no update.
    let ofStream = !resumed
    return createParser({
      maxBufferSize: maxUpdateCharacters,
      onRetry: ms => {
        this.retryMs = ms
        if (ofStream) ofStream = false
        else retry = ms
      },
      onEvent: ({ id, event, data }) => {
        if (id !== undefined) this.lastEventId = id
        this.#options.onUpdate({ id: id ?? '', type: event ?? '', data, retry })
        ofStream = false
        retry = undefined
      },
    })
  }

  #retry(reason, afterMs = 0) {
    const growingMs = Math.min(this.retryMs * 1.5 ** this.#failures, Math.max(maxRetryMs, this.retryMs))
    const waitMs = Math.min(Math.max(afterMs, growingMs), maxTimerMs)
    this.#failures++
    this.#timer = setTimeout(() => this.connect(), waitMs)
    this.#setState('retrying', reason, { retryAt: Date.now() + waitMs })
  }

  #end(reason, refusal) {
    this.#setState('ended', reason, refusal === undefined ? {} : { refusal })
  }

  #setState(name, reason = '', more = {}) {
    if (name === 'connecting' || name === 'open') connected.add(this)
    else connected.delete(this)
    this.state = { name, reason, ...more }
    this.#options.onState(this.state)
  }
}

/** The hub's answer is final. */
class Ended extends Error {
  constructor(message, refusal) {
    super(message)
    this.refusal = refusal
  }
}

/** The answer may be another one soon. */
class Passing extends Error {
  constructor(message, afterMs) {
    super(message)
    this.afterMs = afterMs
  }
}

function feed(parser, text) {
  try {
    parser.feed(text)
  } catch (error) {
    throw new Ended(`This cannot be read: ${error.message}`)
  }
}

async function requireStream(response) {
  const { status, headers } = response
  if (status === 200 && headers.get('Content-Type')?.startsWith('text/event-stream')) return
  const refusal = readRefusal(status, await response.text())
  if (status === 204) throw new Ended('The hub wants no reconnection (204).', refusal)
  if (status === 200)
    throw new Ended('What came is no event stream: does something else answer at this address?', refusal)
  const sentence = `${status} ${refusal.code === '' ? '' : `${refusal.code}: `}${refusal.message}`
  if (!passes(refusal)) throw new Ended(sentence, refusal)
  throw new Passing(sentence, (Number(headers.get('Retry-After')) || 0) * 1000)
}

/** As EventSource sends ids: UTF-8, one character of the header a byte. */
const encodeHeader = id => String.fromCharCode(...new TextEncoder().encode(id))
