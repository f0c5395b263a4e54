import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import manifest from '../../../package.json' with { type: 'json' }
import { openTransport } from '../../../transports/index.ts'
import { Collector } from '../../support/collector.ts'
import { startHub, type TestHub } from '../../support/hub.ts'
import { topicMatchers } from '../../support/node.ts'
import { assertRefused } from '../../support/refusal.ts'
import { bearer, readerTokens, readSubscriptions, subscriptionsPath } from '../../support/subscriptions.ts'
import { publisherToken, signAccessToken, signToken, subscriberToken, testIssuer } from '../../support/token.ts'

const debug = '/.well-known/mercure/debug'
const observed = ['hub.json', 'metrics', 'subscribers.json'].map(name => `${debug}/${name}`)

const readDocument = async (hub: TestHub, name: string) =>
  JSON.parse(await (await hub.fetch(`${debug}/${name}`)).text())

suite('what a hub is doing', () => {
  let hub: TestHub
  before(async () => {
    hub = await startHub({ debugger: true, subscriptions: true, issuers: [testIssuer] })
  })
  after(() => hub.close())

  for (const path of observed) {
    test(`${path} is for those who may read the list of subscriptions`, async () => {
      const tokens = await readerTokens(hub)
      const exact = await subscriberToken([subscriptionsPath])
      const exact1 = await signAccessToken(hub.hubUrl, [
        { actions: ['subscribe'], topics: [{ match: subscriptionsPath }] },
      ])
      for (const headers of [
        ...Object.values(tokens).map(bearer),
        ...[exact, exact1].map(bearer),
        { Cookie: `mercureAuthorization=${exact}` },
      ]) {
        const { status, headers: answered, body } = await hub.fetch(path, { headers })
        await body?.cancel()
        assert.deepEqual([status, answered.get('cache-control')], [200, 'no-store'])
      }
    })

    test(`${path} is not for others`, async () => {
      const few = [{ actions: ['subscribe'], topics: [{ match: `${subscriptionsPath}/exact` }] }]
      await assertRefused(await hub.fetch(path), 401, 'token_missing')
      for (const token of [await publisherToken(), await subscriberToken(['https://example.com/books'])])
        await assertRefused(await hub.fetch(path, { headers: bearer(token) }), 401, 'subscribe_not_granted')
      const token = await signAccessToken(hub.hubUrl, few)
      await assertRefused(await hub.fetch(path, { headers: bearer(token) }), 403, 'subscribe_not_granted')
      const foreign = await signToken({ mercure: { subscribe: ['*'] } }, 'another key that has thirty-two bytes')
      await assertRefused(await hub.fetch(path, { headers: bearer(foreign) }), 401, 'token_signature')
    })
  }

  test('is for nobody where no token of a subscriber can be verified', async () => {
    await using open = await startHub({ debugger: true, jwt_key: '', publisher_jwt_key: 'x'.repeat(32) })
    await assertRefused(await open.fetch(`${debug}/hub.json`), 401, 'token_missing')
  })

  test('is for everybody with demo', async () => {
    await using demo = await startHub({ demo: true, subscriptions: true })
    for (const path of observed) {
      const { status, body } = await demo.fetch(path)
      await body?.cancel()
      assert.equal(status, 200)
    }
  })
})

suite('debug/hub.json', () => {
  test('tells of the log, the window, the nodes and the connections', async () => {
    await using hub = await startHub({ demo: true, subscriptions: true, recent: { entries: 5, bytes: '1MiB' } })
    await hub.subscribe('topic=a&topic=b')
    const id = await hub.publish({ topic: 'c' })
    const { node, nodes, recent, uptimeSeconds, ...rest } = await readDocument(hub, 'hub.json')
    assert.match(node, /^[0-9a-f-]{36}$/)
    assert.deepEqual(nodes, [{ id: node, self: true, subscriptions: 2 }])
    assert.deepEqual(Object.keys(recent), ['entries', 'bytes', 'maxEntries', 'maxBytes'])
    assert.ok(recent.entries >= 1 && recent.bytes > 0 && recent.maxBytes === 1 << 20)
    assert.ok(Number.isInteger(uptimeSeconds))
    assert.deepEqual(rest, {
      ...{ version: manifest.version, transport: 'local', connections: 1, waitingBytes: 0, workers: 1 },
      lastEventId: id,
    })
  })

  test('never tells the password of the log', async () => {
    const settings = { demo: true, transport_url: 'redis://user:secret@cache.example:6379/updates' }
    await using hub = await startHub(settings, (_, context) => openTransport(new URL('local://local'), context))
    const text = await (await hub.fetch(`${debug}/hub.json`)).text()
    assert.equal(JSON.parse(text).transport, 'redis')
    assert.doesNotMatch(text, /secret|user|cache/)
  })

  test('has this node alone where nobody is listed', async () => {
    await using hub = await startHub({ demo: true, subscriptions: false })
    const { node, nodes } = await readDocument(hub, 'hub.json')
    assert.deepEqual(nodes, [{ id: node, self: true, subscriptions: 0 }])
    assert.equal((await readDocument(hub, 'hub.json')).node, node)
    await assertRefused(await hub.fetch(`${debug}/subscribers.json`), 404, 'not_found')
  })
})

