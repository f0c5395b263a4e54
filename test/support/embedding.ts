import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { createHub, type EmbeddedHub, type EmbedOptions, type HubSettings } from '../../src/embed.ts'
import { testKey } from './token.ts'

/** A hub inside of the test, with anonymous subscribers and 1,000 updates of history; it is closed with the test. */
export async function embedHub(
  t: TestContext,
  settings: HubSettings = {},
  options?: EmbedOptions,
): Promise<EmbeddedHub> {
  const log = options?.transport === undefined ? { transport_url: 'local://local?size=1000' } : {}
  const hub = await createHub({ ...log, jwt_key: testKey, allow_anonymous: true, ...settings }, options)
  t.after(() => hub.close())
  return hub
}

/** Serves it on a free port of the loopback; gives its origin. */
export async function listenWith(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
