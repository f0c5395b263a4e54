import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import type { EmbeddedHub, HubSettings } from '../../src/embed.ts'
import { embedHub, listenWith } from '../support/embedding.ts'
import { EventStream } from '../support/event-stream.ts'
import { openSession } from '../support/http2.ts'
import { publisherToken } from '../support/token.ts'

const topic = 'https://example.com/books/1'
const hubPath = '/.well-known/mercure'

const inMemory = (path: string, init: RequestInit = {}) => new Request(`https://hub.example${path}`, init)

const connected = async (hub: EmbeddedHub): Promise<number> =>
  Number(/^mercure_subscribers_connected (\d+)$/m.exec(await hub.metrics.render())![1])

/** A request for the hub, by each of the ways in which an application may pass it on. */
const ways: Record<
  string,
  (t: TestContext, hub: EmbeddedHub) => Promise<(path: string, init?: RequestInit) => Promise<Response>>
> = {
  async 'a listener of node:http'(t, hub) {
    const origin = await listenWith(t, (request, response) =>
      hub.listener(request, response, () => response.end('the application')),
    )
    return (path, init) => fetch(origin + path, init)
  },
  async 'an application of Hono'(t, hub) {
    const app = new Hono()
    app.use(async (c, next) => {
      await next()
      c.header('X-Application', 'Hono')
    })
    app.route('/', hub.app)
    app.get('*', c => c.text('the application'))
    const origin = await listenWith(t, getRequestListener(app.fetch, { overrideGlobalObjects: false }))
    return (path, init) => fetch(origin + path, init)
  },
  async 'Request and Response'(_, hub) {
    const app = new Hono().route('/', hub.app).get('*', c => c.text('the application'))
    return async (path, init) => await app.fetch(inMemory(path, init))
  },
}

for (const [way, open] of Object.entries(ways)) {
  test(`${way}: publishes, streams, refuses, and leaves other paths alone`, async t => {
    const hub = await embedHub(t)
    const send = await open(t, hub)
    const abort = new AbortController()
    const path = `${hubPath}?topic=${encodeURIComponent('https://example.com/books/{id}')}`
    const stream = await EventStream.read(await send(path, { signal: abort.signal }), abort)
    const headers = { Authorization: `Bearer ${await publisherToken()}` }
    const post = (body: RequestInit['body']) => send(hubPath, { method: 'POST', headers, body: body ?? null })
    const published = await post(new URLSearchParams({ topic, data: 'ü', id: 'urn:1' }))
    assert.equal(await published.text(), 'urn:1')
    assert.deepEqual({ ...(await stream.take())[0] }, { id: 'urn:1', event: undefined, data: 'ü' })
    assert.equal(stream.response.headers.get('x-content-type-options'), 'nosniff')

    const tooLarge = await post(new URLSearchParams({ topic, data: 'x'.repeat(2 << 20) }))
    assert.equal(tooLarge.status, 413)
    assert.match(await tooLarge.text(), /^body_too_large: /)
    const refused = await send(`${hubPath}?match_regexp=x`)
    assert.equal(refused.status, 400)
    assert.match(await refused.text(), /^matcher_unknown: /)
    const nobody = await send(hubPath, { method: 'POST', body: new URLSearchParams({ topic }) })
    assert.equal(nobody.status, 401)
    assert.match(nobody.headers.get('www-authenticate') ?? '', /^Bearer/)
    const head = await send(`${hubPath}?topic=*`, { method: 'HEAD' })
    assert.deepEqual([head.status, await head.text()], [200, ''])
    assert.equal((await send(`${hubPath}/nothing`)).status, 404)
    for (const path of ['/', '/healthz', '/metrics', '/.well-known/mercurex']) {
      assert.equal(await (await send(path)).text(), 'the application', path)
    }

    stream.close()
    while ((await connected(hub)) > 0) await new Promise(resolve => setImmediate(resolve))
  })
}

test('without an application around it there is nothing at other paths', async t => {
  const hub = await embedHub(t)
  const origin = await listenWith(t, hub.listener)
  for (const answer of [await fetch(`${origin}/x`), await hub.fetch(inMemory('/x'))]) {
    assert.deepEqual([answer.status, await answer.text()], [404, 'not_found: There is nothing at this path.\n'])
  }
})

