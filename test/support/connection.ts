import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What a server answered, as it stood on the wire. */
export interface Answer {
  readonly status: number
  /** Names in lower case; a repeated header keeps its last value. */
  readonly headers: Record<string, string>
  /** The body without its chunk framing. */
  readonly body: string
}

/** A TCP connection that a test writes byte by byte: what `fetch` would refuse to send. Bytes received are kept as Latin-1. */
export class Connection {
  received = ''
  closed = false
  readonly socket: Socket
  readonly #changed = new EventEmitter().setMaxListeners(0)

  static async open(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''))
    await once(socket, 'connect')
    return new Connection(socket)
  }

  /** Wraps a connected socket, a TLS one for instance. */
  constructor(socket: Socket) {
    this.socket = socket.setNoDelay()
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1')
      this.#changed.emit('change')
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.#changed.emit('change')
    })
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(bytes)
    return this
  }

  /** Resolves when what was received satisfies the condition; fails when the connection closes first. */
  async until(condition: (received: string) => boolean): Promise<string> {
    while (!condition(this.received) && !this.closed) await once(this.#changed, 'change')
    assert.ok(condition(this.received), `the connection closed first, after: ${this.received.slice(-1000)}`)
    return this.received
  }

  /** Resolves with everything received, when the server has closed the connection. */
  async end(): Promise<string> {
    while (!this.closed) await once(this.#changed, 'change')
    return this.received
  }

  /** Ends the connection with a reset, as a client that crashes or an address that changes does. */
  abort(): void {
    this.socket.resetAndDestroy()
  }

  close(): void {
    this.socket.destroy()
  }
}

/** Sends bytes on a connection of their own, and reads until the server closes it: requests need `Connection: close`. */
export async function exchange(url: string, bytes: string | Uint8Array): Promise<Answer> {
  const connection = await Connection.open(url)
  try {
    return readAnswer(await connection.send(bytes).end())
  } finally {
    connection.close()
  }
}

/** Reads an answer; informational ones before it are passed over. A connection that closed without any has status 0. */
export function readAnswer(text: string): Answer {
  if (text === '') return { status: 0, headers: {}, body: '' }
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1])
  assert.ok(status >= 100, `not an answer of HTTP/1.1: ${text.slice(0, 200)}`)
  if (status < 200) return readAnswer(rest.join('\r\n\r\n'))
  const headers = Object.fromEntries(
    lines.map(line => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const body = rest.join('\r\n\r\n')
  return { status, headers, body: headers['transfer-encoding'] === 'chunked' ? joinChunks(body) : body }
}

function joinChunks(text: string): string {
  let joined = ''
  let rest = text
  while (rest !== '') {
    const [, size = '0', after = ''] = /^([0-9a-f]+)\r\n(.*)$/s.exec(rest) ?? []
    const length = Number.parseInt(size, 16)
    joined += after.slice(0, length)
    rest = after.slice(length + 2)
    if (length === 0) break
  }
  return joined
}
