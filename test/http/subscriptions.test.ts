import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Generation } from '../../src/protocol/generation.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { bearer, encodeSegment, readerTokens, readSubscriptions, subscriptionsPath } from '../support/subscriptions.ts'
import { signAccessToken, subscriberToken, testIssuer, testKey } from '../support/token.ts'

suite('documents', () => {
  let hub: TestHub
  let tokens: Record<Generation, string>
  const payload = { html: '</script><b>&\u2028', n: [1] }
  before(async () => {
    hub = await startHub({ subscriptions: true, issuers: [testIssuer] })
    tokens = await readerTokens(hub)
    const old = await subscriberToken([], payload)
    await hub.subscribe('topic=https%3A%2F%2Fexample.com%2F%7Bid%7D&topic=a+b&topic=', { headers: bearer(old) })
    const current = await signAccessToken(hub.hubUrl, [
      { actions: ['subscribe'], topics: [{ match: 'a b' }], payload },
      { actions: ['subscribe'], topics: [{ match: '*' }], payload: 'default' },
    ])
    await hub.subscribe(
      'match=a+b&match=&match=*&match_urlpattern=https%3A%2F%2Fexample.com%2F%3Aid&match_urlpattern=/books/(%5Cd%2B)',
      { headers: bearer(current) },
    )
    await hub.subscribe('match=a+b&topic=a+b')
  })
  after(() => hub.close())

  const idsOf = (document: { subscriptions: { id: string }[] }): string[] =>
    document.subscriptions.map(({ id }) => id.slice(subscriptionsPath.length, id.lastIndexOf('/')))

  test('1.0: the collection, as text', async () => {
    const { status, headers, text, document } = await readSubscriptions(hub, subscriptionsPath, tokens['1.0'])
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'application/json')
    const [first] = document.subscriptions
    const subscriber = first.subscriber
    assert.match(subscriber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const beginning = `{
  "id": "/.well-known/mercure/subscriptions",
  "type": "subscriptions",
  "subscriptions": [
    {
      "id": "/.well-known/mercure/subscriptions/exact/a%20b/${encodeSegment(subscriber)}",
      "type": "subscription",
      "subscriber": "${subscriber}",
      "match": "a b",
      "match_type": "exact",
      "active": true,
      "payload": {
        "html": "\\u003c/script\\u003e\\u003cb\\u003e\\u0026\\u2028",
        "n": [
          1
        ]
      }
    },
    {`
    assert.equal(text.slice(0, beginning.length), beginning)
  })

  test('0.x: the collection, as text', async () => {
    const { status, headers, text, document } = await readSubscriptions(hub, subscriptionsPath, tokens['0.x'])
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'application/ld+json')
    const [first] = document.subscriptions
    const beginning = `{
  "@context": "https://mercure.rocks/",
  "id": "/.well-known/mercure/subscriptions",
  "type": "Subscriptions",
  "lastEventID": "${hub.running.hub.lastEventId}",
  "subscriptions": [
    {
      "id": "/.well-known/mercure/subscriptions/https%3A%2F%2Fexample.com%2F%7Bid%7D/${encodeSegment(first.subscriber)}",
      "type": "Subscription",
      "subscriber": "${first.subscriber}",
      "topic": "https://example.com/{id}",
      "active": true,
      "payload": {
        "html": "\\u003c/script\\u003e\\u003cb\\u003e\\u0026\\u2028",
        "n": [
          1
        ]
      }
    },
    {`
    assert.equal(text.slice(0, beginning.length), beginning)
  })

  test('a collection lists the subscriptions of its generation, those of one subscriber together and in order', async () => {
    assert.deepEqual(idsOf((await readSubscriptions(hub, subscriptionsPath, tokens['1.0'])).document), [
      '/exact/a%20b',
      '/exact/',
      '/exact/%2A',
      '/urlpattern/https%3A%2F%2Fexample.com%2F%3Aid',
      '/urlpattern/%2Fbooks%2F%28%5Cd%2B%29',
      '/exact/a%20b',
    ])
    assert.deepEqual(idsOf((await readSubscriptions(hub, subscriptionsPath, tokens['0.x'])).document), [
      '/https%3A%2F%2Fexample.com%2F%7Bid%7D',
      '/a+b',
      '/',
      '/a+b',
    ])
  })

  test('a payload is shown where the token has one for the subscription', async () => {
    const current = (await readSubscriptions(hub, subscriptionsPath, tokens['1.0'])).document.subscriptions
    assert.deepEqual(
      current.map(({ payload }: { payload: unknown }) => payload),
      [payload, 'default', 'default', 'default', 'default', undefined],
    )
    const old = (await readSubscriptions(hub, subscriptionsPath, tokens['0.x'])).document.subscriptions
    assert.deepEqual(
      old.map(({ payload }: { payload: unknown }) => payload),
      [payload, payload, payload, undefined],
    )
  })

  for (const generation of ['0.x', '1.0'] satisfies Generation[]) {
    test(`${generation}: every listed id answers with that subscription`, async () => {
      const { document } = await readSubscriptions(hub, subscriptionsPath, tokens[generation])
      assert.ok(document.subscriptions.length > 3)
      for (const item of document.subscriptions) {
        const one = await readSubscriptions(hub, item.id, tokens[generation])
        assert.equal(one.status, 200, one.text)
        const added =
          generation === '0.x' ? { '@context': 'https://mercure.rocks/', lastEventID: hub.running.hub.lastEventId } : {}
        assert.deepEqual(one.document, { ...item, ...added })
        assert.equal(one.headers.get('content-type'), generation === '0.x' ? 'application/ld+json' : 'application/json')
      }
    })
  }

  const filtered: { name: string; path: string; generation: Generation; count: number; id?: string }[] = [
    { name: '1.0: an exact matcher', path: '/exact/a%20b', generation: '1.0', count: 2 },
    { name: '1.0: an exact matcher whose type differs', path: '/urlpattern/a%20b', generation: '1.0', count: 0 },
    { name: '1.0: a plus is a plus', path: '/exact/a+b', generation: '1.0', count: 0 },
    { name: '1.0: the wildcard is a matcher like others', path: '/exact/*', generation: '1.0', count: 1 },
    { name: '1.0: a URL Pattern', path: '/urlpattern/https%3A%2F%2Fexample.com%2F%3Aid', generation: '1.0', count: 1 },
    {
      name: '1.0: a URL Pattern does not match here, it is compared',
      path: '/urlpattern/https%3A%2F%2Fexample.com%2F1',
      generation: '1.0',
      count: 0,
    },
    {
      name: '1.0: the query is no part of the id',
      path: '/exact/a%20b?x=1',
      generation: '1.0',
      count: 2,
      id: '/exact/a%20b',
    },
    { name: '0.x: a topic, with a plus for the space', path: '/a+b', generation: '0.x', count: 2 },
    { name: '0.x: a topic, with %20 for the space', path: '/a%20b', generation: '0.x', count: 2 },
    { name: '0.x: a template', path: '/https%3A%2F%2Fexample.com%2F%7Bid%7D', generation: '0.x', count: 1 },
    { name: '0.x: a topic that nobody subscribed to', path: '/nobody', generation: '0.x', count: 0 },
    { name: '0.x: the query is a part of the id', path: '/a+b?x=1', generation: '0.x', count: 2 },
  ]
  for (const { name, path, generation, count, id = path } of filtered) {
    test(`filtered, ${name}`, async () => {
      for (const token of Object.values(tokens)) {
        const { status, document, headers } = await readSubscriptions(hub, subscriptionsPath + path, token)
        assert.equal(status, 200)
        assert.equal(document.id, subscriptionsPath + id)
        assert.equal(document.type, generation === '0.x' ? 'Subscriptions' : 'subscriptions')
        assert.equal(document.subscriptions.length, count)
        assert.equal(headers.get('content-type'), generation === '0.x' ? 'application/ld+json' : 'application/json')
        assert.equal('lastEventID' in document, generation === '0.x')
      }
    })
  }

  test('0.x: the query is a part of the id of the collection', async () => {
    assert.equal(
      (await readSubscriptions(hub, `${subscriptionsPath}?x=1`, tokens['0.x'])).document.id,
      `${subscriptionsPath}?x=1`,
    )
    assert.equal(
      (await readSubscriptions(hub, `${subscriptionsPath}?x=1`, tokens['1.0'])).document.id,
      subscriptionsPath,
    )
  })

  const somebody = encodeSegment('urn:uuid:00000000-0000-4000-8000-000000000000')
  const refusals: {
    name: string
    path: string
    method?: string
    status: Partial<Record<Generation, number>>
    code: string
  }[] = [
    {
      name: 'an unknown subscriber, 1.0',
      path: `/exact/a%20b/${somebody}`,
      status: { '0.x': 404, '1.0': 404 },
      code: 'not_found',
    },
    { name: 'an unknown subscriber, 0.x', path: `/a+b/${somebody}`, status: { '0.x': 404 }, code: 'not_found' },
    { name: 'an unknown match type', path: '/regexp/a', status: { '1.0': 400 }, code: 'subscription_path_invalid' },
    {
      name: 'an unknown match type with a subscriber',
      path: `/regexp/a/${somebody}`,
      status: { '0.x': 400, '1.0': 400 },
      code: 'subscription_path_invalid',
    },
    { name: 'a match type in capitals', path: '/EXACT/a', status: { '1.0': 400 }, code: 'subscription_path_invalid' },
    { name: 'an unknown match type is a topic of 0.x', path: '/regexp/a', status: { '0.x': 404 }, code: 'not_found' },
    {
      name: 'a broken escape',
      path: '/exact/a%zz',
      status: { '0.x': 400, '1.0': 400 },
      code: 'subscription_path_invalid',
    },
    {
      name: 'an escape cut short',
      path: '/exact/a%2',
      status: { '0.x': 400, '1.0': 400 },
      code: 'subscription_path_invalid',
    },
    {
      name: 'an escape of what is no UTF-8',
      path: '/exact/%FF',
      status: { '0.x': 400, '1.0': 400 },
      code: 'subscription_path_invalid',
    },
    {
      name: 'a broken escape of the subscriber',
      path: '/exact/a/%zz',
      status: { '0.x': 400, '1.0': 400 },
      code: 'subscription_path_invalid',
    },
    { name: 'a trailing slash', path: '/', status: { '0.x': 404, '1.0': 404 }, code: 'not_found' },
    {
      name: 'a segment too many',
      path: `/exact/a/${somebody}/x`,
      status: { '0.x': 404, '1.0': 404 },
      code: 'not_found',
    },
    { name: 'POST', path: '', method: 'POST', status: { '0.x': 405, '1.0': 405 }, code: 'method_not_allowed' },
    {
      name: 'DELETE of one',
      path: `/exact/a/${somebody}`,
      method: 'DELETE',
      status: { '0.x': 405, '1.0': 405 },
      code: 'method_not_allowed',
    },
  ]
  for (const { name, path, method = 'GET', status, code } of refusals) {
    for (const [generation, expected] of Object.entries(status) as [Generation, number][]) {
      test(`${name}, with a token of ${generation}: ${expected}`, async () => {
        const response = await hub.fetch(subscriptionsPath + path, { method, headers: bearer(tokens[generation]) })
        const text = await response.text()
        assert.equal(response.status, expected, text)
        assert.match(text, new RegExp(`^${code}: `))
        assert.equal(response.headers.get('allow'), expected === 405 ? 'GET, HEAD' : null)
        for (const header of ['etag', 'link', 'www-authenticate']) assert.equal(response.headers.get(header), null)
      })
    }
  }

  test('0.x: a broken escape names nothing', async () => {
    const one = await readSubscriptions(hub, `${subscriptionsPath}/a%zz/${somebody}`, tokens['0.x'])
    assert.equal(one.status, 404)
  })

  test('HEAD: the headers of GET, and no body', async () => {
    for (const token of Object.values(tokens)) {
      const get = await readSubscriptions(hub, subscriptionsPath, token)
      const head = await hub.fetch(subscriptionsPath, { method: 'HEAD', headers: bearer(token) })
      assert.equal(head.status, 200)
      assert.equal(await head.text(), '')
      for (const name of ['content-type', 'etag', 'link']) assert.equal(head.headers.get(name), get.headers.get(name))
    }
  })
})

