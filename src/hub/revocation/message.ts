import type { Revocation } from './revocation.ts'

/** The first byte of a message: those about subscriptions have another. */
const format = 2

/** What nodes tell each other of revocations; `node` is the sender. `request`: who has taken it answers that it is done. */
export type Message = { readonly node: string } & (
  | { readonly type: 'hello' }
  /** I live, and what I know has this digest; `isInformed`: I have heard what the others know. */
  | { readonly type: 'beat'; readonly digest: number; readonly isInformed: boolean }
  /** Send what you know. */
  | { readonly type: 'ask'; readonly of: string }
  | { readonly type: 'list'; readonly revocations: readonly Revocation[]; readonly request?: string }
  /** End this subscriber, and revoke its token. */
  | { readonly type: 'end'; readonly subscriber: string; readonly until: number | null; readonly request: string }
  | { readonly type: 'done'; readonly request: string; readonly ended: Ended }
  | { readonly type: 'leave' }
)

/** What came of it at one node: streams that were closed, and whose token was revoked if a subscriber was named that is there. */
export interface Ended {
  readonly closed: number
  readonly revocation?: Revocation
  /** The subscriber was there. */
  readonly isFound?: boolean
}

export function encodeMessage(message: Message): Uint8Array {
  const text = utf8.encode(JSON.stringify(message))
  const bytes = new Uint8Array(1 + text.byteLength)
  bytes[0] = format
  bytes.set(text, 1)
  return bytes
}

/** `undefined`: it is about something else. @throws SyntaxError for what is no message */
export const decodeMessage = (bytes: Uint8Array): Message | undefined =>
  bytes[0] === format ? (JSON.parse(text.decode(bytes.subarray(1))) as Message) : undefined

/** The lists that revocations make, none longer than so many bytes. One that alone is longer has a list for itself. */
export function* encodeLists(
  node: string,
  revocations: readonly Revocation[],
  { maxBytes, request }: { readonly maxBytes: number; readonly request?: string },
): Generator<Uint8Array> {
  const encode = (part: readonly Revocation[]) =>
    encodeMessage({ node, type: 'list', revocations: part, ...(request !== undefined && { request }) })
  const headBytes = encode([]).byteLength
  let part: Revocation[] = []
  let bytes = headBytes
  for (const revocation of revocations) {
    const ownBytes = Buffer.byteLength(JSON.stringify(revocation)) + 1
    if (part.length > 0 && bytes + ownBytes > maxBytes) {
      yield encode(part)
      part = []
      bytes = headBytes
    }
    part.push(revocation)
    bytes += ownBytes
  }
  if (part.length > 0) yield encode(part)
}

const utf8 = new TextEncoder()
const text = new TextDecoder()
