import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { startHub, type TestHub } from '../support/hub.ts'
import { signToken, testIssuer } from '../support/token.ts'

const path = '/.well-known/mercure'
const subscriptions = `${path}/subscriptions`
const metadata = '/.well-known/oauth-protected-resource/.well-known/mercure'
const listed = 'https://app.example'
const stranger = 'https://stranger.example'

/** The CORS headers of an answer, by their short names, and `Vary`. */
function corsOf({ headers }: Response): Record<string, string> {
  return Object.fromEntries(
    [...headers]
      .map(([name, value]) => [name.replace(/^access-control-/, ''), value] as const)
      .filter(([name]) => headers.has(`access-control-${name}`) || name === 'vary'),
  )
}

const listOf = (value: string | undefined): string[] => (value ?? '').toLowerCase().split(/ *, */).sort()

/** A request of a page of an origin, whose body is not read: streams end with it. */
async function ask(hub: TestHub, target: string, init: RequestInit & { origin?: string } = {}): Promise<Response> {
  const { origin, ...rest } = init
  const headers = new Headers(rest.headers)
  if (origin !== undefined) headers.set('Origin', origin)
  const response = await hub.fetch(target, { ...rest, headers })
  await response.body?.cancel()
  return response
}

const preflight = (hub: TestHub, target: string, origin: string, method = 'POST'): Promise<Response> =>
  ask(hub, target, {
    origin,
    method: 'OPTIONS',
    headers: {
      'Access-Control-Request-Method': method,
      'Access-Control-Request-Headers': 'authorization,last-event-id',
    },
  })

suite('without cors_allowed_origins', () => {
  let hub: TestHub
  before(async () => {
    hub = await startHub({ subscriptions: true, issuers: [testIssuer] })
  })
  after(() => hub.close())

  for (const [target, methods] of [
    [path, 'GET, HEAD, QUERY, POST'],
    [subscriptions, 'GET, HEAD'],
    [metadata, 'GET, HEAD'],
  ] as const) {
    test(`a preflight of ${target} is refused with 405 and the methods that there are`, async () => {
      const response = await preflight(hub, target, listed)
      assert.equal(response.status, 405)
      assert.equal(response.headers.get('allow'), methods)
      assert.deepEqual(corsOf(response), {})
    })
  }

  test('an answer says nothing of other origins', async () => {
    assert.deepEqual(corsOf(await ask(hub, `${path}?topic=a`, { origin: listed })), {})
    assert.deepEqual(corsOf(await ask(hub, path, { origin: listed })), {})
  })
})

