import assert from 'node:assert/strict'
import type { EventSourceMessage } from 'eventsource-parser'
import type { Generation } from '../../src/protocol/generation.ts'
import type { EventStream } from './event-stream.ts'
import type { TestHub } from './hub.ts'
import { signAccessToken, subscriberToken } from './token.ts'

export const subscriptionsPath = '/.well-known/mercure/subscriptions'

/** A value as one segment of a path: unreserved characters and escapes alone (RFC 6570, section 3.2.2). */
export const encodeSegment = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

export const bearer = (token: string): { Authorization: string } => ({ Authorization: `Bearer ${token}` })

/** Tokens that grant subscribing to every topic. */
export async function readerTokens(hub: TestHub): Promise<Record<Generation, string>> {
  return {
    '0.x': await subscriberToken(['*']),
    '1.0': await signAccessToken(hub.hubUrl, [{ actions: ['subscribe'], topics: [{ match: '*' }] }]),
  }
}

export interface ApiAnswer {
  readonly response: Response
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The parsed body of a 200. */
  // biome-ignore lint/suspicious/noExplicitAny: a document is asserted member by member
  readonly document: any
}

/** Reads a path of the subscription API. */
export async function readSubscriptions(
  hub: TestHub,
  path: string,
  token?: string,
  headers: Record<string, string> = {},
): Promise<ApiAnswer> {
  const response = await hub.fetch(path, { headers: { ...(token === undefined ? {} : bearer(token)), ...headers } })
  const text = await response.text()
  const { status } = response
  return { response, status, headers: response.headers, text, document: status === 200 ? JSON.parse(text) : undefined }
}

/** The cursor of an answer of 1.0: a quoted-string of HTTP that holds UTF-8. */
export function cursorOf({ headers }: { headers: Headers }): string {
  const [, quoted] = /; last-event-id="((?:[^"\\]|\\.)*)"/.exec(headers.get('link') ?? '') ?? []
  assert.ok(quoted !== undefined, `no cursor in ${headers.get('link')}`)
  return Buffer.from(quoted.replace(/\\(.)/g, '$1'), 'latin1').toString()
}

/** The document that a subscription event holds. */
export const documentOf = (event: EventSourceMessage | undefined) => JSON.parse(event!.data)

/** Nothing came on a stream before the update that this publishes to one of its topics. */
export async function assertSilent(hub: TestHub, stream: EventStream, topic: string): Promise<void> {
  const id = await hub.publish({ topic })
  assert.equal((await stream.take())[0]?.id, id)
}
