/** What a frame is for: requests with their answers first, then what wants no answer. */
const kinds = [
  // requests of either side, each followed by one of these two
  'answer',
  'refusal',
  // of the primary process to a worker
  'prepare',
  'listen',
  'close',
  'own-figures',
  // of a worker to the primary process
  'figures',
  'log-facts',
  'start',
  'publish',
  'publish-once',
  'history',
  'page',
  'holds',
  'depth',
  'load-records',
  'save-record',
  'ready',
  'admit-stream',
  'admit-publish',
  // of the primary process to a worker, no answer
  'entry',
  'tail',
  // of either
  'broadcast',
  // of a worker
  'alive',
  'release',
  'will',
  'leave',
  'stream-over',
] as const
export type FrameKind = (typeof kinds)[number]

export interface Frame {
  readonly kind: FrameKind
  /** Tells the requests of one side apart; 0: no answer is wanted. */
  readonly request: number
  readonly payload: Buffer
}

/** Length of what follows (4 bytes, big-endian), kind (1), request (4); then the payload. */
const headBytes = 9
const lengthBytes = 4
const codes = new Map<FrameKind, number>(kinds.map((kind, code) => [kind, code]))

export function encodeFrame(kind: FrameKind, payload: Uint8Array = nothing, request = 0): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + payload.byteLength)
  frame.writeUInt32BE(frame.byteLength - lengthBytes, 0)
  frame[4] = codes.get(kind)!
  frame.writeUInt32BE(request, 5)
  frame.set(payload, headBytes)
  return frame
}

const nothing = new Uint8Array(0)

/** Finds the frames in a stream of bytes. Payloads share the memory of what was read. */
export class FrameReader {
  #parts: Buffer[] = []
  /** Bytes that are needed, at least, before there is another frame. */
  #missing = 0

  read(chunk: Buffer, onFrame: (frame: Frame) => void): void {
    this.#parts.push(chunk)
    this.#missing -= chunk.byteLength
    if (this.#missing > 0) return
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts)
    let at = 0
    let end = frameEnd(bytes, at)
    while (end <= bytes.byteLength) {
      onFrame({
        kind: kinds[bytes[at + 4]!]!,
        request: bytes.readUInt32BE(at + 5),
        payload: bytes.subarray(at + headBytes, end),
      })
      at = end
      end = frameEnd(bytes, at)
    }
    this.#parts = at === bytes.byteLength ? [] : [bytes.subarray(at)]
    this.#missing = end - bytes.byteLength
  }
}

/** Where the frame at a place ends; while its length is not known, where that would. */
const frameEnd = (bytes: Buffer, at: number): number =>
  at + lengthBytes + (at + lengthBytes <= bytes.byteLength ? bytes.readUInt32BE(at) : 0)
