import { EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Session } from '../../transports/backend/connection.ts'
import { Failure, type Meaning } from '../../transports/backend/failure.ts'

interface Question {
  readonly number: number
  readonly messages: readonly string[]
  readonly items: readonly string[]
}

interface Answer {
  readonly number: number
  /** So many are stored, and there is more to say. */
  readonly acknowledged?: number
  /** Why it is not stored. */
  readonly failure?: { readonly meaning: Meaning; readonly message: string }
}

/** What a client asks to have stored, and the ways to answer. */
export class Request {
  readonly messages: readonly string[]
  readonly items: readonly string[]
  readonly #ledger: Ledger
  readonly #number: number
  readonly #socket: Socket

  constructor(ledger: Ledger, { number, messages, items }: Question, socket: Socket) {
    this.#ledger = ledger
    this.#number = number
    this.#socket = socket
    this.messages = messages
    this.items = items
  }

  store(): void {
    this.#ledger.messages.push(...this.messages)
    this.#ledger.items.push(...this.items)
    this.#answer({ number: this.#number })
  }

  acknowledge(updates: number): void {
    this.#answer({ number: this.#number, acknowledged: updates })
  }

  fail(meaning: Meaning, message: string): void {
    this.#answer({ number: this.#number, failure: { meaning, message } })
  }

  /** Ends the connection on which it came. */
  cut(): void {
    this.#socket.resetAndDestroy()
  }

  #answer(answer: Answer): void {
    this.#socket.write(`${JSON.stringify(answer)}\n`)
  }
}

/** The smallest server that keeps a log: over TCP, a line of JSON for each group, and for each answer, which the test gives. */
export class Ledger implements AsyncDisposable {
  readonly items: string[] = []
  readonly messages: string[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #requests: Request[] = []
  readonly #came = new EventEmitter()

  static async start(): Promise<Ledger> {
    // Who has nothing more to ask still gets answers.
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Ledger(server)
  }

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket))
      onLine(socket, line => {
        this.#requests.push(new Request(this, JSON.parse(line), socket))
        this.#came.emit('request')
      })
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** How many requests have come that no test has looked at. */
  get unread(): number {
    return this.#requests.length
  }

  async next(): Promise<Request> {
    while (this.#requests.length === 0) await once(this.#came, 'request')
    return this.#requests.shift()!
  }

  /** Stores the next, and returns it. */
  async storeNext(): Promise<Request> {
    const request = await this.next()
    request.store()
    return request
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }
}

/** A connection to a ledger. */
export class LedgerSession implements Session {
  readonly ended: Promise<void>
  readonly #socket: Socket
  readonly #asked = new Map<number, { settle: PromiseWithResolvers<void>; acknowledge: (updates: number) => void }>()
  #number = 0

  static async open(port: number): Promise<LedgerSession> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new LedgerSession(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    this.ended = new Promise(resolve => {
      socket
        .on('error', () => {})
        .once('close', () => {
          for (const { settle } of this.#asked.values())
            settle.reject(new Failure('broken', 'the connection was closed'))
          resolve()
        })
    })
    onLine(socket, line => this.#take(JSON.parse(line)))
  }

  get isOver(): boolean {
    return this.#socket.writableEnded || this.#socket.destroyed
  }

  /** @throws Failure */
  store(
    messages: readonly string[],
    items: readonly string[],
    acknowledge: (updates: number) => void = () => {},
  ): Promise<void> {
    const settle = Promise.withResolvers<void>()
    const question: Question = { number: this.#number++, messages, items }
    this.#asked.set(question.number, { settle, acknowledge })
    this.#socket.write(`${JSON.stringify(question)}\n`)
    return settle.promise
  }

  async end(): Promise<void> {
    this.#socket.destroy()
    await this.ended
  }

  /** As client libraries may do it: what was asked fails when the server has closed its side, too. */
  kill(): void {
    this.#socket.end()
  }

  #take({ number, acknowledged, failure }: Answer): void {
    const { settle, acknowledge } = this.#asked.get(number)!
    if (acknowledged !== undefined) {
      acknowledge(acknowledged)
      return
    }
    this.#asked.delete(number)
    if (failure === undefined) settle.resolve()
    else settle.reject(new Failure(failure.meaning, failure.message))
  }
}

function onLine(socket: Socket, listener: (line: string) => void): void {
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop()!
    for (const line of lines) listener(line)
  })
}
