import { createServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { Hono } from 'hono'
import {
  createHub,
  type EmbeddedHub,
  type ErrorCode,
  HubError,
  type HubSettings,
  type NewUpdate,
  type Transport,
  type Update,
  type Updates,
} from '../../src/embed.ts'
import { openTransport } from '../../transports/index.ts'

// What compiles, and what does not, for who embeds a hub. Nothing here is run.

export async function mounts(hub: EmbeddedHub): Promise<void> {
  new Hono().route('/', hub.app)
  createServer(hub.listener)
  createServer((request, response) => hub.listener(request, response, () => response.end()))
  createSecureServer(hub.listener)
  const respond: (request: Request) => Promise<Response> = hub.fetch
  await respond(new Request('http://hub.example/.well-known/mercure'))
  // @ts-expect-error a listener is asked, not called with a URL
  hub.listener('/.well-known/mercure')
}

export async function configures(): Promise<void> {
  const fromEnvironment: string | undefined = process.env.JWT_KEY
  const settings: HubSettings = {
    jwt_key: fromEnvironment,
    transport_url: 'local://local',
    max_queue_bytes: 1024,
    max_request_body_size: '1MiB',
    issuers: [
      { id: 'https://issuer.example', subscriber: { jwks_uri: 'https://issuer.example/jwks', algorithms: ['ES256'] } },
    ],
    recent: { entries: 10 },
  }
  await createHub(settings)
  await createHub(settings, { log: console })
  await createHub({}, { transport: await openTransport(new URL('local://local'), { log: console }) })
  // @ts-expect-error there is no such key
  await createHub({ jwt_kee: 'x' })
  // @ts-expect-error the application's server listens
  await createHub({ addr: ':3000' })
  // @ts-expect-error durations have units
  await createHub({ heartbeat_interval: 15 })
  // @ts-expect-error no such algorithm
  await createHub({ jwt_algorithm: 'none' })
  // @ts-expect-error key sets hold public keys
  await createHub({ issuers: [{ id: 'x', publisher: { jwks_uri: 'https://a', algorithms: ['HS256'] } }] })
  // @ts-expect-error a URL is a key of the settings
  await createHub({}, { transport: 'local://local' })
  // @ts-expect-error not a log
  await createHub({}, { log: { info: console.info } })
}

export async function publishes(hub: EmbeddedHub): Promise<string> {
  const update: NewUpdate = { topics: ['a', 'b'], data: 'x', private: true, retry: 10, id: undefined }
  await hub.publish(update)
  // @ts-expect-error without topics
  await hub.publish({ data: 'x' })
  // @ts-expect-error data is text
  await hub.publish({ topics: 'a', data: { sold: true } })
  return await hub.publish({ topics: 'a' })
}

export async function subscribes(hub: EmbeddedHub, signal: AbortSignal): Promise<Update | undefined> {
  const updates: Updates = await hub.subscribe({
    topics: ['a'],
    matchers: [{ match: 'b', match_type: 'urlpattern' }],
    signal,
  })
  for await (const { id, topics, data, type, retry, private: isPrivate } of updates) {
    const texts: readonly string[] = [id, ...topics, data, type]
    const values: [readonly string[], number, boolean] = [texts, retry, isPrivate]
    if (values[0].length > 5) break
  }
  // @ts-expect-error updates are read only
  for await (const update of updates) update.data = ''
  // @ts-expect-error one has to wait until nothing is missed
  for await (const _ of hub.subscribe({ topics: 'a' }));
  // @ts-expect-error no such type
  await hub.subscribe({ matchers: [{ match: 'a', match_type: 'regexp' }] })
  await using last = await hub.subscribe({ topics: '*', lastEventId: 'earliest' })
  return (await last.next()).value
}

export function tellsErrors(error: unknown): ErrorCode | undefined {
  if (!(error instanceof HubError)) return undefined
  // @ts-expect-error a closed list
  if (error.code === 'nonsense') return undefined
  return error.code
}

/** An absent method is an absent ability. */
export const least: Transport = {
  start: async () => {},
  publish: async (update: Update) => void update.id,
  close: async () => {},
}

// @ts-expect-error a log has an end
export const none: Transport = { start: async () => {}, publish: async () => {} }
