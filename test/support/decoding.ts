import { EventEmitter, once } from 'node:events'
import type { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib'
import type { CodingName } from '../../src/http/accept-encoding.ts'

const decoders: Readonly<Record<CodingName, () => Transform>> = {
  gzip: createGunzip,
  zstd: createZstdDecompress,
  br: createBrotliDecompress,
}

/** A body in a content coding, decoded as it arrives by a decoder that takes nothing incomplete. */
export class Decoding {
  text = ''
  /** Bytes as they arrived. */
  encodedBytes = 0
  readonly #changed = new EventEmitter()
  readonly #done: Promise<unknown>

  constructor(body: Readable, coding: CodingName) {
    const decoder = decoders[coding]().setEncoding('utf8')
    body.on('data', (bytes: Buffer) => {
      this.encodedBytes += bytes.length
    })
    decoder.on('data', (text: string) => {
      this.text += text
      this.#changed.emit('change')
    })
    this.#done = pipeline(body, decoder)
    this.#done.catch(() => {})
  }

  async until(condition: (text: string) => boolean): Promise<void> {
    while (!condition(this.text)) await Promise.race([once(this.#changed, 'change'), this.#failure()])
  }

  /** Resolves when the body is complete; rejects when it ended and is not. */
  async end(): Promise<void> {
    await this.#done
  }

  async #failure(): Promise<never> {
    await this.#done
    throw new Error(`The body ended first, after: ${this.text.slice(-500)}`)
  }
}
