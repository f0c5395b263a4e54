import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { hubPath } from '../../src/protocol/topic.ts'
import type { TestHub } from './hub.ts'

/** A stream of HTTP/2 as it arrives; nothing of its body is asked for until `read`. */
export class Exchange {
  status = 0
  headers: IncomingHttpHeaders = {}
  text = ''
  closed = false
  readonly stream: ClientHttp2Stream
  readonly #changed = new EventEmitter().setMaxListeners(0)

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream.setEncoding('utf8')
    stream.on('response', headers => {
      this.status = Number(headers[':status'])
      this.headers = headers
      this.#changed.emit('change')
    })
    stream.on('error', () => {})
    stream.on('close', () => {
      this.closed = true
      this.#changed.emit('change')
    })
  }

  read(): this {
    this.stream.on('data', (text: string) => {
      this.text += text
      this.#changed.emit('change')
    })
    return this
  }

  async until(condition: () => boolean): Promise<this> {
    while (!condition() && !this.closed) await once(this.#changed, 'change')
    assert.ok(condition(), `the stream ended first, with status ${this.status}: ${this.text}`)
    return this
  }

  async end(): Promise<this> {
    while (!this.closed) await once(this.#changed, 'change')
    return this
  }
}

/** A session of HTTP/2 with the hub, as a client holds it. */
export async function openSession(
  hub: Pick<TestHub, 'url'>,
): Promise<
  AsyncDisposable & { session: ClientHttp2Session; request(headers?: OutgoingHttpHeaders, body?: string): Exchange }
> {
  const session = connect(hub.url)
  session.on('error', () => {})
  await once(session, 'connect')
  return {
    session,
    request(headers = {}, body) {
      const stream = session.request({ ':path': `${hubPath}?topic=a`, ...headers }, { endStream: body === undefined })
      if (body !== undefined) stream.end(body)
      return new Exchange(stream)
    },
    async [Symbol.asyncDispose]() {
      session.destroy()
    },
  }
}
