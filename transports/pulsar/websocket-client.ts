import { readFile } from 'node:fs/promises'
import { Failure } from '../backend/failure.ts'
import { inTime } from '../backend/in-time.ts'
import {
  type Client,
  type Message,
  type OutgoingMessage,
  type Producer,
  type Reader,
  type ReaderOptions,
  type Topic,
  topicPath,
} from './client.ts'
import { ofSendError, ofWebSocket } from './failure.ts'
import type { Location } from './location.ts'
import { decodeMessageId, encodeMessageId, type Position } from './position.ts'
import { FrameLimit, tooLargeCode } from './too-large.ts'
import { WebSocketSession } from './web-socket.ts'

/** How long Pulsar tries to store a message, where nobody says. */
const sendMs = 30_000
const answerMs = 5000
const limitMs = 2000
/** More than any server takes of one text: the most that those of Pulsar can count. */
const maxAnnouncedBytes = 0x7fff_ffff

/** Pulsar's WebSocket API, version 2. */
export class WebSocketClient implements Client {
  readonly #location: Location
  readonly #sendTimeoutMs: number
  readonly #limit = new FrameLimit()
  /** The address that is tried next. */
  #turn = 0

  constructor(location: Location, publishTimeoutMs: number) {
    this.#location = location
    this.#sendTimeoutMs = publishTimeoutMs === 0 ? sendMs : publishTimeoutMs
  }

