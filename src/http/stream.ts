import type { EventEmitter } from 'node:events'
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { Batch } from '../hub/batch.ts'
import type { EndReason, Sink } from '../hub/subscriber.ts'
import { comment, opening } from '../protocol/event-stream.ts'
import type { Sleeper, TimerWheel } from './timer-wheel.ts'

export type Request = IncomingMessage | Http2ServerRequest
export type Response = ServerResponse | Http2ServerResponse

export interface StreamOptions {
  readonly wheel: TimerWheel
  /** Silence after which a comment is sent, in milliseconds; 0: never. */
  readonly heartbeatMs: number
  /** How long bytes may wait with none of them leaving before the reader is given up, in milliseconds; 0: for ever. */
  readonly dispatchTimeoutMs: number
  /** When the hub ends the stream by itself, on the wheel's clock, and why; `undefined`: never. */
  readonly lifetime: { readonly endsAt: number; readonly reason: EndReason } | undefined
  /** The client was here before: its reconnection time, which an update may have set, is not touched. */
  readonly resumed: boolean
  readonly onEnd: (reason: EndReason) => void
}

const commentBatch = new Batch(comment)
const openingBatch = new Batch(opening)
const lineEnd = Buffer.from('\r\n')

/**
 * A subscriber's connection, from the response head to its end: the only place that writes to Node's response. On HTTP/1.1 the
 * chunks are framed here and written to the socket itself, so that subscribers with the same events share the bytes and nothing
 * is copied per connection; HTTP/2 (and the rare HTTP/1.0 or pipelined request) goes through the response.
 */
export class Stream implements Sink, Sleeper {
  wakesAt: number = Number.POSITIVE_INFINITY
  readonly #options: StreamOptions
  readonly #response: Response
  /** Where bytes are written: the socket, the HTTP/2 stream, or the response. */
  readonly #out: Writable
  /** The bytes written to `#out` are chunks of HTTP/1.1's transfer coding. */
  readonly #chunked: boolean
  #ended = false
  /** The connection was asked to end cleanly and has bytes left; it is cut when they do not leave in time. */
  #ending = false
  #lastWrite: number
  #written = 0
  /** When bytes were first seen waiting with none leaving since; 0: none wait. */
  #stalledSince = 0
  /** What had left by then, of `#written`. */
  #leftWhenStalled = 0
  #resolveDrained: (() => void) | undefined

