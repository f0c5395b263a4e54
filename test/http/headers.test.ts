import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { startHub, type TestHub } from '../support/hub.ts'
import { assertSecured } from '../support/refusal.ts'
import { bearer, readerTokens } from '../support/subscriptions.ts'
import { publisherToken, testIssuer } from '../support/token.ts'

const path = '/.well-known/mercure'
const metadata = '/.well-known/oauth-protected-resource/.well-known/mercure'

suite('every answer', () => {
  let hub: TestHub
  let token: string
  before(async () => {
    hub = await startHub({
      subscriptions: true,
      issuers: [testIssuer],
      demo: true,
      metrics_enabled: true,
      metrics_addr: '',
      cors_allowed_origins: ['https://app.example'],
    })
    token = (await readerTokens(hub))['1.0']
  })
  after(() => hub.close())

  const answers: { target: string; status: number; init?: () => RequestInit | Promise<RequestInit> }[] = [
    { target: `${path}?topic=a`, status: 200 },
    { target: `${path}?topic=a`, status: 200, init: () => ({ method: 'HEAD' }) },
    { target: path, status: 400 },
    { target: path, status: 401, init: () => ({ method: 'POST' }) },
    {
      target: path,
      status: 200,
      init: async () => ({
        method: 'POST',
        headers: bearer(await publisherToken()),
        body: new URLSearchParams({ topic: 'a' }),
      }),
    },
    { target: path, status: 405, init: () => ({ method: 'PUT' }) },
    { target: path, status: 204, init: () => ({ method: 'OPTIONS' }) },
    { target: `${path}/subscriptions`, status: 401 },
    { target: `${path}/subscriptions`, status: 200, init: () => ({ headers: bearer(token) }) },
    {
      target: `${path}/subscriptions`,
      status: 304,
      init: () => ({ headers: { ...bearer(token), 'If-None-Match': '*' } }),
    },
    { target: metadata, status: 200 },
    { target: '/healthz', status: 200 },
    { target: '/readyz', status: 200 },
    { target: '/metrics', status: 200 },
    { target: '/metrics', status: 405, init: () => ({ method: 'POST' }) },
    { target: '/', status: 302, init: () => ({ redirect: 'manual' }) },
    { target: `${path}/debug/`, status: 200 },
    { target: `${path}/debug/config.json`, status: 200 },
    { target: `${path}/debug/hub.json`, status: 200 },
    { target: `${path}/debug/nothing`, status: 404 },
    { target: `${path}/debug/token`, status: 405 },
    { target: '/nothing', status: 404 },
    { target: `${path}/`, status: 404 },
  ]
  for (const { target, status, init } of answers) {
    test(`${status} of ${target} has the security headers`, async () => {
      const response = await hub.fetch(target, await init?.())
      await response.body?.cancel()
      assert.equal(response.status, status)
      assertSecured(response)
      if (status >= 400) assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8')
    })
  }
})