suite('which generation the bare collection is of', () => {
  const cases: { name: string; protocol?: string; accept?: string; generation: Generation }[] = [
    { name: 'without a token: 1.0', generation: '1.0' },
    { name: 'without a token, anything accepted: 1.0', accept: '*/*', generation: '1.0' },
    { name: 'without a token, JSON accepted: 1.0', accept: 'application/json', generation: '1.0' },
    { name: 'without a token, JSON-LD accepted: 0.x', accept: 'application/ld+json', generation: '0.x' },
    {
      name: 'without a token, JSON-LD accepted among others: 0.x',
      accept: 'Application/LD+JSON;q=0.9, text/html',
      generation: '0.x',
    },
    { name: 'pinned to 0.x', protocol: '0.x', accept: 'application/json', generation: '0.x' },
  ]
  for (const { name, protocol = 'auto', accept, generation } of cases) {
    test(name, async () => {
      await using hub = await startHub({
        subscriptions: true,
        protocol,
        jwt_key: undefined,
        publisher_jwt_key: testKey,
      })
      await hub.subscribe('topic=a')
      const { status, headers, document } = await readSubscriptions(
        hub,
        subscriptionsPath,
        undefined,
        accept === undefined ? {} : { Accept: accept },
      )
      assert.equal(status, 200)
      assert.equal(headers.get('content-type'), generation === '0.x' ? 'application/ld+json' : 'application/json')
      assert.equal(document.subscriptions.length, generation === '0.x' ? 1 : 0)
    })
  }

  test('a token decides, whatever is accepted', async () => {
    await using hub = await startHub({ subscriptions: true, issuers: [testIssuer] })
    for (const [generation, Accept] of [
      ['0.x', 'application/json'],
      ['1.0', 'application/ld+json'],
    ] as const) {
      const { document } = await readSubscriptions(hub, subscriptionsPath, (await readerTokens(hub))[generation], {
        Accept,
      })
      assert.equal('@context' in document, generation === '0.x')
    }
  })

  test('pinned to 0.x: two segments are a topic and a subscriber, three are nothing', async () => {
    await using hub = await startHub({ subscriptions: true, protocol: '0.x' })
    const token = (await readerTokens(hub))['0.x']
    await hub.subscribe('topic=exact')
    const { subscriber } = (await readSubscriptions(hub, subscriptionsPath, token)).document.subscriptions[0]
    assert.equal(
      (await readSubscriptions(hub, `${subscriptionsPath}/exact/${encodeSegment(subscriber)}`, token)).document.topic,
      'exact',
    )
    assert.equal((await readSubscriptions(hub, `${subscriptionsPath}/exact/a`, token)).status, 404)
    assert.equal((await readSubscriptions(hub, `${subscriptionsPath}/regexp/a`, token)).status, 404)
    assert.equal(
      (await readSubscriptions(hub, `${subscriptionsPath}/exact/a/${encodeSegment(subscriber)}`, token)).status,
      404,
    )
  })

  test('pinned to 1.0: one segment is nothing, two must begin with a match type', async () => {
    await using hub = await startHub({ subscriptions: true, protocol: '1.0', issuers: [testIssuer] })
    const token = (await readerTokens(hub))['1.0']
    assert.equal(
      (await readSubscriptions(hub, subscriptionsPath, token, { Accept: 'application/ld+json' })).headers.get(
        'content-type',
      ),
      'application/json',
    )
    assert.equal((await readSubscriptions(hub, `${subscriptionsPath}/a`, token)).status, 404)
    assert.equal((await readSubscriptions(hub, `${subscriptionsPath}/a/b`, token)).status, 400)
    assert.equal((await readSubscriptions(hub, `${subscriptionsPath}/exact/b`, token)).status, 200)
  })

  test('of both: a topic of 0.x that is called like a match type is found by its subscriber', async () => {
    await using hub = await startHub({ subscriptions: true, issuers: [testIssuer] })
    await hub.subscribe('topic=exact')
    const old = (await readerTokens(hub))['0.x']
    const { id } = (await readSubscriptions(hub, subscriptionsPath, old)).document.subscriptions[0]
    for (const token of [old, (await readerTokens(hub))['1.0']]) {
      const { document } = await readSubscriptions(hub, id, token)
      assert.equal(document.topic, 'exact')
      assert.equal(document.id, id)
    }
  })
})