  constructor(response: Response, headers: Record<string, string>, options: StreamOptions) {
    this.#response = response
    this.#options = options
    this.#lastWrite = options.wheel.now
    const beginning = options.resumed ? commentBatch : openingBatch
    if (response instanceof ServerResponse) {
      response.writeHead(200, headers)
      const socket = response.chunkedEncoding ? response.socket : null
      this.#chunked = socket !== null
      this.#out = socket ?? response
      if (socket === null) response.write(beginning.bytes)
      else writeHead(response, socket, beginning)
    } else {
      response.writeHead(200, headers)
      this.#chunked = false
      this.#out = response.stream
      this.#out.write(beginning.bytes)
    }
    // Errors of the connection are followed by 'close', which is all that matters here.
    const events: EventEmitter = response
    events.on('error', ignore)
    events.on('close', () => this.#finish('client closed'))
    this.#scheduleNext(this.#lastWrite)
  }

  get waitingBytes(): number {
    return this.#ended ? 0 : this.#out.writableLength
  }

  write(batch: Batch): void {
    if (this.#ended) return
    const bytes = this.#chunked ? chunkOf(batch) : batch.bytes
    this.#written += bytes.byteLength
    this.#out.write(bytes)
    const { now } = this.#options.wheel
    this.#lastWrite = now
    if (this.#stalledSince === 0 && this.#out.writableLength > 0) this.#watch(now)
  }

  async drained(): Promise<void> {
    if (this.#ended || !this.#out.writableNeedDrain) return
    await new Promise<void>(resolve => {
      this.#resolveDrained = resolve
      this.#out.once('drain', resolve)
    })
  }

  end(reason: EndReason): void {
    if (this.#ended) return
    this.#finish(reason)
    // A reader that leaves its bytes where they are gets no clean end: they are freed at once.
    if (reason === 'too slow') {
      this.#cut()
      return
    }
    this.#response.end()
    if (this.#out.writableLength === 0 || this.#out.destroyed) return
    this.#ending = true
    this.#watch(this.#options.wheel.now)
  }

  /** Called by the wheel: ends what is over, sends a heartbeat where it is due, and says when to look again. */
  wake(now: number): number | undefined {
    const { lifetime, heartbeatMs } = this.#options
    if (this.#out.destroyed || (this.#ended && !this.#ending)) return undefined
    if (this.#isStuck(now)) {
      if (this.#ending) this.#cut()
      else this.end('too slow')
      return undefined
    }
    if (this.#ending) return this.#stalledSince === 0 ? undefined : this.#nextCheck(now)
    if (lifetime !== undefined && now >= lifetime.endsAt) {
      this.end(lifetime.reason)
      return undefined
    }
    if (heartbeatMs > 0 && now - this.#lastWrite >= heartbeatMs && this.#stalledSince === 0) this.write(commentBatch)
    return this.#nextCheck(now)
  }

  #scheduleNext(now: number): void {
    const next = this.#nextCheck(now)
    if (next !== undefined) this.#options.wheel.schedule(this, next)
  }

  /** The earliest time at which there may be something to do. */
  #nextCheck(now: number): number | undefined {
    const { lifetime, heartbeatMs, dispatchTimeoutMs } = this.#options
    let next = this.#ending ? Number.POSITIVE_INFINITY : (lifetime?.endsAt ?? Number.POSITIVE_INFINITY)
    if (heartbeatMs > 0 && !this.#ending) {
      const due = this.#lastWrite + heartbeatMs
      next = Math.min(next, due > now ? due : now + heartbeatMs)
    }
    if (this.#stalledSince > 0 && dispatchTimeoutMs > 0) next = Math.min(next, this.#stalledSince + dispatchTimeoutMs)
    return next === Number.POSITIVE_INFINITY ? undefined : next
  }

  /** Bytes wait: begin to watch whether they leave. */
  #watch(now: number): void {
    if (this.#options.dispatchTimeoutMs === 0) return
    this.#stalledSince = now
    this.#leftWhenStalled = this.#written - this.#out.writableLength
    this.#options.wheel.schedule(this, now + this.#options.dispatchTimeoutMs)
  }

  /** Nothing has left for the whole dispatch timeout. Each byte that leaves starts it anew. */
  #isStuck(now: number): boolean {
    if (this.#stalledSince === 0) return false
    const waiting = this.#out.writableLength
    const left = this.#written - waiting
    if (waiting === 0) this.#stalledSince = 0
    else if (left > this.#leftWhenStalled) {
      this.#stalledSince = now
      this.#leftWhenStalled = left
    } else return now - this.#stalledSince >= this.#options.dispatchTimeoutMs
    return false
  }

  #finish(reason: EndReason): void {
    if (this.#ended) return
    this.#ended = true
    this.#options.wheel.cancel(this)
    this.#resolveDrained?.()
    this.#options.onEnd(reason)
  }

  #cut(): void {
    this.#ending = false
    this.#out.destroy()
  }
}

/** What is written through a response leaves a tick later, after what is written to its socket in this one: the head must not. */
function writeHead(response: ServerResponse, socket: Socket, beginning: Batch): void {
  socket.cork()
  // Header values are bytes as Latin-1, and a flushed head is written as text in the socket's encoding.
  socket.setDefaultEncoding('latin1')
  response.flushHeaders()
  socket.setDefaultEncoding('utf8')
  socket.write(chunkOf(beginning))
  socket.uncork()
}

const ignore = () => {}

/** The client has gone before anything was answered. */
export const isGone = (response: Response): boolean =>
  response instanceof ServerResponse ? response.destroyed : response.stream.destroyed

/** The batch as one chunk (RFC 9112, section 7.1), made once for all who share the batch. */
function chunkOf(batch: Batch): Uint8Array {
  if (batch.framed !== undefined) return batch.framed
  const size = Buffer.from(`${batch.byteLength.toString(16)}\r\n`)
  const chunk = Buffer.allocUnsafeSlow(size.length + batch.byteLength + lineEnd.length)
  size.copy(chunk)
  batch.copyTo(chunk, size.length)
  lineEnd.copy(chunk, chunk.length - lineEnd.length)
  batch.framed = chunk
  return chunk
}

/** What proxies and browsers are told of an event stream. */
export const streamHeaders: Record<string, string> = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'private, no-cache, no-store, must-revalidate, max-age=0',
  Pragma: 'no-cache',
  Expires: '0',
  'X-Accel-Buffering': 'no',
}
