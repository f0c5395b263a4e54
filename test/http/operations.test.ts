import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { assertSecured } from '../support/refusal.ts'
import { bearer } from '../support/subscriptions.ts'
import { publisherToken, signToken } from '../support/token.ts'

const onMain = { metrics_enabled: true, metrics_addr: '' }
const onItsOwn = { metrics_enabled: true, metrics_addr: '127.0.0.1:0' }

/** The samples of the figures, by name and labels as they stand there. */
async function readFigures(hub: TestHub): Promise<Map<string, number>> {
  const response = await fetch(hub.running.metricsUrl!)
  assert.equal(response.status, 200)
  const lines = (await response.text()).split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

suite('health', () => {
  const places: { name: string; settings: Settings; base: (hub: TestHub) => string }[] = [
    { name: "the hub's own address", settings: {}, base: hub => hub.url },
    { name: "the figures' address", settings: onItsOwn, base: hub => new URL(hub.running.metricsUrl!).origin },
  ]
  for (const { name, settings, base } of places) {
    test(`${name}: /healthz and /readyz answer without a token`, async () => {
      await using hub = await startHub({ ...settings, allow_anonymous: false })
      for (const [path, body] of [
        ['/healthz', 'ok\n'],
        ['/readyz', 'ready\n'],
      ] as const) {
        const response = await fetch(base(hub) + path)
        assert.equal(response.status, 200)
        assert.equal(await response.text(), body)
        assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8')
        assertSecured(response)
        const head = await fetch(base(hub) + path, { method: 'HEAD' })
        assert.equal(head.status, 200)
        assert.equal(await head.text(), '')
      }
    })

    test(`${name}: a hub that takes no updates any more is alive, is not ready, and says why`, async () => {
      await using hub = await startHub(settings)
      await hub.running.hub.close()
      const response = await fetch(`${base(hub)}/readyz`)
      assert.equal(response.status, 503)
      assert.match(await response.text(), /^shutting_down: .+\n$/)
      assertSecured(response)
      assert.equal((await fetch(`${base(hub)}/healthz`)).status, 200)
    })
  }

  test('the methods that there are', async () => {
    await using hub = await startHub(onMain)
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      const response = await hub.fetch(path, { method: 'POST' })
      assert.equal(response.status, 405)
      assert.equal(response.headers.get('allow'), 'GET, HEAD')
      assert.match(await response.text(), /^method_not_allowed: /)
    }
  })
})

