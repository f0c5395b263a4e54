import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Generation } from '../../src/protocol/generation.ts'
import { type Grant, readGrant0x, readGrant1, authorizationDetailType as type } from '../../src/protocol/grant.ts'
import type { MatcherKind } from '../../src/protocol/matcher.ts'
import {
  countDocument,
  createSubscriptions,
  formatCollection,
  formatDocument,
  type Subscription,
  subscriptionDocument,
  subscriptionEvent,
} from '../../src/protocol/subscription.ts'
import { compile } from '../support/authentication.ts'

const api = '/.well-known/mercure/subscriptions'
const subscriber = 'urn:uuid:bb3de268-05b0-4c65-b44e-8f9acefc29d6'
const encodedSubscriber = 'urn%3Auuid%3Abb3de268-05b0-4c65-b44e-8f9acefc29d6'

const subscribe = (matchers: [MatcherKind, string][], grant: Grant | null = null): Subscription[] =>
  createSubscriptions(
    subscriber,
    matchers.map(([kind, pattern]) => compile(kind, pattern)),
    grant,
  )

const subscribeOnce = (kind: MatcherKind, pattern: string, grant?: Grant | null): Subscription => {
  const [subscription, ...more] = subscribe([[kind, pattern]], grant)
  assert.equal(more.length, 0)
  return subscription!
}

describe('the path that addresses a subscription', () => {
  const cases: { name: string; kind: MatcherKind; pattern: string; path: string }[] = [
    {
      name: '1.0: the example of the specification',
      kind: 'urlpattern',
      pattern: 'https://example.com/:selector',
      path: '/urlpattern/https%3A%2F%2Fexample.com%2F%3Aselector/',
    },
    {
      name: '1.0: an exact matcher',
      kind: 'exact',
      pattern: 'https://a.example/1',
      path: '/exact/https%3A%2F%2Fa.example%2F1/',
    },
    { name: '1.0: a space is %20', kind: 'exact', pattern: 'a b', path: '/exact/a%20b/' },
    { name: '1.0: a plus is %2B', kind: 'exact', pattern: 'a+b', path: '/exact/a%2Bb/' },
    {
      name: '1.0: every reserved character of RFC 3986',
      kind: 'exact',
      pattern: ":/?#[]@!$&'()*+,;=",
      path: '/exact/%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D/',
    },
    { name: '1.0: no unreserved character', kind: 'exact', pattern: 'AZaz09-._~', path: '/exact/AZaz09-._~/' },
    {
      name: '1.0: what is encoded already is encoded once more, as a whole',
      kind: 'exact',
      pattern: 'a%2Fb',
      path: '/exact/a%252Fb/',
    },
    { name: '1.0: UTF-8', kind: 'exact', pattern: 'é😀', path: '/exact/%C3%A9%F0%9F%98%80/' },
    { name: '1.0: the wildcard', kind: 'exact', pattern: '*', path: '/exact/%2A/' },
    { name: '1.0: the empty value', kind: 'exact', pattern: '', path: '/exact//' },
    {
      name: '0.x: a template',
      kind: 'topic',
      pattern: 'https://example.com/{id}',
      path: '/https%3A%2F%2Fexample.com%2F%7Bid%7D/',
    },
    { name: '0.x: a space is +', kind: 'topic', pattern: 'a b', path: '/a+b/' },
    { name: '0.x: a plus is %2B', kind: 'topic', pattern: 'a+b', path: '/a%2Bb/' },
    {
      name: '0.x: every reserved character of RFC 3986',
      kind: 'topic',
      pattern: ":/?#[]@!$&'()*+,;=",
      path: '/%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D/',
    },
    { name: '0.x: no unreserved character', kind: 'topic', pattern: 'AZaz09-._~', path: '/AZaz09-._~/' },
    { name: '0.x: UTF-8', kind: 'topic', pattern: 'é😀', path: '/%C3%A9%F0%9F%98%80/' },
    { name: '0.x: control characters', kind: 'topic', pattern: 'a\r\n\0b', path: '/a%0D%0A%00b/' },
    { name: '0.x: a topic named like a match type', kind: 'topic', pattern: 'exact', path: '/exact/' },
  ]
  for (const { name, kind, pattern, path } of cases) {
    test(name, () => {
      const { id, generation } = subscribeOnce(kind, pattern)
      assert.equal(id, `${api}${path}${encodedSubscriber}`)
      assert.equal(generation, kind === 'topic' ? '0.x' : '1.0')
    })
  }

  const scalarValue = fc.integer({ min: 0, max: 0x10ffff }).filter(value => value < 0xd800 || value > 0xdfff)

  test('any pattern is one segment of unreserved characters and escapes, and comes back whole', () => {
    fc.assert(
      fc.property(
        fc.array(scalarValue).map(values => String.fromCodePoint(...values)),
        pattern => {
          const { id } = subscribeOnce('topic', pattern)
          const [, segment = ''] =
            /^\/\.well-known\/mercure\/subscriptions\/((?:[\w.~+-]|%[0-9A-F]{2})*)\/[^/]+$/.exec(id) ?? []
          assert.equal(new URLSearchParams(`topic=${segment}`).get('topic'), pattern)
        },
      ),
    )
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 50 }), pattern => {
        const { id } = subscribeOnce('exact', pattern)
        const [, segment = ''] =
          /^\/\.well-known\/mercure\/subscriptions\/exact\/((?:[\w.~-]|%[0-9A-F]{2})*)\/[^/]+$/.exec(id) ?? []
        assert.equal(decodeURIComponent(segment), pattern)
      }),
    )
  })
})

