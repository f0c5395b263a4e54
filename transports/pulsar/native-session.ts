import { setTimeout as pause } from 'node:timers/promises'
import type * as binding from 'pulsar-client'
import type { Session } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import { inTime } from '../backend/in-time.ts'
import type { Message, OutgoingMessage, Producer, Reader } from './client.ts'
import { ofSendError } from './failure.ts'
import { decodeMessageId, type Position } from './position.ts'

/** Whether the connection is there is looked at so often, and the broker asked; it has so long again to answer. */
const pulseMs = 3000
const closeMs = 1000

interface Handle {
  isConnected(): boolean
  close(): Promise<null>
}

/** What the native client has opened, until its connection breaks: the client would connect again by itself, and nobody know what was lost. */
class NativeSession implements Session {
  readonly ended: Promise<void>
  readonly #end: () => void
  readonly #ping: () => Promise<void>
  #handle: Handle | undefined
  #closing: Promise<void> | undefined
  #reason = new Failure('broken', 'the connection was closed')
  #pulse: NodeJS.Timeout | undefined

  constructor(ping: () => Promise<void>) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = resolve
    this.#ping = ping
  }

  protected watch(handle: Handle): void {
    this.#handle = handle
    this.#pulse = setInterval(() => void this.#check(), pulseMs)
  }

  get isOver(): boolean {
    if (this.#closing === undefined && this.#handle?.isConnected() === false) this.kill()
    return this.#closing !== undefined
  }

  get reason(): Failure {
    return this.#reason
  }

  /** @throws Failure */
  async probe(): Promise<void> {
    const late = () => new Failure('broken', `it has not answered for ${pulseMs / 1000} s`)
    await inTime(this.#ping(), pulseMs, late)
    if (this.isOver) throw this.#reason
  }

  /** What cannot be closed now is when it can. */
  async end(): Promise<void> {
    this.kill()
    await Promise.race([this.#closing, pause(closeMs, undefined, { ref: false })])
  }

  kill(): void {
    if (this.#closing !== undefined) return
    clearInterval(this.#pulse)
    const late = () => new Failure('broken', 'it does not answer')
    const close = async () => {
      await this.beforeClose()
      await inTime(this.#handle!.close(), closeMs, late)
    }
    this.#closing = close().catch(() => {})
    this.#end()
  }

  /** Resolves when all of it is. */
  get closed(): Promise<void> {
    return this.ended.then(() => this.#closing)
  }

  /** Resolves when it may be closed. */
  protected async beforeClose(): Promise<void> {}

  async #check(): Promise<void> {
    try {
      await this.probe()
    } catch (error) {
      this.#reason = Failure.of(error)
      this.kill()
    }
  }
}

export class NativeProducer extends NativeSession implements Producer {
  readonly #producer: binding.Producer

  constructor(producer: binding.Producer, ping: () => Promise<void>) {
    super(ping)
    this.#producer = producer
    this.watch(producer)
  }

  async send({ payload, properties }: OutgoingMessage): Promise<Position> {
    if (this.isOver) throw this.reason
    try {
      const id = await this.#producer.send({ data: Buffer.from(payload), properties: { ...properties } })
      return decodeMessageId(id.serialize())
    } catch (error) {
      throw ofSendError((error as Error).message)
    }
  }
}

export interface NativeReaderOptions {
  readonly isLive: boolean
  readonly ping: () => Promise<void>
  /** Has any message come to all who read the topic. @throws Failure */
  readonly wake: () => Promise<void>
}

export class NativeReader extends NativeSession implements Reader {
  readonly #reader: binding.Reader
  readonly #options: NativeReaderOptions
  readonly #interrupted: Promise<never>
  #reading: Promise<void> | undefined

  constructor(reader: binding.Reader, options: NativeReaderOptions) {
    super(options.ping)
    this.#reader = reader
    this.#options = options
    this.#interrupted = this.ended.then(() => {
      throw this.reason
    })
    this.#interrupted.catch(() => {})
    this.watch(reader)
  }

  /**
   * A call takes a thread of Node's pool until there is a message. A listener would take none, but the client loses for it what comes before it knows
   * the reader.
   */
  async read(): Promise<readonly Message[]> {
    if (this.isOver) throw this.reason
    const reading = this.#reader.readNext()
    const settled = reading.then(
      () => {},
      () => {},
    )
    this.#reading = settled
    void settled.then(() => {
      if (this.#reading === settled) this.#reading = undefined
    })
    return [toMessage(await Promise.race([reading, this.#interrupted]))]
  }

  /** The client may crash when what is read from is closed; and the thread is needed for others. */
  protected override async beforeClose(): Promise<void> {
    const { isLive, wake } = this.#options
    while (this.#reading !== undefined) {
      // What is still to come may take its time, and what is there does not.
      if (isLive) await wake().catch(() => {})
      await Promise.race([this.#reading, pause(pulseMs, undefined, { ref: false })])
    }
  }
}

const toMessage = (message: binding.Message): Message => ({
  position: decodeMessageId(message.getMessageId().serialize()),
  payload: message.getData(),
  properties: message.getProperties(),
  timeMs: message.getPublishTimestamp(),
})
