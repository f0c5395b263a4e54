import assert from 'node:assert/strict'
import { afterEach, beforeEach, suite, test } from 'node:test'
import type { Generation } from '../../src/protocol/generation.ts'
import { LogDirectory } from '../support/bolt.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import {
  assertSilent,
  bearer,
  documentOf,
  encodeSegment,
  readerTokens,
  readSubscriptions,
  subscriptionsPath,
} from '../support/subscriptions.ts'
import { publisherToken, signAccessToken, signToken, subscriberToken, testIssuer } from '../support/token.ts'

suite('events', () => {
  let hub: TestHub
  let tokens: Record<Generation, string>
  beforeEach(async () => {
    hub = await startHub({ subscriptions: true, issuers: [testIssuer] })
    tokens = await readerTokens(hub)
  })
  afterEach(() => hub.close())

  const watching: Record<Generation, string> = {
    '0.x': `topic=${encodeSegment(`${subscriptionsPath}/{topic}/{subscriber}`)}`,
    '1.0': `match_urlpattern=${encodeSegment(`${subscriptionsPath}/:match_type/:match/:subscriber`)}`,
  }
  /** The matchers of the subscriber that is watched. */
  const watched: Record<Generation, { query: string; patterns: string[] }> = {
    '0.x': {
      query: 'topic=one&topic=a%20b&topic=https%3A%2F%2Fexample.com%2F%7Bid%7D',
      patterns: ['one', 'a b', 'https://example.com/{id}'],
    },
    '1.0': {
      query: 'match=one&match_exact=a%20b&match_urlpattern=/books/:id&match=one',
      patterns: ['one', 'a b', '/books/:id'],
    },
  }

  for (const generation of ['0.x', '1.0'] satisfies Generation[]) {
    const { query, patterns } = watched[generation]
    // `{topic}` matches no "+", which is how 0.x writes the space of "a b": only "*" sees that one.
    const watch = (wildcard: boolean) =>
      hub.subscribe(wildcard ? 'topic=*' : watching[generation], { headers: bearer(tokens[generation]) })

    test(`${generation}: one for each matcher as it comes, and one as it goes`, async () => {
      const watcher = await watch(true)
      await watcher.take()
      const stream = await hub.subscribe(query)
      const arrived = await watcher.take(patterns.length)
      stream.close()
      const left = await watcher.take(patterns.length)
      for (const [events, active] of [
        [arrived, true],
        [left, false],
      ] as const) {
        assert.deepEqual(
          events.map(event => documentOf(event)[generation === '0.x' ? 'topic' : 'match']),
          patterns,
        )
        for (const event of events) {
          const document = documentOf(event)
          assert.equal(document.active, active)
          assert.equal(document.type, generation === '0.x' ? 'Subscription' : 'subscription')
          assert.equal(document['@context'], generation === '0.x' ? 'https://mercure.rocks/' : undefined)
          assert.equal('lastEventID' in document, false)
          assert.equal(event.event, generation === '0.x' ? undefined : 'mercure')
          assert.match(event.id ?? '', /^urn:uuid:[0-9a-f-]{36}$/)
        }
      }
      const documents = [...arrived, ...left].map(documentOf)
      assert.equal(new Set(documents.map(({ subscriber }) => subscriber)).size, 1)
      assert.equal(new Set(documents.map(({ id }) => id)).size, patterns.length)
    })

    test(`${generation}: a watcher sees itself come`, async () => {
      const watcher = await watch(false)
      const document = documentOf((await watcher.take())[0])
      assert.equal(document.active, true)
      const pattern = new URLSearchParams(watching[generation]).values().next().value
      assert.equal(document.topic ?? document.match, pattern)
    })

    test(`${generation}: it is what the list shows`, async () => {
      const watcher = await watch(true)
      await watcher.take()
      const token = await subscriberToken([], { user: '<b>' })
      const stream = await hub.subscribe(query, { headers: bearer(token) })
      for (const event of await watcher.take(patterns.length)) {
        const document = documentOf(event)
        assert.deepEqual(document.payload, { user: '<b>' })
        assert.ok(event.data.includes('"user": "\\u003cb\\u003e"'))
        const one = await readSubscriptions(hub, document.id, tokens[generation])
        if (generation === '1.0') assert.equal(one.text, event.data)
        else {
          const { lastEventID, ...rest } = one.document
          assert.deepEqual(rest, document)
          assert.equal(lastEventID, hub.running.hub.lastEventId)
        }
      }
      stream.close()
      const left = (await watcher.take(patterns.length)).map(documentOf)
      for (const { payload } of left) assert.deepEqual(payload, { user: '<b>' })
      assert.equal((await readSubscriptions(hub, left[0].id, tokens[generation])).status, 404)
    })
  }

  test('each generation gets its own where both subscribe in one request', async () => {
    const watcher = await hub.subscribe('topic=*', { headers: bearer(tokens['0.x']) })
    await watcher.take()
    await hub.subscribe('match=both&topic=both')
    const [first, second] = await watcher.take(2)
    assert.deepEqual(
      [first, second].map(event => [event!.event, documentOf(event).type]),
      [
        ['mercure', 'subscription'],
        [undefined, 'Subscription'],
      ],
    )
  })

  const blind: { name: string; query: string; token?: () => Promise<string> }[] = [
    { name: 'without a token', query: 'topic=*' },
    {
      name: 'with a token for other topics',
      query: 'topic=*',
      token: () => subscriberToken(['https://example.com/{x}']),
    },
    {
      name: 'with a token for the lists but not what is in them',
      query: 'topic=*',
      token: () => subscriberToken([subscriptionsPath, `${subscriptionsPath}/exact/seen`]),
    },
    {
      name: 'with a token for an absolute address of another hub',
      query: 'match=*',
      token: () =>
        signAccessToken(hub.hubUrl, [
          { actions: ['subscribe'], topics: [{ match: 'https://other.example/*', match_type: 'urlpattern' }] },
        ]),
    },
    {
      name: 'with a token that only publishes',
      query: 'match=*',
      token: () => signAccessToken(hub.hubUrl, [{ actions: ['publish'], topics: [{ match: '*' }] }]),
    },
    {
      name: 'that nobody subscribed to',
      query: 'topic=https://example.com/marker',
      token: () => subscriberToken(['*']),
    },
  ]
  for (const { name, query, token } of blind) {
    test(`private: none ${name}`, async () => {
      const witness = await hub.subscribe('match=*', { headers: bearer(tokens['1.0']) })
      const watcher = await hub.subscribe(query, token === undefined ? {} : { headers: bearer(await token()) })
      const seen = await hub.subscribe('match=seen&topic=seen')
      // Of the witness, of the watcher, and the two that the watcher must not see.
      await witness.take(4)
      seen.close()
      await witness.take(2)
      await assertSilent(hub, watcher, 'https://example.com/marker')
    })
  }

  test('private: of those granted alone', async () => {
    const token = await subscriberToken([`${subscriptionsPath}/exact/mine/{subscriber}`])
    const watcher = await hub.subscribe('topic=*', { headers: bearer(token) })
    const others = await hub.subscribe('match=other&topic=mine')
    const mine = await hub.subscribe('match=mine')
    others.close()
    mine.close()
    const [arrived, left] = (await watcher.take(2)).map(documentOf)
    assert.deepEqual([arrived.match, arrived.active, left.match, left.active], ['mine', true, 'mine', false])
  })

  test('history: replayed to those who may see them, as updates are', async () => {
    const marker = await hub.publish({ topic: 'https://example.com/marker' })
    await hub.subscribe('match=past')
    const past = (token?: string) =>
      hub.subscribe(
        `match=*&last_event_id=${encodeSegment(marker)}`,
        token === undefined ? {} : { headers: bearer(token) },
      )
    const watcher = await past(tokens['1.0'])
    assert.equal(documentOf((await watcher.take())[0]).match, 'past')
    const anonymous = await past()
    await assertSilent(hub, anonymous, 'https://example.com/marker')
  })

  test('the end of a stream that the hub ends is announced, too', async () => {
    const watcher = await hub.subscribe('topic=*', { headers: bearer(tokens['0.x']) })
    await watcher.take()
    const token = await signToken({ mercure: { subscribe: [] }, exp: Date.now() / 1000 + 1 })
    const stream = await hub.subscribe('match=brief', { headers: bearer(token) })
    await stream.end()
    const [arrived, left] = (await watcher.take(2)).map(documentOf)
    assert.deepEqual(left, { ...arrived, active: false })
  })

  test('a hub that is stopped leaves no subscription behind in a log that stays', async () => {
    await using directory = await LogDirectory.create()
    const settings = { subscriptions: true, transport_url: `bolt://${directory.file}` }
    const stopped = await startHub(settings)
    await stopped.subscribe('topic=a&match=b')
    const ended = stopped.logged(({ reason }) => reason === 'shutdown')
    await stopped.running.close()
    await ended
    await stopped.close()

    await using started = await startHub(settings)
    assert.equal((await readSubscriptions(started, subscriptionsPath, tokens['0.x'])).document.subscriptions.length, 0)
    const past = await started.subscribe('topic=*&lastEventID=earliest', { headers: bearer(tokens['0.x']) })
    const documents = (await past.take(4)).map(documentOf)
    assert.deepEqual(
      documents.map(({ match, topic, active }) => [match ?? topic, active]),
      [
        ['b', true],
        ['a', true],
        ['b', false],
        ['a', false],
      ],
    )
  })

  const unannounced: { name: string; query: string; init?: RequestInit; status: number }[] = [
    { name: 'HEAD', query: 'match=a', init: { method: 'HEAD' }, status: 200 },
    { name: 'a refused matcher', query: 'match=a&match_urlpattern=(', status: 400 },
    { name: 'no matcher', query: '', status: 400 },
    { name: 'a refused token', query: 'match=a', init: { headers: bearer('x'.repeat(60)) }, status: 401 },
    { name: 'a publish request', query: 'match=a', init: { method: 'POST' }, status: 401 },
  ]
  for (const { name, query, init, status } of unannounced) {
    test(`none of ${name}`, async () => {
      const watcher = await hub.subscribe('topic=*', { headers: bearer(tokens['0.x']) })
      await watcher.take()
      assert.equal((await fetch(`${hub.hubUrl}?${query}`, init)).status, status)
      await assertSilent(hub, watcher, 'https://example.com/marker')
      assert.equal((await readSubscriptions(hub, subscriptionsPath, tokens['1.0'])).document.subscriptions.length, 0)
    })
  }

  test('nobody can publish their like', async () => {
    const token = await signAccessToken(hub.hubUrl, [{ actions: ['publish'], topics: [{ match: '*' }] }])
    for (const [headers, status] of [
      [bearer(token), 400],
      [bearer(await publisherToken()), 403],
    ] as const) {
      const body = new URLSearchParams({ topic: `${subscriptionsPath}/exact/a/b`, data: '{}', private: 'on' })
      assert.equal((await hub.post(body, { headers })).status, status)
    }
    const body = new URLSearchParams({ topic: 'https://example.com/1', type: 'mercure' })
    assert.equal((await hub.post(body, { headers: bearer(token) })).status, 400)
  })
})
