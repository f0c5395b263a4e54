import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type HubName, type Hubs, page, startHubs } from '../support/generations.ts'
import { assertRefused } from '../support/refusal.ts'
import { bearer } from '../support/subscriptions.ts'
import { publisherToken, signAccessToken, signToken } from '../support/token.ts'

let hubs: Hubs
before(async () => {
  hubs = await startHubs()
})
after(() => hubs.close())

suite('which token', () => {
  /** Where a request has tokens: each grants the topic that is named like its place, and shows it as its payload. */
  type Place = 'header' | 'query' | 'old cookie' | 'current cookie'
  const topicOf = (place: Place) => `https://example.com/${place.replace(' ', '-')}`
  const tokenOf = (place: Place) =>
    signToken({ mercure: { publish: [topicOf(place)], subscribe: ['*'], payload: place } })

  async function requestWith(places: readonly Place[]): Promise<{ query: string; headers: Record<string, string> }> {
    const cookies: string[] = []
    if (places.includes('old cookie')) cookies.push(`mercureAuthorization=${await tokenOf('old cookie')}`)
    if (places.includes('current cookie')) {
      cookies.push(`__Secure-mercure_access_token=${await tokenOf('current cookie')}`)
    }
    return {
      query: places.includes('query') ? `authorization=${await tokenOf('query')}` : '',
      headers: {
        Origin: page,
        Cookie: cookies.join('; '),
        ...(places.includes('header') ? bearer(await tokenOf('header')) : {}),
      },
    }
  }

  const orders: { name: string; parameters: string; order: Place[] }[] = [
    { name: 'topic', parameters: 'topic=a', order: ['header', 'query', 'old cookie', 'current cookie'] },
    { name: 'match', parameters: 'match=a', order: ['header', 'current cookie', 'old cookie'] },
    { name: 'topic and match', parameters: 'topic=a&match=a', order: ['header', 'current cookie', 'old cookie'] },
  ]
  for (const { name, parameters, order } of orders) {
    for (const [index, place] of order.entries()) {
      test(`${name}: the ${place} where there is no ${order.slice(0, index).join(', ') || 'matter what else'}`, async () => {
        const ignored: Place[] = order.includes('query') ? [] : ['query']
        const { query, headers } = await requestWith([...order.slice(index), ...ignored])
        const { both } = hubs
        const stream = await both.subscribe(`${parameters}&${query}`, { headers })
        assert.equal([...both.running.hub.presence!.list()].at(-1)?.payload, place)
        stream.close()
      })
    }
  }

  const withoutParameters: Place[] = ['header', 'query', 'current cookie', 'old cookie']
  for (const [index, place] of withoutParameters.entries()) {
    const present = withoutParameters.slice(index)
    test(`publishing: the ${place}, of ${present.join(', ')}`, async () => {
      const { query, headers } = await requestWith(present)
      const publish = (topic: string) =>
        fetch(`${hubs.both.hubUrl}?${query}`, { method: 'POST', headers, body: new URLSearchParams({ topic }) })
      assert.equal((await publish(topicOf(place))).status, 200)
      for (const other of present.slice(1)) await assertRefused(await publish(topicOf(other)), 401, 'topic_not_granted')
    })
    test(`the subscription API: the ${place}, of ${present.join(', ')}`, async () => {
      const [first, ...others] = present
      const readers = await requestWith(others)
      const { headers: chosen, query } = await requestWith([first!])
      const Cookie = [chosen.Cookie, readers.headers.Cookie].filter(Boolean).join('; ')
      const path = `/.well-known/mercure/subscriptions?${query}`
      const response = await hubs.both.fetch(path, { headers: { ...readers.headers, ...chosen, Cookie } })
      assert.equal(response.status, 200)
    })
  }

  test('the first that is present decides: if it is not valid, no other is tried', async () => {
    const bad = `${(await tokenOf('header')).slice(0, -6)}AAAAAA`
    const good = await requestWith(['header', 'old cookie', 'current cookie'])
    const { hubUrl } = hubs.both
    const cookies = (old: string, current: string) =>
      `mercureAuthorization=${old}; __Secure-mercure_access_token=${current}`
    const token = await tokenOf('old cookie')
    const rows: [string, Record<string, string>][] = [
      ['topic=a', { ...good.headers, ...bearer(bad) }],
      [`topic=a&authorization=${bad}`, { Cookie: good.headers.Cookie! }],
      ['topic=a', { Cookie: cookies(bad, token) }],
      ['match=a', { Cookie: cookies(token, bad) }],
    ]
    for (const [query, headers] of rows) {
      await assertRefused(await fetch(`${hubUrl}?${query}`, { headers }), 401, 'token_signature')
    }
    for (const [query, old, current] of [
      ['topic=a', token, bad],
      ['match=a', bad, token],
    ] as const) {
      const stream = await hubs.both.subscribe(query, { headers: { Cookie: cookies(old, current) } })
      stream.close()
    }
  })

  test('the query has tokens only where 0.x keys are configured', async () => {
    const token = await tokenOf('query')
    for (const hub of ['issuers only', 'pinned to 1.0'] satisfies HubName[]) {
      for (const authorization of [token, 'short', '']) {
        const stream = await hubs[hub].subscribe(`match=a&authorization=${authorization}&access_token=${token}`)
        assert.equal([...hubs[hub].running.hub.presence!.list()].at(-1)?.payload, undefined)
        stream.close()
      }
    }
    for (const hub of ['both', '0.x keys only', 'pinned to 0.x'] satisfies HubName[]) {
      const stream = await hubs[hub].subscribe(`topic=a&authorization=${token}`)
      assert.equal([...hubs[hub].running.hub.presence!.list()].at(-1)?.payload, 'query')
      stream.close()
      const refused = await fetch(`${hubs[hub].hubUrl}?topic=a&authorization=short`)
      await assertRefused(refused, 401, 'authorization_malformed')
    }
  })

  test('a pinned hub looks for no cookie of the other generation', async () => {
    for (const [hub, query, cookie] of [
      ['pinned to 0.x', 'topic=a', '__Secure-mercure_access_token'],
      ['pinned to 1.0', 'match=a', 'mercureAuthorization'],
    ] as const) {
      const stream = await hubs[hub].subscribe(query, { headers: { Cookie: `${cookie}=not.a.token` } })
      stream.close()
    }
    for (const [hub, query, cookie] of [
      ['pinned to 0.x', 'topic=a', 'mercureAuthorization'],
      ['pinned to 1.0', 'match=a', '__Secure-mercure_access_token'],
    ] as const) {
      const response = await fetch(`${hubs[hub].hubUrl}?${query}`, { headers: { Cookie: `${cookie}=not.a.token` } })
      await assertRefused(response, 401, 'token_malformed')
    }
  })

  test('a valid token without any grant subscribes, to public updates', async () => {
    const hub = hubs['both, and anonymous subscribers are refused']
    const tokens = [await signToken({}), await signAccessToken(hub.hubUrl, []), await publisherToken()]
    for (const token of tokens) {
      const stream = await hub.subscribe('topic=https://example.com/public', { headers: bearer(token) })
      await hub.publish({ topic: 'https://example.com/public', private: '' })
      const id = await hub.publish({ topic: 'https://example.com/public' })
      assert.equal((await stream.take())[0]?.id, id)
      stream.close()
    }
  })
})