/** Applications that read bodies, and only then pass the request on. */
const readers: Record<string, (t: TestContext, hub: EmbeddedHub) => Promise<(init: RequestInit) => Promise<Response>>> =
  {
    async 'in node:http'(t, hub) {
      const origin = await listenWith(t, async (request, response) => {
        for await (const _ of request);
        hub.listener(request, response)
      })
      return init => fetch(origin + hubPath, init)
    },
    async 'in Hono'(t, hub) {
      const app = new Hono()
      app.use(async (c, next) => {
        await c.req.parseBody()
        await next()
      })
      app.route('/', hub.app)
      const origin = await listenWith(t, getRequestListener(app.fetch, { overrideGlobalObjects: false }))
      return init => fetch(origin + hubPath, init)
    },
    async 'of a Request'(_, hub) {
      return async init => {
        const request = inMemory(hubPath, init)
        await request.text()
        return hub.fetch(request)
      }
    },
  }
for (const [where, open] of Object.entries(readers)) {
  test(`a body that the application has read, ${where}, is told as a defect of the application`, async t => {
    const errors: { reason?: string }[] = []
    const write = (fields: object) => void errors.push(fields)
    const hub = await embedHub(t, {}, { log: { debug() {}, info() {}, warn() {}, error: write } })
    const headers = { Authorization: `Bearer ${await publisherToken()}` }
    const send = await open(t, hub)
    const answer = await send({ method: 'POST', headers, body: new URLSearchParams({ topic }) })
    assert.equal(answer.status, 500)
    const sentence = /The body was read before the request came to the hub: the hub goes before what reads bodies/
    assert.match(await answer.text(), sentence)
    assert.match(errors[0]?.reason ?? '', sentence)
    assert.equal(errors.length, 1)
  })
}

test('in memory, the origin of the request is the one of its URL', async t => {
  const hub = await embedHub(t, { public_urls: ['https://hub.example'] } satisfies HubSettings)
  const asked = (url: string) => hub.fetch(new Request(url, { method: 'HEAD' }))
  assert.equal((await asked(`https://hub.example${hubPath}?topic=*`)).status, 200)
  assert.equal((await asked(`http://hub.example${hubPath}?topic=*`)).status, 421)
  assert.equal((await asked(`https://other.example${hubPath}?topic=*`)).status, 421)
})

test('in memory, a past of any length arrives whole', async t => {
  const hub = await embedHub(t)
  const data = 'x'.repeat(10_000)
  for (let i = 0; i < 500; i++) await hub.publish({ topics: topic, id: `urn:${i}`, data })
  const answer = await hub.fetch(inMemory(`${hubPath}?topic=*&last_event_id=earliest`))
  const reader = answer.body!.getReader()
  let bytes = 0
  while (bytes < 500 * 10_000) bytes += (await reader.read()).value!.byteLength
  await reader.cancel()
  while ((await connected(hub)) > 0) await new Promise(resolve => setImmediate(resolve))
})

test('in memory, compressed streams say so', async t => {
  const hub = await embedHub(t, { compress: true })
  const answer = await hub.fetch(inMemory(`${hubPath}?topic=*`, { headers: { 'Accept-Encoding': 'gzip' } }))
  assert.equal(answer.headers.get('content-encoding'), 'gzip')
  const text = new Response(answer.body!.pipeThrough(new DecompressionStream('gzip'))).text()
  await hub.publish({ topics: topic, data: 'zipped' })
  await hub.close()
  assert.match(await text, /^data: zipped$/m)
})

test('a request in memory can be given up before it is answered', async t => {
  const hub = await embedHub(t)
  const abort = new AbortController()
  const body = new ReadableStream({ start() {} })
  const headers = {
    Authorization: `Bearer ${await publisherToken()}`,
    'Content-Type': 'application/x-www-form-urlencoded',
  }
  const init = { method: 'POST', headers, body, duplex: 'half', signal: abort.signal } as RequestInit
  const answer = hub.fetch(inMemory(hubPath, init))
  abort.abort()
  await assert.rejects(answer, { name: 'AbortError' })
})

test('HTTP/2 of the application is that of the hub', async t => {
  const hub = await embedHub(t)
  const server = createServer((request, response) => hub.listener(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  await using session = await openSession({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  const exchange = session.request({ ':path': `${hubPath}?topic=*` }).read()
  await exchange.until(() => exchange.text !== '')
  await hub.publish({ topics: topic, data: 'by two' })
  await hub.close()
  assert.match((await exchange.end()).text, /^data: by two$/m)
})

test('below another path of an application of Hono there is nothing', async t => {
  const hub = await embedHub(t)
  const app = new Hono().route('/hub', hub.app)
  const answer = await app.fetch(inMemory(`/hub${hubPath}?topic=*`))
  assert.deepEqual([answer.status, await answer.text()], [404, 'not_found: There is nothing at this path.\n'])
})
