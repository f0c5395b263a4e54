import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { subscriberToken } from '../../support/token.ts'
import { hubPath } from '../bench.ts'
import { readMarks } from '../marks.ts'
import { Reception } from './reception.ts'

/** Subscriptions that match every update of the soak, in the ways that there are. */
const queries = [
  'topic=*',
  `topic=${encodeURIComponent('https://example.com/soak/{publisher}')}`,
  `match_urlpattern=${encodeURIComponent('https://example.com/soak/:publisher')}`,
]
const dataBytes = 400

/** Opens a stream and resolves when its response has begun, whose bytes `read` gets. @throws Error when it is refused */
async function openStream(
  port: number,
  index: number,
  options: { lastEventId?: string | undefined; token?: string; read?: (chunk: Buffer) => void } = {},
): Promise<Socket> {
  const { lastEventId, token, read } = options
  const socket = connect(port, '127.0.0.1').setNoDelay()
  // Resets are a part of the soak; who has to stay connected looks at 'close'.
  socket.on('error', () => {})
  const headers = [
    'Host: 127.0.0.1',
    ...(lastEventId === undefined ? [] : [`Last-Event-ID: ${lastEventId}`]),
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
  ]
  socket.write(`GET ${hubPath}?${queries[index % queries.length]} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
  if (read !== undefined) socket.on('data', read)
  const begun = await Promise.race([once(socket, 'data') as Promise<[Buffer]>, once(socket, 'close')])
  if (!(begun[0] instanceof Buffer && begun[0].includes(' 200 '))) {
    throw new Error(`A subscriber was refused: ${begun[0] instanceof Buffer ? begun[0] : 'the connection was closed'}`)
  }
  return socket
}

/** Publishes at its pace until the signal, each update when the one before is answered. */
export class Publisher {
  published = 0
  /** The longest that an answer took, in milliseconds. */
  slowestMs = 0

  async run(port: number, publisher: number, perSecond: number, token: string, signal: AbortSignal): Promise<void> {
    const socket = connect(port, '127.0.0.1').setNoDelay()
    for (let due = performance.now(); !signal.aborted; due += 1000 / perSecond) {
      await sleep(Math.max(0, due - performance.now()), undefined, { signal }).catch(() => {})
      if (signal.aborted) break
      const topic = encodeURIComponent(`https://example.com/soak/${publisher}`)
      const id = `urn:soak:${publisher}:${this.published}`
      const body = `topic=${topic}&id=${id}&data=~${publisher}:${this.published}~`.padEnd(dataBytes, 'x')
      const started = performance.now()
      socket.write(
        `POST ${hubPath} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      const [answer] = (await once(socket, 'data')) as [Buffer]
      if (!answer.includes(' 200 ')) throw new Error(`A publish was refused: ${answer}`)
      this.slowestMs = Math.max(this.slowestMs, performance.now() - started)
      this.published++
    }
    socket.destroy()
  }
}

/** The last bytes of a response in chunks, on a connection that may stay open. */
const lastChunk = '0\r\n\r\n'

/** Reads all there is, at once, and resumes when its stream is ended, as browsers do; one that reconnects leaves by itself, too. */
export class HealthyReader {
  readonly reception = new Reception()
  reconnects = 0
  /** Streams that the hub ended. */
  ended = 0
  #failed: (error: unknown) => void = () => {}
  /** Rejects when it cannot resume. */
  readonly failure: Promise<never>
  readonly #port: number
  readonly #index: number
  #socket: Socket | undefined
  #opening = false

  constructor(port: number, index: number) {
    this.#port = port
    this.#index = index
    this.failure = new Promise((_, reject) => {
      this.#failed = reject
    })
  }

  async open(): Promise<void> {
    const { last } = this.reception
    const readMark = readMarks(mark => {
      const [publisher, number] = mark.split(':')
      this.reception.receive(Number(publisher), Number(number))
    })
    let tail = ''
    const read = (chunk: Buffer) => {
      readMark(chunk)
      tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - lastChunk.length))).slice(-lastChunk.length)
      if (tail === lastChunk) this.#resume()
    }
    const lastEventId = last && `urn:soak:${last.publisher}:${last.number}`
    this.#opening = true
    this.#socket = await openStream(this.#port, this.#index, { read, lastEventId })
    this.#opening = false
    this.#socket.on('close', this.#resume)
  }

  readonly #resume = (): void => {
    this.ended++
    this.close()
    this.open().catch(this.#failed)
  }

  async reconnect(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(500 + Math.random() * 4500, signal)
      if (signal.aborted) return
      // It is on its way back already.
      if (this.#opening) continue
      this.close()
      this.reconnects++
      await this.open()
    }
  }

  close(): void {
    this.#socket?.off('close', this.#resume).removeAllListeners('data').resetAndDestroy()
  }
}

/** Counts of those who need not get everything. */
export interface Turbulence {
  visits: number
  slow: number
  stalled: number
}

/** Comes and goes: with and without a token, from the beginning of what is kept or not, with a reset or in order. */
export async function visit(port: number, turbulence: Turbulence, signal: AbortSignal): Promise<void> {
  for (let index = 0; !signal.aborted; index++) {
    const visitor = `${turbulence.visits++}`
    const socket = await openStream(port, index, {
      lastEventId: index % 5 === 0 ? 'earliest' : undefined,
      ...(index % 3 === 0 ? { token: await subscriberToken(['*'], { visitor }) } : {}),
      read: () => {},
    })
    await pause(Math.random() * 3000, signal)
    if (index % 2 === 0) socket.resetAndDestroy()
    else socket.destroy()
  }
}

/** Takes one portion a second, less than comes, for longer than the hub bears; then comes again. */
export async function readSlowly(port: number, turbulence: Turbulence, signal: AbortSignal): Promise<void> {
  for (let index = 0; !signal.aborted; index++) {
    const socket = (await openStream(port, index)).pause()
    turbulence.slow++
    for (let left = 60; left > 0 && !signal.aborted && !socket.destroyed; left--) {
      await pause(1000, signal)
      if (socket.listenerCount('data') === 0) socket.once('data', () => socket.pause())
      socket.resume()
    }
    socket.resetAndDestroy()
  }
}

/** Never reads, for some time; then comes again. */
export async function stall(port: number, turbulence: Turbulence, signal: AbortSignal): Promise<void> {
  for (let index = 0; !signal.aborted; index++) {
    const socket = (await openStream(port, index)).pause()
    turbulence.stalled++
    await pause(5000 + Math.random() * 55_000, signal)
    socket.resetAndDestroy()
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal }).catch(() => {})
