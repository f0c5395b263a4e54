import type { EventEmitter } from 'node:events'
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { Batch } from '../hub/batch.ts'
import type { EndReason, Sink } from '../hub/subscriber.ts'
import { comment, opening } from '../protocol/event-stream.ts'
import type { CodingName } from './accept-encoding.ts'
import type { Backlog, Waiter } from './backlog.ts'
import { Compressor } from './compressor.ts'
import { farewell } from './farewell.ts'
import type { Lifetime, Notice } from './lifetime.ts'
import { Outlet } from './outlet.ts'
import type { Sleeper, TimerWheel } from './timer-wheel.ts'

export type Request = IncomingMessage | Http2ServerRequest
export type Response = ServerResponse | Http2ServerResponse

export interface StreamOptions {
  readonly wheel: TimerWheel
  readonly backlog: Backlog
  /** Silence after which a comment is sent, in milliseconds; 0: never. */
  readonly heartbeatMs: number
  /** How long bytes may wait with none of them leaving before the reader is given up, in milliseconds; 0: for ever. */
  readonly dispatchTimeoutMs: number
  /** `undefined`: the hub does not end the stream by itself. */
  readonly lifetime: Lifetime | undefined
  /** `undefined`: the client is told nothing of its token. */
  readonly notice: Notice | undefined
  /** The client was here before: its reconnection time, which an update may have set, is not touched. */
  readonly resumed: boolean
  /** The content coding; `undefined`: none. The headers are to say so. */
  readonly coding: CodingName | undefined
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
export class Stream implements Sink, Sleeper, Waiter {
  wakesAt: number = Number.POSITIVE_INFINITY
  readonly #options: StreamOptions
  readonly #response: Response
  /** Where bytes are written: the socket, the HTTP/2 stream, or the response. */
  readonly #out: Writable
  readonly #outlet: Outlet
  /** The bytes written there are chunks of HTTP/1.1's transfer coding. */
  readonly #chunked: boolean
  readonly #compressor: Compressor | undefined
  #ended = false
  /** An update has told the client how long to wait before it reconnects. */
  #isRetrySet = false
  #noticeAt: number
  /** The connection was asked to end cleanly and has bytes left; it is cut when they do not leave in time. */
  #ending = false
  #lastWrite: number
  /** When bytes were first seen waiting with none leaving since; 0: none wait. */
  #stalledSince = 0
  /** How many bytes had left by then. */
  #leftWhenStalled = 0
  #resolveDrained: (() => void) | undefined

  constructor(response: Response, headers: Record<string, string>, options: StreamOptions) {
    this.#response = response
    this.#options = options
    this.#lastWrite = options.wheel.now
    this.#noticeAt = options.notice?.at ?? Number.POSITIVE_INFINITY
    if (response instanceof ServerResponse) {
      response.writeHead(200, headers)
      this.#chunked = response.chunkedEncoding && response.socket !== null
      this.#out = this.#chunked ? response.socket! : response
    } else {
      response.writeHead(200, headers)
      this.#chunked = false
      this.#out = response.stream
    }
    this.#outlet = new Outlet(this.#out, options.backlog, this)
    if (options.coding !== undefined) {
      this.#compressor = new Compressor(
        options.coding,
        wire => {
          this.#put(wire)
          this.#watchWaiting()
        },
        () => this.#cut(),
      )
    }
    const beginning = options.resumed ? commentBatch : openingBatch
    if (this.#chunked) beginChunks(response as ServerResponse, this.#out as Socket, () => this.#send(beginning))
    else this.#send(beginning)
    // Errors of the connection are followed by 'close', which is all that matters here.
    const events: EventEmitter = response
    events.on('error', ignore)
    events.on('close', () => {
      this.#finish('client closed')
      this.#drop()
    })
    this.#scheduleNext(this.#lastWrite)
  }

  get waitingBytes(): number {
    return this.#ended ? 0 : this.#outlet.waitingBytes + (this.#compressor?.waitingBytes ?? 0)
  }

