import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { EventSource } from 'eventsource'
import { createCertificate } from '../support/certificate.ts'
import { readDocument } from '../support/documents.ts'
import { EventStream } from '../support/event-stream.ts'
import { openSession } from '../support/http2.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { caddy, proxyPrograms } from '../support/proxies/programs.ts'
import { type ProxyProgram, ReverseProxy } from '../support/proxies/reverse-proxy.ts'
import { listen } from '../support/reception.ts'
import { publishAcross } from '../support/reconnection.ts'
import { bearer, encodeSegment, subscriptionsPath } from '../support/subscriptions.ts'
import { publisherToken, signAccessToken, subscriberToken, testIssuer } from '../support/token.ts'

// The snippets of docs/proxies.md, run as they stand there but for addresses and files.
const { snippets } = await readDocument('docs/proxies.md')
const certificate = await createCertificate()
after(() => certificate[Symbol.asyncDispose]())

const forwarded: Settings = { use_forwarded_headers: true, issuers: [testIssuer] }
const topic = 'https://example.com/books/1'

const snippetFor = ({ language }: ProxyProgram): string => snippets.find(snippet => snippet.language === language)!.text

const startProxy = (
  program: ProxyProgram,
  hub: TestHub,
  change = (snippet: string) => snippet,
): Promise<ReverseProxy> => ReverseProxy.start(program, change(snippetFor(program)), hub, certificate)

/**
 * Publishes over HTTP/1.1, on a connection of its own: who keeps one must expect that a proxy, when it reloads, closes it
 * just as the next update is sent.
 */
async function publish({ hubUrl }: ReverseProxy, fields: Record<string, string>, key?: string): Promise<string> {
  const type = 'application/x-www-form-urlencoded'
  const headers = { ...bearer(await publisherToken()), 'Content-Type': type, ...(key && { 'Idempotency-Key': key }) }
  const sent = request(hubUrl, { method: 'POST', headers, agent: false }).end(String(new URLSearchParams(fields)))
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  const body = await text(answer)
  assert.equal(answer.statusCode, 200, body)
  return body
}

/** The same, again with the same key where a connection is reset: a proxy that reloads may leave one in its old queue. */
async function publishSafely(proxy: ReverseProxy, fields: Record<string, string>): Promise<string> {
  const key = randomUUID()
  for (let left = 5; ; left--) {
    try {
      return await publish(proxy, fields, key)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET' || left === 0) throw error
    }
  }
}

// All at the same time: each waits for more than a minute.
describe('docs/proxies.md', { concurrency: true }, () => {
  for (const program of proxyPrograms) testProxy(program)
})