  async openProducer(topic: Topic, signal: AbortSignal): Promise<Producer> {
    const query = { sendTimeoutMillis: String(Math.ceil(this.#sendTimeoutMs)), maxPendingMessages: '2000' }
    let producer: WebSocketProducer | undefined
    const socket = await this.#open('producer', topic, query, text => producer?.receive(text), signal)
    producer = new WebSocketProducer(socket, this.#limit)
    if (topic.kind === 'persistent') await this.#learnLimit(topic, query, signal)
    return producer
  }

  /** A connection that carries a text that is too large is lost, and with it what is known of all that is under way: this one carries nothing else. */
  async #learnLimit(topic: Topic, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    let socket: WebSocketSession | undefined
    try {
      socket = await this.#open('producer', topic, query, () => {}, signal)
      socket.announce(maxAnnouncedBytes)
      await inTime(socket.ended, limitMs, () => new Failure('broken', 'it does not say how much it takes'))
      this.#limit.learn(socket.reason)
    } catch {
      // It is learnt when something is too large.
    } finally {
      socket?.kill()
    }
  }

  async openReader(topic: Topic, { after, ahead }: ReaderOptions, signal: AbortSignal): Promise<Reader> {
    const messageId = typeof after === 'string' ? after : encodeMessageId(after).toString('base64')
    const { readerName } = this.#location
    const query = { messageId, receiverQueueSize: String(ahead), ...(readerName === undefined ? {} : { readerName }) }
    const waiting: string[] = []
    let receive = (text: string): void => {
      waiting.push(text)
    }
    const socket = await this.#open('reader', topic, query, text => receive(text), signal)
    const reader = new WebSocketReader(socket)
    for (const text of waiting) reader.receive(text)
    receive = text => reader.receive(text)
    return reader
  }

  async close(): Promise<void> {}

  async #open(
    role: 'producer' | 'reader',
    topic: Topic,
    query: Readonly<Record<string, string>>,
    receive: (text: string) => void,
    signal: AbortSignal,
  ): Promise<WebSocketSession> {
    const { tls, addresses, token, tlsCaFile } = this.#location
    const { host, port } = addresses[this.#turn % addresses.length]!
    const origin = `${tls ? 'wss' : 'ws'}://${host.includes(':') ? `[${host}]` : host}:${port}`
    const url = new URL(`${origin}/ws/v2/${role}/${topicPath(topic)}?${new URLSearchParams(query)}`)
    try {
      const ca = tlsCaFile === undefined ? undefined : await readFile(tlsCaFile, 'utf8')
      const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` }
      return await WebSocketSession.open(url, { headers, ca, signal, receive })
    } catch (error) {
      this.#turn++
      throw ofWebSocket(error, topic, `${host}:${port}`)
    }
  }
}

interface Answer {
  readonly result?: string
  readonly messageId?: string
  readonly errorMsg?: string
  readonly context?: string
}

/** A text that was sent. */
interface Unanswered extends Omit<PromiseWithResolvers<Position>, 'promise'> {
  readonly bytes: number
}

class WebSocketProducer implements Producer {
  readonly #socket: WebSocketSession
  readonly #limit: FrameLimit
  readonly #unanswered = new Map<string, Unanswered>()
  #sent = 0

  constructor(socket: WebSocketSession, limit: FrameLimit) {
    this.#socket = socket
    this.#limit = limit
    void socket.ended.then(() => this.#failAll(socket.reason))
  }

  /** Texts are taken one after the other: behind one that is too large none is. */
  #failAll(reason: Failure): void {
    const unanswered = [...this.#unanswered.values()]
    this.#unanswered.clear()
    this.#limit.learn(reason, Math.max(...unanswered.map(({ bytes }) => bytes)))
    const first = reason.code === tooLargeCode ? unanswered.findIndex(({ bytes }) => this.#limit.check(bytes)) : -1
    for (const [i, { bytes, reject }] of unanswered.entries()) {
      if (first < 0 || i < first) reject(reason)
      else reject(this.#limit.check(bytes) ?? new Failure('passing', reason.message))
    }
  }

  get isOver(): boolean {
    return this.#socket.isOver
  }

  get ended(): Promise<void> {
    return this.#socket.ended
  }

  end(): Promise<void> {
    return this.#socket.end()
  }

  kill(): void {
    this.#socket.kill()
  }

  send({ payload, properties }: OutgoingMessage): Promise<Position> {
    return this.#ask({ payload: Buffer.from(payload).toString('base64'), properties })
  }

  /** What is no message is refused by what takes messages. */
  async probe(): Promise<void> {
    await inTime(this.#ask({ payload: '!' }), answerMs, () => new Failure('broken', 'it does not answer')).catch(
      error => {
        if (Failure.of(error).meaning === 'broken') throw error
      },
    )
  }

  #ask(message: object): Promise<Position> {
    if (this.#socket.isOver) return Promise.reject(this.#socket.reason)
    const context = String(this.#sent++)
    const text = JSON.stringify({ ...message, context })
    const bytes = Buffer.byteLength(text)
    const tooLarge = this.#limit.check(bytes)
    if (tooLarge !== undefined) return Promise.reject(tooLarge)
    const { promise, resolve, reject } = Promise.withResolvers<Position>()
    this.#unanswered.set(context, { bytes, resolve, reject })
    this.#socket.send(text)
    return promise
  }

  receive(text: string): void {
    const { result, messageId, errorMsg = '', context = '' } = JSON.parse(text) as Answer
    const answer = this.#unanswered.get(context)
    if (answer === undefined) return
    this.#unanswered.delete(context)
    if (result === 'ok' && messageId !== undefined) answer.resolve(decodeMessageId(Buffer.from(messageId, 'base64')))
    else answer.reject(ofSendError(`${result}${errorMsg === '' ? '' : `: ${errorMsg.slice(0, 300)}`}`))
  }
}

interface Delivery {
  readonly messageId: string
  readonly payload: string | null
  readonly properties?: Readonly<Record<string, string>>
  readonly publishTime?: string
}

class WebSocketReader implements Reader {
  readonly #socket: WebSocketSession
  #waiting: string[] = []
  #arrived = Promise.withResolvers<void>()

  constructor(socket: WebSocketSession) {
    this.#socket = socket
    void socket.ended.then(() => this.#arrived.resolve())
  }

  get isOver(): boolean {
    return this.#socket.isOver
  }

  get ended(): Promise<void> {
    return this.#socket.ended
  }

  end(): Promise<void> {
    return this.#socket.end()
  }

  kill(): void {
    this.#socket.kill()
  }

  receive(text: string): void {
    this.#waiting.push(text)
    this.#arrived.resolve()
  }

  async read(): Promise<readonly Message[]> {
    await this.#arrived.promise
    if (this.#waiting.length === 0) throw this.#socket.reason
    const deliveries = this.#waiting.map(text => JSON.parse(text) as Delivery)
    this.#waiting = []
    this.#arrived = Promise.withResolvers()
    if (this.#socket.isOver) this.#arrived.resolve()
    // For each that is acknowledged another one comes.
    for (const { messageId } of deliveries) this.#socket.send(`{"messageId":"${messageId}"}`)
    return deliveries.map(({ messageId, payload, properties = {}, publishTime = '' }) => ({
      position: decodeMessageId(Buffer.from(messageId, 'base64')),
      payload: Buffer.from(payload ?? '', 'base64'),
      properties,
      timeMs: Date.parse(publishTime),
    }))
  }
}