  write(batch: Batch): void {
    if (this.#ended) return
    this.#lastWrite = this.#options.wheel.now
    if (batch.setsRetry) this.#isRetrySet = true
    this.#send(batch)
    this.#watchWaiting()
  }

  async drained(): Promise<void> {
    if (this.#ended) return
    await new Promise<void>(resolve => {
      this.#resolveDrained = resolve
      this.#whenSent(resolve)
    })
  }

  end(reason: EndReason): void {
    if (this.#ended) return
    const isBehind = this.waitingBytes > 0
    this.#finish(reason)
    // A reader that leaves its bytes where they are gets no clean end: they are freed at once. What waits for one who may not have it never leaves.
    if (reason === 'too slow' || (reason === 'revoked' && isBehind)) {
      this.#cut()
      return
    }
    this.#ending = true
    this.#stalledSince = 0
    const isShutdown = reason === 'shutdown'
    if (isShutdown && !this.#isRetrySet) this.#send(farewell())
    this.#compressor?.finish()
    // Node takes a connection for idle, and may close it, as soon as its answer is ended, though bytes are left.
    this.#whenSent(() =>
      this.#outlet.whenLeft(() => {
        this.#response.end()
        if (isShutdown) endConnection(this.#response, this.#out)
      }),
    )
    this.#watchWaiting()
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
    if (now >= this.#noticeAt) {
      this.#noticeAt = Number.POSITIVE_INFINITY
      this.write(this.#options.notice!.compose())
    }
    if (heartbeatMs > 0 && now - this.#lastWrite >= heartbeatMs && this.#stalledSince === 0) this.write(commentBatch)
    return this.#nextCheck(now)
  }

  #send(batch: Batch): void {
    if (this.#compressor === undefined) this.#put(batch)
    else this.#compressor.write(batch)
  }

  /** Writes a batch as it is to stand on the wire, but for its framing. */
  #put(wire: Batch): void {
    // An empty chunk would be the last one.
    if (this.#out.destroyed || wire.byteLength === 0) return
    this.#outlet.write(this.#chunked ? chunkOf(wire) : wire.bytes)
  }

  /** Calls `then` when everything is with the connection. */
  #whenSent(then: () => void): void {
    if (this.#compressor === undefined) this.#outlet.whenEmpty(then)
    else this.#compressor.whenPut(() => this.#outlet.whenEmpty(then))
  }

  #scheduleNext(now: number): void {
    const next = this.#nextCheck(now)
    if (next !== undefined) this.#options.wheel.schedule(this, next)
  }

  /** The earliest time at which there may be something to do. */
  #nextCheck(now: number): number | undefined {
    const { lifetime, heartbeatMs, dispatchTimeoutMs } = this.#options
    let next = this.#ending
      ? Number.POSITIVE_INFINITY
      : Math.min(this.#noticeAt, lifetime?.endsAt ?? Number.POSITIVE_INFINITY)
    if (heartbeatMs > 0 && !this.#ending) {
      const due = this.#lastWrite + heartbeatMs
      next = Math.min(next, due > now ? due : now + heartbeatMs)
    }
    if (this.#stalledSince > 0 && dispatchTimeoutMs > 0) next = Math.min(next, this.#stalledSince + dispatchTimeoutMs)
    return next === Number.POSITIVE_INFINITY ? undefined : next
  }

  /** Where bytes wait, begins to watch whether they leave. */
  #watchWaiting(): void {
    const { dispatchTimeoutMs, wheel } = this.#options
    if (this.#stalledSince > 0 || dispatchTimeoutMs === 0 || this.#out.destroyed || this.#outlet.isClear) return
    const { now } = wheel
    this.#stalledSince = now
    this.#leftWhenStalled = this.#outlet.leftBytes
    wheel.schedule(this, now + dispatchTimeoutMs)
  }

  /** Nothing has left for the whole dispatch timeout. Each byte that leaves starts it anew. */
  #isStuck(now: number): boolean {
    if (this.#stalledSince === 0) return false
    const left = this.#outlet.leftBytes
    if (this.#outlet.isClear) this.#stalledSince = 0
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

  /** Frees what is left when the connection has no more to do with this stream, or is to be closed. */
  #drop(): void {
    this.#ending = false
    this.#options.wheel.cancel(this)
    this.#outlet.drop()
    this.#compressor?.close()
  }

  #cut(): void {
    this.#drop()
    this.#out.destroy()
  }
}

/** What is written through a response leaves a tick later, after what is written to its socket in this one: the head must not. */
function beginChunks(response: ServerResponse, socket: Socket, begin: () => void): void {
  socket.cork()
  // Header values are bytes as Latin-1, and a flushed head is written as text in the socket's encoding.
  socket.setDefaultEncoding('latin1')
  response.flushHeaders()
  socket.setDefaultEncoding('utf8')
  begin()
  socket.uncork()
}

/** No request of this client is to come to a hub that shuts down: its next connection may be to another one. */
function endConnection(response: Response, out: Writable): void {
  if (!(response instanceof ServerResponse)) response.stream.session?.close()
  else if (out !== response) response.once('finish', () => out.end())
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
