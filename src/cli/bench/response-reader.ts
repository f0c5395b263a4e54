/** What is told of the answers on a connection. */
export interface ResponseReceiver {
  head(status: number): void
  /** Bytes of the body, from one offset to another: valid during the call only. */
  body(bytes: Buffer, from: number, to: number): void
  end(): void
}

type State = 'head' | 'sized body' | 'chunk head' | 'chunk' | 'chunk end' | 'trailer' | 'body to the end'

const maxHeadLength = 64 * 1024
const lineFeed = 0x0a
const carriageReturn = 0x0d
const semicolon = 0x3b

/** Takes the answers on an HTTP/1.1 connection apart without copying their bodies: a load has thousands of streams. */
export class ResponseReader {
  readonly #receiver: ResponseReceiver
  #state: State = 'head'
  /** A head that is not complete yet. */
  #head = ''
  /** Bytes of the body or chunk that are to come, or its size as far as it was read. */
  #left = 0
  #inExtension = false
  #trailerLength = 0

  constructor(receiver: ResponseReceiver) {
    this.#receiver = receiver
  }

  /** An answer has begun and is not complete. */
  get isWithin(): boolean {
    return this.#state !== 'head' || this.#head !== ''
  }

  /** The first `length` of these bytes. @throws Error for what is not HTTP/1.1 */
  read(bytes: Buffer, length: number): void {
    let at = 0
    while (at < length) at = this.#step(bytes, at, length)
  }

  #step(bytes: Buffer, at: number, length: number): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes, at, length)
      case 'chunk head':
        return this.#readChunkHead(bytes[at]!, at + 1)
      case 'chunk':
      case 'sized body':
        return this.#readBody(bytes, at, Math.min(length, at + this.#left))
      case 'chunk end':
        if (bytes[at] === lineFeed) this.#beginChunk()
        return at + 1
      case 'trailer':
        return this.#readTrailer(bytes[at]!, at + 1)
      case 'body to the end':
        this.#receiver.body(bytes, at, length)
        return length
    }
  }

  #readHead(bytes: Buffer, at: number, length: number): number {
    const before = this.#head.length
    this.#head += bytes.toString('latin1', at, length)
    const end = this.#head.indexOf('\r\n\r\n')
    if (end === -1) {
      if (this.#head.length > maxHeadLength) throw new Error('the head of an answer has no end')
      return length
    }
    const head = this.#head.slice(0, end + 2)
    this.#head = ''
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1])
    if (Number.isNaN(status)) throw new Error('the answer is not HTTP/1.1')
    const isFinal = status >= 200
    if (isFinal) this.#beginBody(status, head)
    return at + end + 4 - before
  }

  #beginBody(status: number, head: string): void {
    this.#receiver.head(status)
    if (/\r\ntransfer-encoding:[^\r]*chunked/i.test(head)) this.#beginChunk()
    else {
      const size = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
      const isEmpty = status === 204 || status === 304
      this.#left = isEmpty ? 0 : Number(size ?? 0)
      this.#state = size === undefined && !isEmpty ? 'body to the end' : 'sized body'
      if (this.#state === 'sized body' && this.#left === 0) this.#finish()
    }
  }

  #readBody(bytes: Buffer, from: number, to: number): number {
    this.#receiver.body(bytes, from, to)
    this.#left -= to - from
    if (this.#left > 0) return to
    if (this.#state === 'chunk') this.#state = 'chunk end'
    else this.#finish()
    return to
  }

  #beginChunk(): void {
    this.#state = 'chunk head'
    this.#left = 0
    this.#inExtension = false
  }

  #readChunkHead(byte: number, next: number): number {
    if (byte === lineFeed) {
      this.#state = this.#left > 0 ? 'chunk' : 'trailer'
      this.#trailerLength = 0
    } else if (byte === semicolon) this.#inExtension = true
    else if (byte !== carriageReturn && !this.#inExtension) {
      const digit = Number.parseInt(String.fromCharCode(byte), 16)
      if (Number.isNaN(digit)) throw new Error('a chunk of an answer has no size')
      this.#left = this.#left * 16 + digit
    }
    return next
  }

  #readTrailer(byte: number, next: number): number {
    if (byte === lineFeed) {
      if (this.#trailerLength === 0) this.#finish()
      this.#trailerLength = 0
    } else if (byte !== carriageReturn) this.#trailerLength++
    return next
  }

  #finish(): void {
    this.#state = 'head'
    this.#receiver.end()
  }
}
