import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { startHub, type TestHub } from '../support/hub.ts'
import { dataReceivedBy, marker } from '../support/marker.ts'
import { signAccessToken, subscriberToken, testIssuer } from '../support/token.ts'

let hub: TestHub
before(async () => {
  hub = await startHub({ issuers: [testIssuer] })
})
after(() => hub.close())

suite('private updates', () => {
  const [a, b, c] = ['https://example.com/a', 'https://example.com/b', 'https://example.com/c']
  const anyOfThem = { '0.x': 'https://example.com/{id}', '1.0': 'https://example.com/:id' }
  type Received = 'private and public' | 'public' | 'none'
  interface Row {
    readonly name: string
    readonly query: string
    /** Grants of the token; `pattern`: one that matches all; `null`: no token. */
    readonly granted: readonly string[] | 'pattern' | null
    /** Of the updates, a private and a public one. */
    readonly topics: string[]
    readonly received: Received
  }
  const rows: readonly Row[] = [
    { name: 'by one topic', query: `topic=${a}`, granted: [a], topics: [a], received: 'private and public' },
    {
      name: 'by topic A, granted by topic B',
      query: `topic=${a}`,
      granted: [b],
      topics: [a, b],
      received: 'private and public',
    },
    {
      name: 'by the alternate, granted by the canonical',
      query: `match=${b}`,
      granted: [c, a],
      topics: [a, b],
      received: 'private and public',
    },
    {
      name: 'granted by a pattern',
      query: `match=${a}`,
      granted: 'pattern',
      topics: [a],
      received: 'private and public',
    },
    {
      name: 'granted by *',
      query: `match_urlpattern=${anyOfThem['1.0']}`,
      granted: ['*'],
      topics: [a],
      received: 'private and public',
    },
    {
      name: 'to all, granted by no topic of theirs',
      query: 'topic=*',
      granted: [c],
      topics: [a, b],
      received: 'public',
    },
    { name: 'granted another topic', query: `topic=${a}`, granted: [b], topics: [a], received: 'public' },
    { name: 'granted nothing', query: `topic=${a}`, granted: [], topics: [a], received: 'public' },
    { name: 'without a token', query: 'match=*', granted: null, topics: [a], received: 'public' },
    {
      name: 'to none of their topics, granted all',
      query: `topic=${a}`,
      granted: ['*'],
      topics: [b],
      received: 'none',
    },
  ]
  const expected = { 'private and public': ['private', 'public'], public: ['public'], none: [] }

  for (const { name, query, granted, topics, received } of rows) {
    for (const generation of ['0.x', '1.0'] as const) {
      test(`subscribed ${name}, token of ${generation}: ${received}, live and replayed`, async () => {
        const token = await tokenOf(generation, granted)
        const headers: Record<string, string> = token === null ? {} : { Authorization: `Bearer ${token}` }
        const from = await hub.publish({ topic: marker })
        const live = await hub.subscribe(`${query}&topic=${marker}`, { headers })
        await hub.publish({ topic: topics, data: 'private', private: 'on' })
        await hub.publish({ topic: topics, data: 'public' })
        const replayed = await hub.subscribe(`${query}&topic=${marker}&lastEventID=${from}`, { headers })
        assert.deepEqual(await dataReceivedBy(hub, live, replayed), [expected[received], expected[received]])
        live.close()
        replayed.close()
      })
    }
  }

  async function tokenOf(generation: '0.x' | '1.0', granted: Row['granted']): Promise<string | null> {
    if (granted === null) return null
    if (generation === '0.x') return await subscriberToken(granted === 'pattern' ? [anyOfThem['0.x']] : [...granted])
    const topics =
      granted === 'pattern'
        ? [{ match: anyOfThem['1.0'], match_type: 'urlpattern' }]
        : granted.map(match => ({ match }))
    return await signAccessToken(hub.hubUrl, topics.length === 0 ? [] : [{ actions: ['subscribe'], topics }])
  }
})