test('debug/metrics has the figures, though /metrics is off', async () => {
  await using hub = await startHub({ demo: true, metrics_enabled: false })
  await hub.publish({ topic: 'a' })
  const response = await hub.fetch(`${debug}/metrics`)
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=/)
  assert.match(await response.text(), /^mercure_updates_total(\{[^}]*\})? 1$/m)
  await assertRefused(await hub.fetch('/metrics'), 404, 'not_found')
})

test('debug/subscribers.json says at which node a subscriber is', async () => {
  await using hub = await startHub({ demo: true, subscriptions: true })
  await hub.subscribe('topic=a')
  const { document } = await readSubscriptions(hub, subscriptionsPath, await subscriberToken(['*']))
  const [{ subscriber }] = document.subscriptions
  const { node } = await readDocument(hub, 'hub.json')
  assert.deepEqual(await readDocument(hub, 'subscribers.json'), {
    nodes: [node],
    of: { [subscriber]: 0 },
    complete: true,
  })
})

test('debug/subscribers.json has 10,000 at most, and says so', async () => {
  await using hub = await startHub({ demo: true, subscriptions: true })
  const [matchers, signal] = [topicMatchers('a'), new AbortController().signal]
  const subscribe = async () => {
    const cursor = await hub.running.hub.locate(undefined, matchers, signal)
    hub.running.hub.subscribe({ matchers, grant: null, cursor, sink: new Collector() })
  }
  for (let count = 0; count < 10_000; count++) await subscribe()
  const full = await readDocument(hub, 'subscribers.json')
  assert.deepEqual([Object.keys(full.of).length, full.complete], [10_000, true])
  await subscribe()
  const over = await readDocument(hub, 'subscribers.json')
  assert.deepEqual([Object.keys(over.of).length, over.complete], [10_000, false])
})

suite('debug/config.json', () => {
  const configOf = async (settings: Record<string, unknown>) => {
    await using hub = await startHub({ debugger: true, ...settings })
    const response = await hub.fetch(`${debug}/config.json`)
    assert.equal(response.headers.get('cache-control'), 'no-store')
    const { hub: url, ...config } = JSON.parse(await response.text())
    assert.equal(url, hub.hubUrl)
    return config
  }
  const none = { publish: false, subscribe: false }

  test('tells what anybody may know', async () => {
    assert.deepEqual(await configOf({}), {
      version: manifest.version,
      generations: ['1.0', '0.x'],
      tokens: ['0.x'],
      demo: false,
      anonymous: true,
      subscriptions: false,
      cookieNames: { '0.x': 'mercureAuthorization', '1.0': '__Secure-mercure_access_token' },
      canMint: false,
      mint: { '0.x': none, '1.0': none },
      canPublishByCookie: false,
      workers: 1,
    })
  })

  test('tells of a hub that is set differently', async () => {
    const config = await configOf({
      ...{ demo: true, protocol: '1.0', jwt_key: '', issuers: [testIssuer], allow_anonymous: false },
      ...{ subscriptions: true, cookie_name: 'token', publish_allowed_origins: ['http://127.0.0.1:*'] },
    })
    const { generations, tokens, demo, anonymous, subscriptions, cookieNames, canPublishByCookie } = config
    assert.deepEqual([generations, tokens], [['1.0'], ['1.0']])
    assert.deepEqual([demo, anonymous, subscriptions, canPublishByCookie], [true, false, true, true])
    assert.deepEqual(cookieNames, { '0.x': 'token', '1.0': 'token' })
  })
})
