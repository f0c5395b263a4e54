import { randomFillSync } from 'node:crypto'

/** The kinds of frames that are used (RFC 6455, section 5.2). */
export const opcodes = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const

export interface Frame {
  readonly isFinal: boolean
  readonly opcode: number
  readonly payload: Buffer
}

/** As a client sends it: whole, and masked with bytes that cannot be foreseen (section 5.3). */
export function encodeFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload
  const { frame, start } = encodeHead(opcode, length, length)
  for (let i = 0; i < length; i++) frame[start + i] = payload[i]! ^ frame[start - 4 + (i & 3)]!
  return frame
}

/** What comes before the payload of a frame that has `length` bytes, with room for so many of them. */
export function encodeHead(opcode: number, length: number, room: number): { frame: Buffer; start: number } {
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const start = 2 + extended + 4
  const frame = Buffer.allocUnsafe(start + room)
  frame[0] = 0x80 | opcode
  frame[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127)
  if (extended === 2) frame.writeUInt16BE(length, 2)
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2)
  frame.set(takeMask(), start - 4)
  return { frame, start }
}

/** Random bytes of 1,024 masks: asking the system for those of one costs more than all else of a frame. */
const masks = new Uint8Array(4096)
let taken = masks.length

function takeMask(): Uint8Array {
  if (taken === masks.length) {
    randomFillSync(masks)
    taken = 0
  }
  taken += 4
  return masks.subarray(taken - 4, taken)
}

/** Cuts what a server sends into frames. */
export class FrameReader {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #bytes = 0
  /** With fewer than these there is no further frame. */
  #needed = 2

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The frames that end in this chunk. @throws RangeError for what is not the protocol */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes < this.#needed) return []
    const all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks)
    const frames: Frame[] = []
    let at = 0
    for (;;) {
      const frame = this.#readFrame(all.subarray(at))
      if (frame === undefined) break
      frames.push(frame.frame)
      at += frame.bytes
    }
    this.#chunks = at === all.length ? [] : [all.subarray(at)]
    this.#bytes = all.length - at
    return frames
  }

  /** `undefined`, with what is needed in mind, where there is only a part of one. */
  #readFrame(bytes: Buffer): { frame: Frame; bytes: number } | undefined {
    this.#needed = 2
    if (bytes.length < 2) return undefined
    const [first, second] = [bytes[0]!, bytes[1]!]
    if ((first & 0x70) !== 0 || (second & 0x80) !== 0) throw new RangeError('a frame has bits that were not agreed on')
    const short = second & 0x7f
    const start = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0)
    this.#needed = start
    if (bytes.length < start) return undefined
    const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
    if (length > this.#maxBytes) throw new RangeError(`a frame has ${length} bytes`)
    this.#needed = start + length
    if (bytes.length < start + length) return undefined
    const payload = bytes.subarray(start, start + length)
    return { frame: { isFinal: first >= 0x80, opcode: first & 0xf, payload }, bytes: start + length }
  }
}
