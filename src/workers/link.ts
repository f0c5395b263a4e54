import type { Socket } from 'node:net'
import { HubError } from '../errors.ts'
import { decodeFailure, encodeFailure } from './failure.ts'
import { encodeFrame, type FrameKind, FrameReader } from './frame.ts'

export interface LinkOptions {
  /** Bytes that may wait for the other side; past that the connection is cut. */
  readonly maxWaitingBytes: number
  readonly onOverflow?: () => void
}

/** What few bytes are: who produces many waits until no more wait. */
const lowWaterBytes = 1 << 20
/** Frames of a turn are joined to one write up to this size: copying is then cheaper than writing them one by one. */
const maxJoinedBytes = 1 << 20

type Handler = (payload: Buffer) => void
type Responder = (payload: Buffer) => Promise<Uint8Array | undefined> | Uint8Array | undefined
interface Asked {
  readonly resolve: (payload: Buffer) => void
  readonly reject: (error: unknown) => void
}

/** The connection of the primary process and one worker: frames in the order in which they were sent, those of a turn in one write. */
export class Link {
  /** Resolves when the other side has gone, or this one has ended the connection. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  readonly #options: LinkOptions
  readonly #reader = new FrameReader()
  readonly #handlers = new Map<FrameKind, (payload: Buffer, request: number) => void>()
  readonly #asked = new Map<number, Asked>()
  #requests = 0
  #queue: Buffer[] = []
  #queuedBytes = 0
  #scheduled = false
  #isEnding = false
  #isClosed = false
  #waiting: (() => void)[] = []

  constructor(socket: Socket, options: LinkOptions) {
    this.#socket = socket
    this.#options = options
    this.#handlers.set('answer', (payload, request) => this.#take(request)?.resolve(payload))
    this.#handlers.set('refusal', (payload, request) => this.#take(request)?.reject(decodeFailure(payload)))
    this.closed = new Promise(resolve => socket.once('close', resolve)).then(() => this.#close())
    socket.on('error', () => {}) // followed by 'close', which is all that matters
    socket.on('drain', () => this.#wakeIfDrained())
    socket.on('data', chunk =>
      this.#reader.read(chunk as Buffer, ({ kind, request, payload }) => this.#handlers.get(kind)?.(payload, request)),
    )
  }

  /** What to do with frames of a kind, in the turn in which they come. */
  on(kind: FrameKind, handler: Handler): void {
    this.#handlers.set(kind, handler)
  }

  /** How to answer requests of a kind; what is thrown is thrown at the other side. */
  answer(kind: FrameKind, respond: Responder): void {
    this.#handlers.set(kind, async (payload, request) => {
      try {
        const answer = respond(payload)
        this.send('answer', answer instanceof Promise ? await answer : answer, request)
      } catch (error) {
        this.send('refusal', encodeFailure(error), request)
      }
    })
  }

  /** @throws HubError `transport_unavailable` when the connection ends before the answer, and whatever the other side throws */
  ask(kind: FrameKind, payload?: Uint8Array): Promise<Buffer> {
    if (this.#isClosed) return Promise.reject(disconnected())
    this.#requests = (this.#requests % 0xffffffff) + 1
    const request = this.#requests
    return new Promise((resolve, reject) => {
      this.#asked.set(request, { resolve, reject })
      this.send(kind, payload, request)
    })
  }

  send(kind: FrameKind, payload?: Uint8Array, request?: number): void {
    this.sendFrame(encodeFrame(kind, payload, request))
  }

  /** A frame that is sent to several is encoded once. */
  sendFrame(frame: Buffer): void {
    if (this.#isEnding || this.#isClosed) return
    this.#queue.push(frame)
    this.#queuedBytes += frame.byteLength
    if (this.waitingBytes > this.#options.maxWaitingBytes) {
      this.#options.onOverflow?.()
      this.destroy()
      return
    }
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#flush)
  }

  /** Bytes that the other side has not taken yet. */
  get waitingBytes(): number {
    return this.#queuedBytes + this.#socket.writableLength
  }

  /** All that the other side has sent, in bytes. */
  get receivedBytes(): number {
    return this.#socket.bytesRead
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Resolves when few bytes wait, or the connection has ended. */
  async drained(): Promise<void> {
    if (this.#isClosed || this.waitingBytes < lowWaterBytes) return
    await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  /** Ends the connection when what was sent has left; nothing more is sent. */
  end(): void {
    this.#flush()
    this.#isEnding = true
    this.#socket.end()
  }

  destroy(): void {
    this.#close()
    this.#socket.destroy()
  }

  readonly #flush = (): void => {
    this.#scheduled = false
    const queue = this.#queue
    if (queue.length === 0) return
    this.#queue = []
    if (queue.length > 1 && this.#queuedBytes <= maxJoinedBytes)
      this.#socket.write(Buffer.concat(queue, this.#queuedBytes))
    else {
      this.#socket.cork()
      for (const frame of queue) this.#socket.write(frame)
      this.#socket.uncork()
    }
    this.#queuedBytes = 0
    this.#wakeIfDrained()
  }

  #wakeIfDrained(): void {
    if (this.#waiting.length === 0 || (!this.#isClosed && this.waitingBytes >= lowWaterBytes)) return
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #take(request: number): Asked | undefined {
    const asked = this.#asked.get(request)
    this.#asked.delete(request)
    return asked
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#queue = []
    this.#queuedBytes = 0
    this.#wakeIfDrained()
    for (const { reject } of this.#asked.values()) reject(disconnected())
    this.#asked.clear()
  }
}

const disconnected = (): HubError =>
  new HubError('transport_unavailable', 'The connection to the process that keeps the log has ended: try again.')