test('one subscription for each distinct matcher, in the order of the request', () => {
  const subscriptions = subscribe([
    ['exact', 'a'],
    ['urlpattern', 'a'],
    ['exact', 'b'],
    ['exact', 'a'],
    ['topic', 'a'],
    ['topic', 'a'],
  ])
  assert.deepEqual(
    subscriptions.map(({ kind, pattern }) => `${kind} ${pattern}`),
    ['exact a', 'urlpattern a', 'exact b', 'topic a'],
  )
  assert.equal(new Set(subscriptions.map(({ id }) => id)).size, 4)
})

describe('payloads', () => {
  const legacy = (claim: object) => readGrant0x({ mercure: claim }, compile)
  const current = (...details: object[]) =>
    readGrant1({ authorization_details: details.map(detail => ({ type, actions: ['subscribe'], ...detail })) }, compile)

  const cases: { name: string; grant: Grant | null; kind: MatcherKind; pattern: string; payload: unknown }[] = [
    { name: 'anonymous: none', grant: null, kind: 'exact', pattern: 'a', payload: undefined },
    {
      name: '0.x: that of the claim, on every subscription',
      grant: legacy({ payload: { user: 1 } }),
      kind: 'topic',
      pattern: 'a',
      payload: { user: 1 },
    },
    {
      name: '0.x: that of the claim, on subscriptions of 1.0 too',
      grant: legacy({ payload: { user: 1 } }),
      kind: 'exact',
      pattern: 'a',
      payload: { user: 1 },
    },
    {
      name: '0.x: of a token that grants no topic, too',
      grant: legacy({ subscribe: [], payload: 'x' }),
      kind: 'topic',
      pattern: 'a',
      payload: 'x',
    },
    { name: '0.x: none', grant: legacy({ subscribe: ['*'] }), kind: 'topic', pattern: 'a', payload: undefined },
    { name: '0.x: null is none', grant: legacy({ payload: null }), kind: 'topic', pattern: 'a', payload: undefined },
    { name: '0.x: false is one', grant: legacy({ payload: false }), kind: 'topic', pattern: 'a', payload: false },
    {
      name: '1.0: that of the first detail whose topics match',
      grant: current(
        { topics: [{ match: 'b' }], payload: 1 },
        { topics: [{ match: 'a' }], payload: 2 },
        { topics: [{ match: '*' }], payload: 3 },
      ),
      kind: 'exact',
      pattern: 'a',
      payload: 2,
    },
    {
      name: '1.0: the wildcard is a default',
      grant: current({ topics: [{ match: 'b' }], payload: 1 }, { topics: [{ match: '*' }], payload: 3 }),
      kind: 'exact',
      pattern: 'a',
      payload: 3,
    },
    {
      name: '1.0: a broad detail before a specific one masks it',
      grant: current({ topics: [{ match: '*' }], payload: 3 }, { topics: [{ match: 'a' }], payload: 2 }),
      kind: 'exact',
      pattern: 'a',
      payload: 3,
    },
    {
      name: '1.0: a URL Pattern of a detail matches an exact matcher',
      grant: current({ topics: [{ match: 'https://example.com/bar/:id', match_type: 'urlpattern' }], payload: 1 }),
      kind: 'exact',
      pattern: 'https://example.com/bar/1',
      payload: 1,
    },
    {
      name: '1.0: a URL Pattern of a detail matches the same URL Pattern, taken as a topic',
      grant: current({ topics: [{ match: 'https://example.com/bar/:id', match_type: 'urlpattern' }], payload: 1 }),
      kind: 'urlpattern',
      pattern: 'https://example.com/bar/:id',
      payload: 1,
    },
    {
      name: '1.0: an exact topic of a detail matches a URL Pattern of the same text',
      grant: current({ topics: [{ match: '/a/:id' }], payload: 1 }),
      kind: 'urlpattern',
      pattern: '/a/:id',
      payload: 1,
    },
    {
      name: '1.0: a detail that does not match gives none',
      grant: current({ topics: [{ match: 'b' }], payload: 1 }),
      kind: 'exact',
      pattern: 'a',
      payload: undefined,
    },
    {
      name: '1.0: details that only publish give none',
      grant: current({ actions: ['publish'], topics: [{ match: '*' }], payload: 1 }),
      kind: 'exact',
      pattern: 'a',
      payload: undefined,
    },
    {
      name: '1.0: on a subscription of 0.x by its selector',
      grant: current({ topics: [{ match: 'https://a.example/{id}' }], payload: 1 }),
      kind: 'topic',
      pattern: 'https://a.example/{id}',
      payload: 1,
    },
  ]
  for (const { name, grant, kind, pattern, payload } of cases) {
    test(name, () => {
      const subscription = subscribeOnce(kind, pattern, grant)
      assert.deepEqual(subscription.payload, payload)
      const document = JSON.parse(formatDocument(subscriptionDocument(subscription)))
      assert.deepEqual(document.payload, payload)
      assert.equal('payload' in document, payload !== undefined)
    })
  }
})

