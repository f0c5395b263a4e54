import type { Socket } from 'node:net'
import { describeFailure } from '../connection-failure.ts'
import { insecureRemedy, openConnection, requestHead, type Target } from './connection.ts'
import { describeRefusal } from './failures.ts'
import { ResponseReader } from './response-reader.ts'

/** One publisher of a load, on a connection of its own that is kept: one update at a time. */
export class Publisher {
  readonly index: number
  readonly #target: Target
  readonly #head: string
  #socket: Socket | undefined
  #answer: PromiseWithResolvers<string | undefined> | undefined
  #status = 0
  #body = ''

  /** `index`: its number among the publishers. */
  constructor(index: number, target: Target, token: string | undefined) {
    this.index = index
    this.#target = target
    const type = 'Content-Type: application/x-www-form-urlencoded\r\n'
    this.#head = `${requestHead('POST', target, '', token)}${type}Content-Length: `
  }

  /** `form`: ASCII. Resolves when it is stored, or with what the hub or the connection said instead of 200. */
  publish(form: string): Promise<string | undefined> {
    const answer = Promise.withResolvers<string | undefined>()
    this.#answer = answer
    this.#status = 0
    this.#body = ''
    this.#socket ??= this.#connect()
    this.#socket.write(`${this.#head}${form.length}\r\n\r\n${form}`, 'latin1')
    return answer.promise
  }

  get isConnected(): boolean {
    return this.#socket?.connecting === false
  }

  close(): void {
    this.#socket?.destroy()
  }

  head(status: number): void {
    this.#status = status
  }

  body(bytes: Buffer, from: number, to: number): void {
    if (this.#status !== 200) this.#body += bytes.toString('utf8', from, to).slice(0, 1000)
  }

  end(): void {
    this.#settle(this.#status === 200 ? undefined : describeRefusal('publishing', this.#status, this.#body))
  }

  #connect(): Socket {
    const reader = new ResponseReader(this)
    const socket = openConnection(this.#target, {
      read: (bytes, length) => reader.read(bytes, length),
      close: error => {
        if (this.#socket === socket) this.#socket = undefined
        this.#settle(`publishing: ${describeFailure(error, this.#target.url, insecureRemedy)}`)
      },
    })
    return socket
  }

  #settle(failure: string | undefined): void {
    const answer = this.#answer
    this.#answer = undefined
    answer?.resolve(failure)
  }
}