function testProxy(program: ProxyProgram): void {
  describe(program.name, { skip: program.missing, concurrency: true }, () => {
    let hub: TestHub
    let proxy: ReverseProxy
    const opened = new AsyncDisposableStack()
    before(async () => {
      hub = opened.use(await startHub({ ...forwarded, heartbeat_interval: '15s', compress: true, subscriptions: true }))
      proxy = opened.use(await startProxy(program, hub))
    })
    after(() => opened.disposeAsync())
    const subscribe = (query: string, init?: RequestInit) => EventStream.open(`${proxy.hubUrl}?${query}`, init)

    test('a stream without updates outlives what it waits for silence', { timeout: 115_000 }, async () => {
      const stream = await subscribe('topic=silence')
      // The first is what every stream begins with; the others come every 15 s.
      await stream.until(text => (text.match(/^:$/gm) ?? []).length === 6)
      const id = await publish(proxy, { topic: 'silence' })
      assert.equal((await stream.take())[0]?.id, id)
      stream.close()
    })

    test('a stream begins at once, and updates come as they are published, whatever their length', async () => {
      const stream = await subscribe('topic=lengths')
      await stream.until(text => text.startsWith(':\n'))
      for (const length of [0, 1, 5000, 200_000, 2]) {
        const data = 'ü '.repeat(length / 2)
        const id = await publish(proxy, { topic: 'lengths', data })
        const [event] = await stream.take()
        assert.deepEqual([event?.id, event?.data], [id, data])
      }
      stream.close()
    })

    test('so do those that the hub compresses', async () => {
      const stream = await subscribe('topic=compressed', { headers: { 'Accept-Encoding': 'gzip' } })
      assert.equal(stream.response.headers.get('content-encoding'), 'gzip')
      for (const data of ['one', 'two'.repeat(10_000), 'three']) {
        await publish(proxy, { topic: 'compressed', data })
        assert.equal((await stream.take())[0]?.data, data)
      }
      stream.close()
    })

    test('many streams share a connection of HTTP/2', async () => {
      await using client = await openSession(proxy)
      const path = '/.well-known/mercure?topic=many'
      const streams = Array.from({ length: 20 }, () => client.request({ ':path': path }).read())
      for (const stream of streams) await stream.until(() => stream.text.startsWith(':'))
      const id = await publish(proxy, { topic: 'many' })
      for (const stream of streams) await stream.until(() => stream.text.includes(`id: ${id}\n`))
    })

    test('a client that leaves is gone for the hub', async () => {
      const stream = await subscribe('topic=left')
      const { subscriber } = await hub.logged(
        ({ msg, matchers }) => msg === 'new subscriber' && String(matchers).includes('left'),
      )
      stream.close()
      const { reason } = await hub.logged(line => line.msg === 'subscriber left' && line.subscriber === subscriber)
      assert.equal(reason, 'client closed')
    })

    test('the hub knows which URL was asked for, whatever a client claims', async () => {
      const claims = {
        'X-Forwarded-Host': 'evil.example',
        'X-Forwarded-Proto': 'http',
        Forwarded: 'host=evil.example;proto=http',
      }
      const metadata = `${proxy.url}/.well-known/oauth-protected-resource/.well-known/mercure`
      for (const headers of [{}, claims]) {
        const { resource } = (await (await fetch(metadata, { headers })).json()) as { resource: string }
        assert.equal(resource, proxy.hubUrl)
      }
      await using client = await openSession(proxy)
      const exchange = client.request({ ':path': new URL(metadata).pathname, ...claims }).read()
      await exchange.end()
      assert.equal(JSON.parse(exchange.text).resource, proxy.hubUrl)

      const details = [{ actions: ['publish'], topics: [{ match: topic }] }]
      for (const [audience, status] of [
        [proxy.hubUrl, 200],
        [hub.hubUrl, 401],
      ] as const) {
        const headers = { ...bearer(await signAccessToken(audience, details)), ...claims }
        const body = new URLSearchParams({ topic })
        assert.equal((await fetch(proxy.hubUrl, { method: 'POST', body, headers })).status, status)
      }
    })

    test('the hub counts who asks, whatever a client claims', async () => {
      await using hub = await startHub({ ...forwarded, limits: { connections_per_ip: 1 } })
      await using proxy = await startProxy(program, hub)
      const from = (address: string) => ({ headers: { 'X-Forwarded-For': address, Forwarded: `for=${address}` } })
      const stream = await EventStream.open(`${proxy.hubUrl}?topic=a`, from('203.0.113.1'))
      const answer = await fetch(`${proxy.hubUrl}?topic=a`, from('203.0.113.2'))
      assert.equal(answer.status, 429, await answer.text())
      stream.close()
    })

    test('cookies, QUERY and its body, and long heads reach the hub', async () => {
      const cookie = await subscribe('topic=private', {
        headers: { Cookie: `mercureAuthorization=${await subscriberToken(['private'])}` },
      })
      await publish(proxy, { topic: 'private', private: 'on', data: 'for you' })
      assert.equal((await cookie.take())[0]?.data, 'for you')

      const body = new URLSearchParams(Array.from({ length: 900 }, (_, i) => ['topic', `${topic}/${i}`]))
      const query = await EventStream.open(proxy.hubUrl, { method: 'QUERY', body })
      const long = await subscribe(String(body))
      const id = await publish(proxy, { topic: `${topic}/899` })
      for (const stream of [query, long]) assert.equal((await stream.take())[0]?.id, id)
      for (const stream of [cookie, query, long]) stream.close()
    })

    test('a path with an escaped separator reaches the hub as it is', async () => {
      const stream = await subscribe(`topic=${encodeURIComponent(topic)}`)
      const headers = bearer(await subscriberToken(['*']))
      const response = await fetch(`${proxy.url}${subscriptionsPath}/${encodeSegment(topic)}`, { headers })
      const { subscriptions } = (await response.json()) as { subscriptions: { topic: string }[] }
      assert.deepEqual(
        subscriptions.map(({ topic }) => topic),
        [topic],
      )
      stream.close()
    })

    test('nothing but what clients need can be reached', async () => {
      for (const path of ['/', '/readyz', '/healthz', '/metrics', '/.well-known/mercury', '/.well-known/mercures']) {
        const { headers } = await fetch(proxy.url + path)
        // The hub sends this with every answer.
        assert.equal(headers.get('x-frame-options'), null, `${path} is answered by the hub`)
      }
    })

    test('through reloads nothing is lost or repeated', async () => {
      await using hub = await startHub({
        ...forwarded,
        write_timeout: '500ms',
        transport_url: 'local://local?size=10000',
      })
      await using proxy = await startProxy(program, hub)
      // Its first stream may end before anything has come that it could resume after.
      const source = new EventSource(`${proxy.hubUrl}?topic=${encodeURIComponent(topic)}&last_event_id=earliest`)
      let reloads = Promise.resolve()
      try {
        await publishAcross(8, {
          hub: { ...hub, publish: fields => publishSafely(proxy, fields as Record<string, string>) },
          received: listen(source),
          topic,
          during(count) {
            if (count === 10 || count === 40) reloads = reloads.then(() => proxy.reload())
          },
        })
        await reloads
      } finally {
        source.close()
      }
    })

    // Caddy waits for ever.
    if (program !== caddy) {
      test('a stream of a hub without heartbeats is cut', async () => {
        await using hub = await startHub({ heartbeat_interval: '0s' })
        const impatient = (snippet: string) => snippet.replaceAll(/\b60s|timeout=60/g, time => time.replace('60', '1'))
        await using proxy = await startProxy(program, hub, impatient)
        const stream = await EventStream.open(`${proxy.hubUrl}?topic=a`)
        await stream.end()
      })
    }
  })
}
