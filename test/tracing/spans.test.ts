import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { suite, test } from 'node:test'
import { HubError } from '../../src/errors.ts'
import type { OpenTransport } from '../../src/transport.ts'
import { openTransport } from '../../transports/index.ts'
import { LogDirectory } from '../support/bolt.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { SpanCollector } from '../support/span-collector.ts'
import { publisherToken, subscriberToken } from '../support/token.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${parentId}-01`

/** Runs a hub that is traced until `use` is done; gives what its collector had when the hub had stopped. */
async function trace(
  use: (hub: TestHub) => Promise<void>,
  { settings = {}, openLog }: { settings?: Settings; openLog?: OpenTransport } = {},
): Promise<{ collector: SpanCollector; hub: TestHub }> {
  const collector = await SpanCollector.start()
  await using _ = collector
  const hub = await startHub({ tracing: true, tracing_endpoint: collector.url, ...settings }, openLog)
  try {
    await use(hub)
  } finally {
    await hub.close()
  }
  return { collector, hub }
}

suite('spans of a hub', { concurrency: 2 }, () => {
  test('publishing belongs to the trace of its publisher, and storing to publishing', async () => {
    const { collector } = await trace(async hub => {
      const body = new URLSearchParams([
        ['topic', 'https://example.com/1'],
        ['topic', 'b'],
        ['data', 'a secret text'],
        ['id', 'urn:1'],
        ['private', 'on'],
      ])
      const headers = { traceparent, tracestate: 'vendor=value' }
      assert.equal((await hub.post(body, { headers })).status, 200)
    })
    const publish = collector.one('mercure.publish')
    const store = collector.one('mercure.transport.publish')
    assert.deepEqual(
      [publish.traceId, publish.parentSpanId, publish.traceState, publish.kind, publish.status],
      [traceId, parentId, 'vendor=value', 4, 0],
    )
    assert.deepEqual([store.traceId, store.parentSpanId, store.kind], [traceId, publish.spanId, 1])
    const update = {
      'mercure.update.id': 'urn:1',
      'mercure.topics': ['https://example.com/1', 'b'],
      'mercure.private': true,
    }
    assert.deepEqual(store.attributes, update)
    assert.deepEqual(publish.attributes, {
      ...update,
      'mercure.transport': 'local',
      'http.request.method': 'POST',
      'http.route': '/.well-known/mercure',
      'url.path': '/.well-known/mercure',
      'url.scheme': 'http',
      'http.response.status_code': 200,
    })
    const { 'service.name': name, 'service.instance.id': instance } = publish.resource
    assert.equal(name, 'talaria')
    assert.match(String(instance), /^[0-9a-f-]{36}$/)
    assert.doesNotMatch(collector.bodies.join(), /a secret text/)
  })

  test('subscribing ends when the subscriber is live, not with its stream', async () => {
    const { collector } = await trace(async hub => {
      await hub.subscribe('topic=a&topic=b')
      const id = await hub.publish({ topic: 'a', data: '1' })
      await hub.publish({ topic: 'a', data: '2' })
      const resuming = await hub.subscribe('topic=a', { headers: { 'Last-Event-ID': id } })
      await resuming.take()
    })
    const [live, resumed] = collector.named('mercure.subscribe')
    assert.equal(live?.kind, 5)
    assert.match(String(live?.attributes['mercure.subscriber.id']), /^urn:uuid:/)
    assert.deepEqual(live?.attributes['mercure.matchers'], ['topic:a', 'topic:b'])
    assert.equal(live?.attributes['mercure.end_reason'], undefined)
    assert.match(String(resumed?.attributes['mercure.last_event_id.requested']), /^urn:uuid:/)
    assert.deepEqual(
      [resumed?.attributes['mercure.resumed_from'], resumed?.attributes['mercure.replayed']],
      ['window', 1],
    )
  })

  test('what a subscriber reads from the log belongs to subscribing', async () => {
    await using directory = await LogDirectory.create()
    const { collector } = await trace(
      async hub => {
        const id = await hub.publish({ topic: 'a', data: '1' })
        for (const data of ['2', '3']) await hub.publish({ topic: 'a', data })
        await (await hub.subscribe(`topic=a&lastEventID=${id}`)).take(2)
        await hub.fetch(`/.well-known/mercure?topic=a&lastEventID=${id}`, { method: 'HEAD' })
        await hub.subscribe('topic=a&lastEventID=urn:unknown')
      },
      { settings: { recent: { entries: 0, bytes: 0 } }, openLog: () => directory.open() },
    )
    const [read, head, unknown] = collector.named('mercure.subscribe')
    const readings = collector.named('mercure.transport.history')
    const of = (id: string | undefined) => readings.filter(({ parentSpanId }) => parentSpanId === id)
    assert.equal(read?.attributes['mercure.resumed_from'], 'log')
    assert.deepEqual(of(read?.spanId)[0]?.attributes, { 'mercure.history.found': true, 'mercure.history.entries': 2 })
    // Nobody has read on, and it has ended all the same.
    assert.deepEqual(of(head?.spanId)[0]?.attributes, { 'mercure.history.found': true })
    assert.equal(unknown?.attributes['mercure.resumed_from'], 'nowhere')
    assert.equal(of(unknown?.spanId)[0]?.attributes['mercure.history.found'], false)
  })

  test('who subscribes is listed in a span, and announced outside of all', async () => {
    const { collector } = await trace(
      async hub => {
        const watcher = await hub.subscribe('topic=*', {
          headers: { Authorization: `Bearer ${await subscriberToken(['*'])}` },
        })
        const other = await hub.subscribe('topic=a')
        await watcher.take()
        other.close()
        await watcher.take()
        const list = await hub.fetch('/.well-known/mercure/subscriptions', {
          headers: { Authorization: `Bearer ${await subscriberToken(['*'])}` },
        })
        assert.equal(list.status, 200)
      },
      { settings: { subscriptions: true } },
    )
    assert.equal(collector.one('mercure.subscriptions').attributes['http.response.status_code'], 200)
    assert.deepEqual(collector.named('mercure.transport.publish'), [])
  })

  test("what becomes of an update is not its publisher's: a reader that is too slow, and is announced as gone", async () => {
    const settings = { subscriptions: true, max_queue_bytes: '1KiB' }
    const { collector } = await trace(
      async hub => {
        const { hostname, port } = new URL(hub.url)
        const socket = connect(Number(port), hostname)
        socket.write('GET /.well-known/mercure?topic=a HTTP/1.1\r\nHost: hub\r\n\r\n')
        await hub.logged(({ msg }) => msg === 'new subscriber')
        let isGone = false
        const gone = hub
          .logged(({ reason }) => reason === 'too slow')
          .then(() => {
            isGone = true
          })
        while (!isGone) await hub.publish({ topic: 'a', data: 'x'.repeat(500_000) })
        await gone
        socket.destroy()
      },
      { settings },
    )
    const stored = collector.named('mercure.transport.publish')
    assert.ok(stored.length > 1)
    for (const { attributes } of stored) assert.deepEqual(attributes['mercure.topics'], ['a'])
  })

  test('a refusal is recorded by its code, and nothing of its token', async () => {
    const token = await publisherToken('other')
    const { collector } = await trace(async hub => {
      const Authorization = `Bearer ${token}`
      assert.equal((await hub.post('topic=a', { headers: { ...form, Authorization } })).status, 401)
      assert.equal((await hub.fetch(`/.well-known/mercure?topic=a&authorization=${token}x`)).status, 401)
      assert.equal((await hub.fetch('/.well-known/mercure', { method: 'PUT' })).status, 405)
    })
    const publish = collector.one('mercure.publish')
    const subscribe = collector.one('mercure.subscribe')
    assert.deepEqual([publish.attributes['error.type'], publish.status], ['topic_not_granted', 0])
    assert.deepEqual([subscribe.attributes['error.type'], subscribe.status], ['token_signature', 0])
    assert.equal(subscribe.attributes['http.response.status_code'], 401)
    assert.equal(collector.spans.length, 2)
    assert.ok(!collector.bodies.join().includes(token.split('.')[1]!))
  })

  test('a log that is down is an error of both spans, and what it says of itself stays in the log', async () => {
    for (const [fault, code] of [
      [new HubError('transport_unavailable', 'The backend is down.'), 'transport_unavailable'],
      [new Error('a password of the backend'), 'internal'],
    ] as const) {
      const { collector } = await trace(
        async hub => {
          assert.ok((await hub.post(new URLSearchParams({ topic: 'a' }))).status >= 500)
        },
        {
          openLog: async (url, context) =>
            Object.assign(await openTransport(url, context), { publish: () => Promise.reject(fault) }),
        },
      )
      for (const name of ['mercure.publish', 'mercure.transport.publish']) {
        const { attributes, status, statusMessage } = collector.one(name)
        assert.deepEqual([attributes['error.type'], status], [code, 2])
        assert.equal(statusMessage, code === 'internal' ? '' : 'The backend is down.')
      }
      assert.doesNotMatch(collector.bodies.join(), /a password/)
    }
  })

  test('a trace that is not sampled stays so, and of new ones the configured share is sent', async () => {
    const { collector } = await trace(
      async hub => {
        const post = (headers: Record<string, string>) => hub.post(new URLSearchParams({ topic: 'a' }), { headers })
        await post({})
        await post({ traceparent: traceparent.replace(/1$/, '0') })
        await post({ traceparent })
      },
      { settings: { tracing_sample: 0 } },
    )
    assert.deepEqual(
      collector.spans.map(({ name, traceId }) => [name, traceId]),
      [
        ['mercure.transport.publish', traceId],
        ['mercure.publish', traceId],
      ],
    )
  })
})

const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
