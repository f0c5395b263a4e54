import { promisify } from 'node:util'
import {
  constants,
  crc32,
  createBrotliCompress,
  deflateRaw,
  deflateRawSync,
  zstdCompress,
  zstdCompressSync,
} from 'node:zlib'
import { Batch } from '../hub/batch.ts'
import type { CodingName } from './accept-encoding.ts'

/** One stream in a content coding: every batch can be read to its end as soon as its bytes have arrived. */
export interface Coding {
  /** The bytes of a batch on the wire, as a batch itself. Those of several that are not ready yet must be sent in the order of the calls. */
  encode(batch: Batch): Batch | Promise<Batch>
  /** What makes the stream complete, after the last batch. */
  finish(): Batch | Promise<Batch> | undefined
  /** Frees what it holds. Idempotent. */
  close(): void
}

/** Bytes that are compressed in the event loop: up to a millisecond. Longer ones leave it to others meanwhile. */
const mostBytesAtOnce = 64 * 1024

/** A fresh state for each batch, ended on a byte: no batch refers to another, and all streams can have the same bytes of it. */
const flushed = { finishFlush: constants.Z_SYNC_FLUSH }
const deflateAside = promisify(deflateRaw)
const zstdAside = promisify(zstdCompress)

/** RFC 1952, section 2.3.1: deflate, no name, no time, of an unknown system. */
const gzipHeader = new Batch(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255))

/**
 * One member of gzip per stream, with what all streams share inside: the blocks of a batch are made once, by whoever has it first.
 * Only the checksum of the trailer is a stream's own.
 */
class Gzip implements Coding {
  #begun = false
  #checksum = 0
  #length = 0

  encode(batch: Batch): Batch | Promise<Batch> {
    this.#checksum = crc32(batch.bytes, this.#checksum)
    this.#length = (this.#length + batch.byteLength) % 2 ** 32
    batch.deflated ??= deflate(batch)
    const blocks = batch.deflated
    if (this.#begun) return blocks
    this.#begun = true
    return blocks instanceof Batch
      ? gzipHeader.append(blocks.bytes)
      : blocks.then(({ bytes }) => gzipHeader.append(bytes))
  }

  finish(): Batch {
    const trailer = new DataView(new ArrayBuffer(10))
    // RFC 1951, section 3.2.3: a last block, without anything in it.
    trailer.setUint16(0, 0x0300)
    trailer.setUint32(2, this.#checksum, true)
    trailer.setUint32(6, this.#length, true)
    return new Batch(new Uint8Array(trailer.buffer))
  }

  close(): void {}
}

function deflate(batch: Batch): Batch | Promise<Batch> {
  if (batch.byteLength <= mostBytesAtOnce) return new Batch(deflateRawSync(batch.bytes, flushed))
  return deflateAside(batch.bytes, flushed).then(bytes => {
    batch.deflated = new Batch(bytes)
    return batch.deflated
  })
}

/** Frame after frame (RFC 8878, section 3), one for each batch, shared by all streams. */
const zstd: Coding = {
  encode(batch) {
    batch.zstandard ??= compressFrame(batch)
    return batch.zstandard
  },
  finish: () => undefined,
  close: () => {},
}

function compressFrame(batch: Batch): Batch | Promise<Batch> {
  if (batch.byteLength <= mostBytesAtOnce) return new Batch(zstdCompressSync(batch.bytes))
  return zstdAside(batch.bytes).then(bytes => {
    batch.zstandard = new Batch(bytes)
    return batch.zstandard
  })
}

const brotliOptions = {
  params: {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_QUALITY]: 3,
    [constants.BROTLI_PARAM_LGWIN]: 14,
  },
  chunkSize: 4096,
}

/** Parts of brotli cannot be put together: each stream has an encoder of its own, with a small window. */
class Brotli implements Coding {
  readonly #encoder = createBrotliCompress(brotliOptions)
  #parts: Uint8Array[] = []

  constructor() {
    this.#encoder.on('data', (part: Buffer) => this.#parts.push(part))
    // The calls that it spoils are told.
    this.#encoder.on('error', () => {})
  }

  encode(batch: Batch): Promise<Batch> {
    this.#encoder.write(batch.bytes)
    return new Promise((resolve, reject) => {
      this.#encoder.flush((error?: Error | null) => {
        if (error) reject(error)
        else resolve(this.#take())
      })
    })
  }

  async finish(): Promise<Batch> {
    await new Promise<void>((resolve, reject) => {
      this.#encoder.once('end', resolve).once('error', reject).end()
    })
    return this.#take()
  }

  close(): void {
    this.#encoder.close()
  }

  #take(): Batch {
    const bytes = Buffer.concat(this.#parts)
    this.#parts = []
    return new Batch(bytes)
  }
}

const create: Readonly<Record<CodingName, () => Coding>> = {
  gzip: () => new Gzip(),
  zstd: () => zstd,
  br: () => new Brotli(),
}

export const createCoding = (name: CodingName): Coding => create[name]()
