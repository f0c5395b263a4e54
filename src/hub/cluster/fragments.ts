/**
 * Messages cut to what the backend carries, with their sender: format (1 byte), sender (36 bytes, a UUID), number of the message (4),
 * of the fragment (2), count of fragments (2), big-endian; then the fragment's bytes.
 */
const format = 1
const senderBytes = 36
const headBytes = 1 + senderBytes + 4 + 2 + 2
/** Messages of one sender of which fragments are missing; beyond, the oldest is given up. */
const maxIncomplete = 64

const ascii = new TextEncoder()
const text = new TextDecoder()

/** @param number of the message: the sender counts them */
export function* cut(
  message: Uint8Array,
  { sender, number, maxBytes }: { sender: string; number: number; maxBytes: number },
): Generator<Uint8Array> {
  const room = maxBytes - headBytes
  const count = Math.max(1, Math.ceil(message.byteLength / room))
  if (count > 0xffff) throw new RangeError(`a message of ${message.byteLength} bytes for nodes that take ${maxBytes}`)
  for (let index = 0; index < count; index++) {
    const part = message.subarray(index * room, (index + 1) * room)
    const bytes = new Uint8Array(headBytes + part.byteLength)
    bytes[0] = format
    ascii.encodeInto(sender, bytes.subarray(1))
    const view = new DataView(bytes.buffer, 1 + senderBytes)
    view.setUint32(0, number >>> 0)
    view.setUint16(4, index)
    view.setUint16(6, count)
    bytes.set(part, headBytes)
    yield bytes
  }
}

/** Joins the fragments of each sender's messages, in whatever order they come. */
export class Fragments {
  readonly #incomplete = new Map<string, Map<number, { parts: (Uint8Array | undefined)[]; missing: number }>>()

  /** The message that this fragment completes; `undefined`: none yet, or of another version of the hub. */
  add(bytes: Uint8Array): { readonly sender: string; readonly message: Uint8Array } | undefined {
    if (bytes.byteLength < headBytes || bytes[0] !== format) return undefined
    const sender = text.decode(bytes.subarray(1, 1 + senderBytes))
    const view = new DataView(bytes.buffer, bytes.byteOffset + 1 + senderBytes)
    const number = view.getUint32(0)
    const index = view.getUint16(4)
    const count = view.getUint16(6)
    const part = bytes.subarray(headBytes)
    if (count === 1) return { sender, message: part }
    const parts = this.#add(sender, number, { index, count, part })
    return parts && { sender, message: join(parts) }
  }

  /** A sender that has gone completes nothing any more. */
  forget(sender: string): void {
    this.#incomplete.delete(sender)
  }

  #add(
    sender: string,
    number: number,
    { index, count, part }: { index: number; count: number; part: Uint8Array },
  ): readonly Uint8Array[] | undefined {
    const messages =
      this.#incomplete.get(sender) ?? new Map<number, { parts: (Uint8Array | undefined)[]; missing: number }>()
    this.#incomplete.set(sender, messages)
    const message = messages.get(number) ?? { parts: new Array<Uint8Array | undefined>(count), missing: count }
    if (index >= message.parts.length || message.parts[index] !== undefined) return undefined
    message.parts[index] = part
    messages.set(number, message)
    if (--message.missing > 0) {
      if (messages.size > maxIncomplete) messages.delete(messages.keys().next().value!)
      return undefined
    }
    messages.delete(number)
    return message.parts as Uint8Array[]
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.byteLength
  }
  return joined
}
