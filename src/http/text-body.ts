import { ReadableStream } from 'node:stream/web'

type Bytes = Uint8Array<ArrayBuffer>

/** The body of an answer that is made in pieces: of one, or a stream that makes each when the client has taken those before. */
export async function toBody(pieces: AsyncGenerator<string, void>): Promise<Bytes | globalThis.ReadableStream<Bytes>> {
  const first = (await pieces.next()).value ?? ''
  const second = await pieces.next()
  if (second.done === true) return utf8.encode(first)
  return ReadableStream.from(encode([first, second.value], pieces)) as globalThis.ReadableStream<Bytes>
}

async function* encode(made: readonly string[], rest: AsyncGenerator<string, void>): AsyncGenerator<Bytes, void> {
  for (const piece of made) yield utf8.encode(piece)
  for await (const piece of rest) yield utf8.encode(piece)
}

const utf8 = new TextEncoder()