suite('figures', () => {
  test('where they are', async () => {
    await using off = await startHub()
    assert.equal(off.running.metricsUrl, undefined)
    assert.equal((await off.fetch('/metrics')).status, 404)

    await using main = await startHub(onMain)
    assert.equal(main.running.metricsUrl, `${main.url}/metrics`)

    await using apart = await startHub(onItsOwn)
    assert.equal((await apart.fetch('/metrics')).status, 404)
    const { origin } = new URL(apart.running.metricsUrl!)
    assert.notEqual(origin, apart.url)
    for (const path of ['/', '/.well-known/mercure?topic=a', '/.well-known/mercure/subscriptions', '/nothing']) {
      const response = await fetch(origin + path)
      assert.equal(response.status, 404, path)
      assert.match(await response.text(), /^not_found: /)
      assertSecured(response)
    }

    for (const hub of [main, apart]) {
      const response = await fetch(hub.running.metricsUrl!)
      assert.equal(response.status, 200)
      assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
      assertSecured(response)
      assert.match(await response.text(), /^# TYPE mercure_subscribers_connected gauge$/m)
      const head = await fetch(hub.running.metricsUrl!, { method: 'HEAD' })
      assert.equal(head.status, 200)
      assert.equal(await head.text(), '')
    }
  })

  for (const [name, settings] of Object.entries({ 'on the main address': onMain, 'on their own': onItsOwn })) {
    test(`${name}: the names and types that dashboards of other hubs ask for, without labels`, async () => {
      await using hub = await startHub(settings)
      const text = await (await fetch(hub.running.metricsUrl!)).text()
      for (const [figure, type] of [
        ['mercure_subscribers_connected', 'gauge'],
        ['mercure_subscribers_total', 'counter'],
        ['mercure_updates_total', 'counter'],
      ] as const) {
        assert.match(text, new RegExp(`^# HELP ${figure} .+$`, 'm'))
        assert.match(text, new RegExp(`^# TYPE ${figure} ${type}$`, 'm'))
        assert.match(text, new RegExp(`^${figure} 0$`, 'm'))
      }
    })
  }

  test('subscribers that are here and that were', async () => {
    await using hub = await startHub({ ...onMain, subscriptions: true })
    const counts = async () => {
      const figures = await readFigures(hub)
      return [figures.get('mercure_subscribers_connected'), figures.get('mercure_subscribers_total')]
    }
    const one = await hub.subscribe('topic=a&topic=b&match=c')
    const two = await hub.subscribe('topic=a')
    assert.deepEqual(await counts(), [2, 2])
    one.close()
    await hub.logged(({ msg, reason }) => msg === 'subscriber left' && reason === 'client closed')
    assert.deepEqual(await counts(), [1, 2])
    await (await fetch(hub.hubUrl)).text()
    await fetch(`${hub.hubUrl}?topic=a`, { method: 'HEAD' })
    assert.deepEqual(await counts(), [1, 2])
    two.close()
  })

  test('updates that were stored: not those refused, and not the events of subscriptions', async () => {
    await using hub = await startHub({ ...onMain, subscriptions: true })
    const token = await signToken({ mercure: { subscribe: ['*'] } })
    const stream = await hub.subscribe('topic=*', { headers: bearer(token) })
    await hub.subscribe('topic=b')
    await stream.take(2)
    await hub.publish({ topic: 'a' })
    await hub.publish({ topic: ['a', 'b', 'c'], private: 'on' })
    await stream.take(2)
    await (await hub.post('data=x')).text()
    await (await hub.post(new URLSearchParams({ topic: 'a' }), { headers: bearer(token) })).text()
    const figures = await readFigures(hub)
    assert.equal(figures.get('mercure_updates_total'), 2)
    // Each event and update for the one that sees all; the second update is private, so that the other gets none.
    assert.equal(figures.get('talaria_deliveries_total'), 4)
    assert.ok(figures.get('talaria_recent_bytes')! > 0)
  })

  test('streams that ended, by the reasons of the log', async () => {
    await using hub = await startHub({ ...onMain, write_timeout: '1500ms', dispatch_timeout: '0s' })
    const token = await signToken({ mercure: {}, exp: Date.now() / 1000 + 1 })
    const expiring = await hub.subscribe('topic=a', { headers: bearer(token) })
    const leaving = await hub.subscribe('topic=a')
    leaving.close()
    const staying = await hub.subscribe('topic=a')
    await Promise.all([expiring.end(), staying.end()])
    await hub.logged(({ reason }) => reason === 'client closed')
    const figures = await readFigures(hub)
    for (const reason of ['token expired', 'write timeout', 'client closed']) {
      assert.equal(figures.get(`talaria_streams_ended_total{reason="${reason}"}`), 1, reason)
      assert.equal(hub.logs.filter(line => line.reason === reason).length, 1, reason)
    }
    assert.equal(figures.get('mercure_subscribers_connected'), 0)
  })

  test('refusals, by their codes, which no client invents', async () => {
    await using hub = await startHub(onMain)
    for (const query of ['', '', 'matchFoo=1', 'matchBar=1', 'match_urlpattern=(']) {
      await (await fetch(`${hub.hubUrl}?${query}`)).text()
    }
    for (const path of ['/a', '/b', '/c?authorization=x']) await (await hub.fetch(path)).text()
    const figures = await readFigures(hub)
    const refused = [...figures].filter(([name]) => name.startsWith('talaria_requests_refused_total'))
    assert.deepEqual(Object.fromEntries(refused), {
      'talaria_requests_refused_total{code="matcher_missing"}': 2,
      'talaria_requests_refused_total{code="matcher_unknown"}': 2,
      'talaria_requests_refused_total{code="matcher_invalid"}': 1,
      'talaria_requests_refused_total{code="not_found"}': 3,
    })
  })

  test('two hubs of one process count each for itself', async () => {
    await using one = await startHub(onMain)
    await using other = await startHub(onMain)
    await one.publish({ topic: 'a' })
    assert.equal((await readFigures(one)).get('mercure_updates_total'), 1)
    assert.equal((await readFigures(other)).get('mercure_updates_total'), 0)
  })

  test('nothing in them comes from topics, tokens or ids', async () => {
    await using hub = await startHub({ ...onMain, subscriptions: true })
    const token = await publisherToken('https://example.com/telltale')
    const stream = await hub.subscribe('topic=https://example.com/telltale')
    const body = new URLSearchParams({ topic: 'https://example.com/telltale', id: 'urn:telltale', type: 'telltale' })
    assert.equal((await hub.post(body, { headers: bearer(token) })).status, 200)
    await stream.take()
    assert.doesNotMatch(await (await hub.fetch('/metrics')).text(), /telltale/)
  })
})