suite('with a list of origins', () => {
  let hub: TestHub
  let authorization: Record<string, string>
  before(async () => {
    hub = await startHub({
      subscriptions: true,
      issuers: [testIssuer],
      cors_allowed_origins: [
        listed,
        'https://*.pages.example',
        'http://localhost:*',
        'capacitor://localhost',
        'null',
        'https://Upper.Example',
      ],
    })
    const token = await signToken({ mercure: { publish: ['*'], subscribe: ['*'] } })
    authorization = { Authorization: `Bearer ${token}` }
  })
  after(() => hub.close())

  /** Every sort of answer that a page may have to read. */
  const answers: { name: string; target: string; status: number; vary?: string; init?: () => RequestInit }[] = [
    { name: 'a stream', target: `${path}?topic=a&last_event_id=x`, status: 200 },
    { name: 'a stream by QUERY', target: path, status: 200, init: () => ({ method: 'QUERY', body: 'match=a' }) },
    { name: 'HEAD', target: `${path}?topic=a`, status: 200, init: () => ({ method: 'HEAD' }) },
    {
      name: 'a published update',
      target: path,
      status: 200,
      init: () => ({ method: 'POST', headers: authorization, body: new URLSearchParams({ topic: 'a' }) }),
    },
    { name: 'a refusal without token', target: path, status: 401, init: () => ({ method: 'POST' }) },
    { name: 'a refusal without matcher', target: path, status: 400 },
    { name: 'an unknown path', target: `${path}/nothing`, status: 404 },
    { name: 'an unknown method', target: path, status: 405, init: () => ({ method: 'DELETE' }) },
    {
      name: 'the subscriptions',
      target: subscriptions,
      status: 200,
      vary: 'Origin, Accept, Authorization, Cookie',
      init: () => ({ headers: authorization }),
    },
    { name: 'the metadata', target: metadata, status: 200 },
  ]
  for (const { name, target, status, vary = 'Origin', init } of answers) {
    test(`${name}: a listed origin is echoed, with credentials, and may read the cursor`, async () => {
      const response = await ask(hub, target, { ...init?.(), origin: listed })
      assert.equal(response.status, status)
      const { 'expose-headers': exposed, ...rest } = corsOf(response)
      assert.deepEqual(rest, { 'allow-origin': listed, 'allow-credentials': 'true', vary })
      assert.deepEqual(listOf(exposed), [
        'etag',
        'idempotency-replayed',
        'last-event-id',
        'link',
        'mercure-last-event-id',
        'retry-after',
      ])
    })
    test(`${name}: another origin gets the answer, and its page may not read it`, async () => {
      const response = await ask(hub, target, { ...init?.(), origin: stranger })
      assert.equal(response.status, status)
      assert.deepEqual(corsOf(response), { vary })
    })
    test(`${name}: what has no origin gets no headers but Vary`, async () => {
      const response = await ask(hub, target, { ...init?.() })
      assert.equal(response.status, status)
      assert.deepEqual(corsOf(response), { vary })
    })
  }

  test('a request of another origin is carried out', async () => {
    const stream = await hub.subscribe('topic=https://example.com/carried-out')
    const body = new URLSearchParams({ topic: 'https://example.com/carried-out', data: 'x' })
    await ask(hub, path, { method: 'POST', origin: stranger, headers: authorization, body })
    assert.equal((await stream.take())[0]?.data, 'x')
    stream.close()
  })

  const origins: { origin: string; allowed: boolean }[] = [
    { origin: listed, allowed: true },
    { origin: `${listed}:8443`, allowed: false },
    { origin: 'http://app.example', allowed: false },
    { origin: `${listed}.evil.example`, allowed: false },
    { origin: 'https://one.pages.example', allowed: true },
    { origin: 'https://one.two.pages.example', allowed: true },
    { origin: 'https://pages.example', allowed: false },
    { origin: 'https://evil.example/.pages.example', allowed: false },
    { origin: 'https://evil.example?.pages.example', allowed: false },
    { origin: 'http://localhost:3000', allowed: true },
    { origin: 'http://localhost.evil.example:80', allowed: false },
    { origin: 'capacitor://localhost', allowed: true },
    { origin: 'ionic://localhost', allowed: false },
    { origin: 'null', allowed: true },
    { origin: 'https://upper.example', allowed: true },
    { origin: 'https://UPPER.example', allowed: true },
    { origin: '', allowed: false },
    { origin: '*', allowed: false },
  ]
  for (const { origin, allowed } of origins) {
    test(`${JSON.stringify(origin)} is ${allowed ? 'allowed' : 'not allowed'}`, async () => {
      assert.equal(
        (await ask(hub, path, { origin })).headers.get('access-control-allow-origin'),
        allowed ? origin : null,
      )
    })
  }

  for (const target of [path, `${path}?topic=a`, subscriptions, `${subscriptions}/exact/a`, metadata]) {
    test(`a preflight of ${target} needs no token and names methods and headers`, async () => {
      const response = await preflight(hub, target, listed)
      assert.equal(response.status, 204)
      assert.equal(await response.text(), '')
      const { 'allow-methods': methods, 'allow-headers': headers, 'expose-headers': _, ...rest } = corsOf(response)
      assert.deepEqual(listOf(methods), ['get', 'head', 'post', 'query'])
      for (const header of ['authorization', 'cache-control', 'last-event-id'])
        assert.ok(listOf(headers).includes(header))
      assert.deepEqual(rest, {
        'allow-origin': listed,
        'allow-credentials': 'true',
        'max-age': rest['max-age'],
        vary: 'Origin',
      })
      assert.ok(Number(rest['max-age']) > 0)
    })
    test(`a preflight of ${target} from another origin is answered with 204 and no word of CORS`, async () => {
      const response = await preflight(hub, target, stranger)
      assert.equal(response.status, 204)
      assert.deepEqual(corsOf(response), { vary: 'Origin' })
    })
  }
})

suite('with any origin', () => {
  let hub: TestHub
  before(async () => {
    hub = await startHub({ cors_allowed_origins: ['*', listed] })
  })
  after(() => hub.close())

  for (const origin of [listed, stranger, 'null', 'capacitor://localhost']) {
    test(`${origin}: "*", and no credentials, which browsers would refuse with it`, async () => {
      const response = await ask(hub, `${path}?topic=a`, { origin })
      assert.equal(response.status, 200)
      const { 'expose-headers': exposed, vary: _, ...rest } = corsOf(response)
      assert.deepEqual(rest, { 'allow-origin': '*' })
      assert.ok(listOf(exposed).includes('link'))
    })
    test(`${origin}: a preflight says the same`, async () => {
      const response = await preflight(hub, path, origin)
      assert.equal(response.status, 204)
      assert.equal(response.headers.get('access-control-allow-origin'), '*')
      assert.equal(response.headers.get('access-control-allow-credentials'), null)
      assert.ok(listOf(corsOf(response)['allow-methods']).includes('query'))
    })
  }
})