describe('documents', () => {
  const grant = readGrant0x({ mercure: { payload: { user: 1 } } }, compile)
  const current = subscribeOnce('exact', 'a', grant)
  const legacy = subscribeOnce('topic', 'a', grant)

  test('1.0: one subscription', () => {
    assert.deepEqual(subscriptionDocument(current, { lastEventId: 'urn:1' }), {
      id: `${api}/exact/a/${encodedSubscriber}`,
      type: 'subscription',
      subscriber,
      match: 'a',
      match_type: 'exact',
      active: true,
      payload: { user: 1 },
    })
  })

  test('0.x: one subscription, with its context and the last event id', () => {
    assert.deepEqual(subscriptionDocument(legacy, { lastEventId: 'urn:1' }), {
      '@context': 'https://mercure.rocks/',
      id: `${api}/a/${encodedSubscriber}`,
      type: 'Subscription',
      subscriber,
      topic: 'a',
      active: true,
      lastEventID: 'urn:1',
      payload: { user: 1 },
    })
  })

  /** The pieces of a collection that comes in these batches. */
  const piecesOf = (generation: Generation, ...batches: Subscription[][]): Promise<string[]> =>
    Array.fromAsync(formatCollection(generation, api, 'urn:1', Readable.from(batches)))

  test('1.0: a collection', async () => {
    const [text = ''] = await piecesOf('1.0', [current])
    assert.deepEqual(JSON.parse(text), {
      id: api,
      type: 'subscriptions',
      subscriptions: [subscriptionDocument(current)],
    })
  })

  test('0.x: a collection has context and last event id once, its items have neither', async () => {
    const { '@context': _, ...item } = subscriptionDocument(legacy) as Record<string, unknown>
    const [text = ''] = await piecesOf('0.x', [legacy])
    assert.deepEqual(JSON.parse(text), {
      '@context': 'https://mercure.rocks/',
      id: api,
      type: 'Subscriptions',
      lastEventID: 'urn:1',
      subscriptions: [item],
    })
  })

  test('an empty collection is a list', async () => {
    for (const generation of ['0.x', '1.0'] satisfies Generation[]) {
      for (const batches of [[], [[]], [[], []]]) {
        const text = (await piecesOf(generation, ...batches)).join('')
        assert.deepEqual(JSON.parse(text).subscriptions, [])
        assert.equal(text, formatDocument(JSON.parse(text)))
      }
    }
  })

  test('a collection is the same text, whatever the batches: that of its document', async () => {
    const subscription = fc.record({
      id: fc.string(),
      subscriber: fc.string({ unit: 'binary' }),
      pattern: fc.string({ unit: 'binary' }),
      payload: fc.option(fc.jsonValue(), { nil: undefined }),
    })
    const batches = fc.array(fc.array(subscription, { maxLength: 5 }), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom<Generation>('0.x', '1.0'), batches, async (generation, given) => {
        const kind: MatcherKind = generation === '0.x' ? 'topic' : 'exact'
        const all = given.map(batch => batch.map(one => ({ ...one, generation, kind, active: true })))
        const text = (await piecesOf(generation, ...all)).join('')
        const items = all.flat().map(one => {
          const { '@context': _, ...item } = subscriptionDocument(one) as Record<string, unknown>
          return item
        })
        const document =
          generation === '1.0'
            ? { id: api, type: 'subscriptions', subscriptions: items }
            : {
                '@context': 'https://mercure.rocks/',
                id: api,
                type: 'Subscriptions',
                lastEventID: 'urn:1',
                subscriptions: items,
              }
        assert.equal(text, formatDocument(document))
      }),
    )
  })

  test('a long collection comes in pieces', async () => {
    const batch = Array<Subscription>(200).fill({ ...current, payload: 'x'.repeat(1000) })
    const pieces = await piecesOf('1.0', batch, batch, batch)
    assert.equal(pieces.length, 3)
    assert.equal(JSON.parse(pieces.join('')).subscriptions.length, 600)
  })

  test('a count takes the place of the list', () => {
    assert.deepEqual(countDocument('1.0', api, 'urn:1', 3), { id: api, type: 'subscriptions', count: 3 })
    assert.deepEqual(countDocument('0.x', api, 'urn:1', 3), {
      '@context': 'https://mercure.rocks/',
      id: api,
      type: 'Subscriptions',
      lastEventID: 'urn:1',
      count: 3,
    })
  })

  test('text: two spaces, and nothing that could end a script or a line of one', () => {
    const text = formatDocument({ a: '</script><!-- & \u2028 \u2029 "\\' })
    assert.equal(text, '{\n  "a": "\\u003c/script\\u003e\\u003c!-- \\u0026 \\u2028 \\u2029 \\"\\\\"\n}')
    assert.equal(JSON.parse(text).a, '</script><!-- & \u2028 \u2029 "\\')
  })
})

describe('events', () => {
  const cases: { generation: Generation; kind: MatcherKind; type: string }[] = [
    { generation: '1.0', kind: 'exact', type: 'mercure' },
    { generation: '1.0', kind: 'urlpattern', type: 'mercure' },
    { generation: '0.x', kind: 'topic', type: '' },
  ]
  for (const { generation, kind, type } of cases) {
    for (const active of [true, false]) {
      test(`${generation}: ${kind}, ${active ? 'arriving' : 'leaving'}`, () => {
        const subscription = { ...subscribeOnce(kind, 'a'), active }
        const { data, ...rest } = subscriptionEvent(subscription, 'urn:uuid:1')
        assert.deepEqual(rest, { id: 'urn:uuid:1', topics: [subscription.id], type, retry: 0, private: true })
        assert.equal(data, formatDocument(subscriptionDocument(subscription)))
        const document = JSON.parse(data)
        assert.equal(document.active, active)
        assert.equal(document.id, subscription.id)
        assert.equal('lastEventID' in document, false)
      })
    }
  }
})
