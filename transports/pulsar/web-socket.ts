import { createHash, randomBytes } from 'node:crypto'
import * as http from 'node:http'
import * as https from 'node:https'
import type { Duplex } from 'node:stream'
import type { Session } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import { encodeFrame, encodeHead, type Frame, FrameReader, opcodes } from './frames.ts'

export interface WebSocketOptions {
  readonly headers: Readonly<Record<string, string>>
  /** Certificates of authorities, as PEM; absent: those that Node knows. */
  readonly ca?: string | undefined
  readonly signal: AbortSignal
  /** Gets each message; what it throws ends the session. */
  readonly receive: (text: string) => void
}

/** The server has answered, and does not open it. */
export class UpgradeRefused extends Error {
  override readonly name = 'UpgradeRefused'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const openMs = 10_000
/** A server that is silent for so long is asked for a sign of life, and given up when it is silent for so long again. */
const silenceMs = 3000
/** How long the server has to answer that it is to end. */
const closeMs = 500
const maxMessageBytes = 64 << 20
/** What follows the key in the digest by which a server shows that it has understood (RFC 6455, section 1.3). */
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/**
 * A WebSocket (RFC 6455) of texts. That of the platform tells neither why a server refuses it nor whether one is still there, and cannot be ended
 * when it is not.
 */
export class WebSocketSession implements Session {
  readonly ended: Promise<void>
  readonly #end: () => void
  readonly #socket: Duplex
  readonly #receive: (text: string) => void
  readonly #frames = new FrameReader(maxMessageBytes)
  /** The beginning of a message that comes in several frames. */
  #parts: Buffer[] = []
  #isOver = false
  #isCorked = false
  #reason = new Failure('broken', 'the connection was closed')
  #silent = 0
  readonly #heartbeat: NodeJS.Timeout

  /** @throws UpgradeRefused; what the way there throws */
  static async open(url: URL, options: WebSocketOptions): Promise<WebSocketSession> {
    const { socket, head } = await upgrade(url, options)
    return new WebSocketSession(socket, head, options.receive)
  }

  private constructor(socket: Duplex, head: Buffer, receive: (text: string) => void) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = resolve
    this.#socket = socket
    this.#receive = receive
    this.#heartbeat = setInterval(() => this.#listen(), silenceMs)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', error => this.#fail(Failure.of(error)))
    socket.on('end', () => this.kill())
    socket.on('close', () => this.kill())
    if (head.length > 0) this.#take(head)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Why it is over. */
  get reason(): Failure {
    return this.#reason
  }

  /** What is sent in one turn of the event loop leaves together. */
  send(text: string): void {
    this.#write(opcodes.text, Buffer.from(text))
  }

  /** Says that a text of so many bytes comes, and sends nothing of it: a server that does not take so much ends the session. */
  announce(bytes: number): void {
    this.#socket.write(encodeHead(opcodes.text, bytes, 0).frame)
  }

  async end(): Promise<void> {
    if (!this.#isOver) {
      this.#write(opcodes.close, Buffer.from([0x03, 0xe8]))
      const timer = setTimeout(() => this.kill(), closeMs)
      await this.ended
      clearTimeout(timer)
    }
    await this.ended
  }

  kill(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#heartbeat)
    this.#socket.destroy()
    this.#end()
  }

  #fail(reason: Failure): void {
    if (this.#isOver) return
    this.#reason = reason
    this.kill()
  }

  #write(opcode: number, payload: Buffer): void {
    if (this.#isOver) return
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#isCorked = false
        this.#socket.uncork()
      })
    }
    this.#socket.write(encodeFrame(opcode, payload))
  }

  /** Asks for a sign of life, and does not wait for one for ever. */
  #listen(): void {
    this.#silent++
    if (this.#silent > 1) this.#fail(new Failure('broken', `it has not answered for ${silenceMs / 1000} s`))
    else this.#write(opcodes.ping, Buffer.alloc(0))
  }

  #take(chunk: Buffer): void {
    this.#silent = 0
    try {
      for (const frame of this.#frames.push(chunk)) {
        if (this.#isOver) return
        this.#takeFrame(frame)
      }
    } catch (error) {
      this.#fail(new Failure('broken', `what it sends is not understood: ${(error as Error).message}`))
    }
  }

  #takeFrame({ opcode, isFinal, payload }: Frame): void {
    if (opcode === opcodes.ping) this.#write(opcodes.pong, payload)
    else if (opcode === opcodes.close) this.#takeClose(payload)
    else if (opcode === opcodes.text || opcode === opcodes.continuation) this.#takeText(payload, isFinal)
  }

  #takeText(payload: Buffer, isFinal: boolean): void {
    if (isFinal && this.#parts.length === 0) {
      this.#receive(payload.toString())
      return
    }
    this.#parts.push(payload)
    const bytes = this.#parts.reduce((sum, part) => sum + part.length, 0)
    if (bytes > maxMessageBytes) throw new RangeError(`a message has ${bytes} bytes`)
    if (!isFinal) return
    const whole = Buffer.concat(this.#parts)
    this.#parts = []
    this.#receive(whole.toString())
  }

  #takeClose(payload: Buffer): void {
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : undefined
    const words = payload.subarray(2).toString()
    // 1000 and 1001: it ends as it should, or its server does.
    if (code !== undefined && code > 1001) {
      this.#reason = new Failure(
        'broken',
        `it has ended the connection (${code}${words === '' ? '' : `: ${words}`})`,
        String(code),
      )
    }
    this.kill()
  }
}

/** @throws UpgradeRefused; what the way there throws */
async function upgrade(url: URL, { headers, ca, signal }: WebSocketOptions): Promise<{ socket: Duplex; head: Buffer }> {
  const key = randomBytes(16).toString('base64')
  const { promise, resolve, reject } = Promise.withResolvers<{ socket: Duplex; head: Buffer }>()
  const request = (url.protocol === 'wss:' ? https : http).request({
    ...{ host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port, path: url.pathname + url.search },
    ...{ agent: false, signal, ...(ca === undefined ? {} : { ca }) },
    headers: {
      ...headers,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': key,
    },
  })
  request.on('error', reject)
  request.on('response', response => {
    readRefusal(response).then(reject, reject)
  })
  request.on('upgrade', (response, socket, head) => {
    const proof = createHash('sha1')
      .update(key + guid)
      .digest('base64')
    if (response.headers['sec-websocket-accept'] === proof) {
      ;(socket as import('node:net').Socket).setNoDelay?.(true)
      resolve({ socket, head })
    } else {
      socket.destroy()
      reject(new Error('what answers there is no WebSocket'))
    }
  })
  const timer = setTimeout(() => request.destroy(new Error(`no connection within ${openMs / 1000} s`)), openMs)
  request.end()
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

/** The server's own words are in a page of HTML, or in JSON. */
async function readRefusal(response: http.IncomingMessage): Promise<UpgradeRefused> {
  let page = ''
  for await (const chunk of response.setEncoding('utf8')) {
    page += chunk
    if (page.length > 10_000) break
  }
  const [, title = ''] = /<title>(?:Error \d+ )?([^<]*)/.exec(page) ?? []
  const words = title.replaceAll('&quot;', '"').replaceAll('&amp;', '&')
  const [, reason = words] = /"(?:errorMsg|reason)":"([^"]+)"/.exec(words === '' ? page : words) ?? []
  return new UpgradeRefused(
    response.statusCode ?? 0,
    reason === '' ? (response.statusMessage ?? '') : reason.slice(0, 300),
  )
}
