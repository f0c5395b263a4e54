import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { SignJWT } from 'jose'
import type { ErrorCode } from '../../src/errors.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { assertRefused } from '../support/refusal.ts'
import { bearer } from '../support/subscriptions.ts'
import { publisherToken, signAccessToken, signToken, subscriberToken, testIssuer, testKey } from '../support/token.ts'

/** Hubs by what they are configured for. */
const hubSettings = {
  both: { issuers: [testIssuer] },
  'both, and anonymous subscribers are refused': { issuers: [testIssuer], allow_anonymous: false },
  '0.x keys only': {},
  'issuers only': { issuers: [testIssuer], jwt_key: undefined },
  'pinned to 0.x': { issuers: [testIssuer], protocol: '0.x' },
  'pinned to 1.0': { issuers: [testIssuer], protocol: '1.0' },
} satisfies Record<string, Settings>
type HubName = keyof typeof hubSettings
const hubNames = Object.keys(hubSettings) as HubName[]

const page = 'https://app.example'
const hubs = {} as Record<HubName, TestHub>
before(async () => {
  for (const name of hubNames) {
    hubs[name] = await startHub({ subscriptions: true, publish_allowed_origins: [page], ...hubSettings[name] })
  }
})
after(async () => {
  for (const name of hubNames) await hubs[name].close()
})

const post = (hub: TestHub, fields: string | Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(hub.hubUrl, { method: 'POST', headers, body: new URLSearchParams(fields) })

suite('the parameters choose the generation', () => {
  const accepted: { name: string; hub?: HubName; query: string; matchers: string[] }[] = [
    { name: 'topic', query: 'topic=a&topic=b', matchers: ['topic a', 'topic b'] },
    { name: 'topic, a template', query: 'topic=%7Bid%7D', matchers: ['topic {id}'] },
    { name: 'match', query: 'match=a&match=b', matchers: ['exact a', 'exact b'] },
    { name: 'match_exact is match', query: 'match_exact=a&match=b', matchers: ['exact b', 'exact a'] },
    { name: 'match_urlpattern', query: 'match_urlpattern=/a/:id', matchers: ['urlpattern /a/:id'] },
    {
      name: 'all in one request are all honoured',
      query: 'topic=t&match=m&match_urlpattern=/p',
      matchers: ['exact m', 'urlpattern /p', 'topic t'],
    },
    { name: 'names are case-sensitive: TOPIC is none', query: 'topic=a&TOPIC=b&Topic=c', matchers: ['topic a'] },
    { name: 'other parameters mean nothing', query: 'topic=a&mat=b&x=c&subject=d', matchers: ['topic a'] },
    { name: 'topic, without issuers', hub: '0.x keys only', query: 'topic=a', matchers: ['topic a'] },
    { name: 'match, without issuers', hub: '0.x keys only', query: 'match=a', matchers: ['exact a'] },
    { name: 'topic, without 0.x keys', hub: 'issuers only', query: 'topic=a', matchers: ['topic a'] },
    { name: 'topic', hub: 'pinned to 0.x', query: 'topic=a', matchers: ['topic a'] },
    {
      name: 'what 0.x knows nothing of means nothing beside a topic',
      hub: 'pinned to 0.x',
      query: 'topic=a&match=b&match_urlpattern=c&matchday=3',
      matchers: ['topic a'],
    },
    { name: 'match', hub: 'pinned to 1.0', query: 'match=a', matchers: ['exact a'] },
  ]
  for (const { name, hub = 'both', query, matchers } of accepted) {
    for (const method of ['GET', 'QUERY']) {
      test(`${hub}: ${name}, by ${method}`, async () => {
        const address = method === 'GET' ? `${hubs[hub].hubUrl}?${query}` : hubs[hub].hubUrl
        const init = method === 'GET' ? {} : { method, body: new URLSearchParams(query) }
        const response = await fetch(address, init)
        assert.equal(response.status, 200)
        const listed = hubs[hub].running.hub.presence!.list(() => true)
        const { subscriber } = listed.at(-1)!
        assert.deepEqual(
          listed.filter(one => one.subscriber === subscriber).map(({ kind, pattern }) => `${kind} ${pattern}`),
          matchers,
        )
        await response.body!.cancel()
      })
    }
  }

  const refused: { name: string; hub?: HubName; query: string; code: ErrorCode; sentence: RegExp }[] = [
    { name: 'nothing', query: '', code: 'matcher_missing', sentence: /"match", "match_urlpattern", "topic"/ },
    { name: 'TOPIC', query: 'TOPIC=a', code: 'matcher_missing', sentence: /"topic"/ },
    { name: 'MATCH', query: 'MATCH=a', code: 'matcher_unknown', sentence: /"MATCH": use "match"/ },
    { name: 'matchRegexp', query: 'matchRegexp=a', code: 'matcher_unknown', sentence: /"matchRegexp"/ },
    {
      name: 'match_template beside a topic',
      query: 'topic=a&match_template=b',
      code: 'matcher_unknown',
      sentence: /"match_template"/,
    },
    {
      name: 'Match_exact beside a match',
      query: 'match=a&Match_exact=b',
      code: 'matcher_unknown',
      sentence: /"Match_exact"/,
    },
    {
      name: 'topic',
      hub: 'pinned to 1.0',
      query: 'topic=a',
      code: 'matcher_unknown',
      sentence: /use "match" or "match_urlpattern" .* "topic"/,
    },
    {
      name: 'topic beside match',
      hub: 'pinned to 1.0',
      query: 'match=b&topic=a',
      code: 'matcher_unknown',
      sentence: /protocol 1\.0 only/,
    },
    {
      name: 'match alone',
      hub: 'pinned to 0.x',
      query: 'match=a',
      code: 'matcher_unknown',
      sentence: /protocol 0\.x only: use "topic" .* "match"/,
    },
    {
      name: 'nothing',
      hub: 'pinned to 0.x',
      query: '',
      code: 'matcher_missing',
      sentence: /at least one of "topic" in/,
    },
    {
      name: 'nothing',
      hub: 'pinned to 1.0',
      query: '',
      code: 'matcher_missing',
      sentence: /"match", "match_urlpattern" in/,
    },
  ]
  for (const { name, hub = 'both', query, code, sentence } of refused) {
    test(`${hub}: ${name} is refused`, async () => {
      const response = await fetch(`${hubs[hub].hubUrl}?${query}`)
      assert.match(await response.clone().text(), sentence)
      await assertRefused(response, 400, code)
    })
  }

  test('a token is asked for before a matcher', async () => {
    const { hubUrl } = hubs['both, and anonymous subscribers are refused']
    for (const query of ['', 'topic=a', 'match=a', 'matchRegexp=a', 'match_urlpattern=(']) {
      await assertRefused(await fetch(`${hubUrl}?${query}`), 401, 'token_missing')
    }
  })
})

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
        assert.equal(both.running.hub.presence!.list(() => true).at(-1)?.payload, place)
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
        assert.equal(hubs[hub].running.hub.presence!.list(() => true).at(-1)?.payload, undefined)
        stream.close()
      }
    }
    for (const hub of ['both', '0.x keys only', 'pinned to 0.x'] satisfies HubName[]) {
      const stream = await hubs[hub].subscribe(`topic=a&authorization=${token}`)
      assert.equal(hubs[hub].running.hub.presence!.list(() => true).at(-1)?.payload, 'query')
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

suite('the type of a token', () => {
  const sign = (header: Record<string, string>, claims: object) =>
    new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256', ...header }).sign(new TextEncoder().encode(testKey))
  const details = [
    {
      type: 'https://mercure.rocks/authorization-detail',
      actions: ['publish', 'subscribe'],
      topics: [{ match: '*' }],
    },
  ]
  const accessClaims = (hub: TestHub) => ({
    iss: testIssuer.id,
    aud: hub.hubUrl,
    exp: Date.now() / 1000 + 60,
    authorization_details: details,
  })
  const legacyClaims = { mercure: { publish: ['*'], subscribe: ['*'] } }

  /** `claims` of both generations at once: which of them counts is what the rows say. */
  const cases: {
    name: string
    hub: HubName
    typ?: string
    claims?: (hub: TestHub) => object
    /** What publishing is answered with; 200 where it is accepted. */
    status: number
    code?: ErrorCode
    sentence?: RegExp
  }[] = [
    { name: 'none', hub: 'both', status: 200 },
    { name: 'JWT', hub: 'both', typ: 'JWT', status: 200 },
    { name: 'anything', hub: 'both', typ: 'secevent+jwt', status: 200 },
    { name: 'at+jwt', hub: 'both', typ: 'at+jwt', status: 200 },
    { name: 'AT+JWT', hub: 'both', typ: 'AT+JWT', status: 200 },
    { name: 'application/at+jwt', hub: 'both', typ: 'application/at+jwt', status: 200 },
    {
      name: 'none, the claims of 1.0',
      hub: 'both',
      claims: accessClaims,
      status: 401,
      code: 'publish_not_granted',
      sentence: /"mercure" claim/,
    },
    {
      name: 'at+jwt, the claim of 0.x',
      hub: 'both',
      typ: 'at+jwt',
      claims: hub => ({ ...accessClaims(hub), ...legacyClaims, authorization_details: [] }),
      status: 403,
      code: 'publish_not_granted',
      sentence: /authorization_details/,
    },
    {
      name: 'at+jwt without iss, though a 0.x key would verify it',
      hub: 'both',
      typ: 'at+jwt',
      claims: hub => ({ ...accessClaims(hub), iss: undefined }),
      status: 401,
      code: 'token_issuer',
    },
    {
      name: 'at+jwt of another issuer, though a 0.x key would verify it',
      hub: 'both',
      typ: 'at+jwt',
      claims: hub => ({ ...accessClaims(hub), iss: 'https://other.example' }),
      status: 401,
      code: 'token_issuer',
    },
    {
      name: 'at+jwt for another hub',
      hub: 'both',
      typ: 'at+jwt',
      claims: hub => ({ ...accessClaims(hub), aud: 'https://other.example/.well-known/mercure' }),
      status: 401,
      code: 'token_audience',
    },
    {
      name: 'at+jwt for several, this hub among them',
      hub: 'both',
      typ: 'at+jwt',
      claims: hub => ({ ...accessClaims(hub), aud: ['x', hub.hubUrl] }),
      status: 200,
    },
    {
      name: 'at+jwt without exp',
      hub: 'both',
      typ: 'at+jwt',
      claims: hub => ({ ...accessClaims(hub), exp: undefined }),
      status: 401,
      code: 'token_claims',
    },
    {
      name: 'at+jwt, expired',
      hub: 'both',
      typ: 'at+jwt',
      claims: hub => ({ ...accessClaims(hub), exp: 1 }),
      status: 401,
      code: 'token_expired',
    },
    {
      name: 'none, expired',
      hub: 'both',
      claims: () => ({ ...legacyClaims, exp: 1 }),
      status: 401,
      code: 'token_expired',
    },
    { name: 'none', hub: '0.x keys only', status: 200 },
    {
      name: 'at+jwt',
      hub: '0.x keys only',
      typ: 'at+jwt',
      status: 401,
      code: 'token_generation',
      sentence: /0\.x tokens only/,
    },
    { name: 'none', hub: 'pinned to 0.x', status: 200 },
    { name: 'at+jwt', hub: 'pinned to 0.x', typ: 'at+jwt', status: 401, code: 'token_generation' },
    { name: 'none', hub: 'issuers only', status: 401, code: 'token_type', sentence: /"at\+jwt"/ },
    { name: 'JWT', hub: 'issuers only', typ: 'JWT', status: 401, code: 'token_type', sentence: /typ is "JWT"/ },
    { name: 'at+jwt', hub: 'issuers only', typ: 'at+jwt', status: 200 },
    { name: 'none', hub: 'pinned to 1.0', status: 401, code: 'token_type' },
    { name: 'at+jwt', hub: 'pinned to 1.0', typ: 'at+jwt', status: 200 },
  ]
  for (const { name, hub, typ, claims, status, code, sentence } of cases) {
    test(`${hub}: ${name}: ${status}`, async () => {
      const all = claims?.(hubs[hub]) ?? { ...accessClaims(hubs[hub]), ...legacyClaims }
      const token = await sign(typ === undefined ? {} : { typ }, all)
      const response = await post(hubs[hub], { topic: 'https://example.com/1' }, bearer(token))
      if (code === undefined) {
        assert.equal(response.status, status, await response.text())
        return
      }
      if (sentence !== undefined) assert.match(await response.clone().text(), sentence)
      await assertRefused(response, status, code)
      const isLegacy = hub === '0.x keys only' || hub === 'pinned to 0.x' || (typ === undefined && hub === 'both')
      const challenge = response.headers.get('www-authenticate') ?? ''
      assert.equal(challenge.includes('realm="mercure"'), isLegacy, challenge)
      assert.equal(challenge.includes('resource_metadata='), !isLegacy, challenge)
    })
  }

  test('a token of either generation serves matchers of either', async () => {
    const { both } = hubs
    for (const [typ, claims] of [
      [{}, legacyClaims],
      [{ typ: 'at+jwt' }, accessClaims(both)],
    ] as const) {
      for (const query of [
        'topic=https://example.com/1',
        'match=https://example.com/1',
        'topic=https://example.com/{id}',
      ]) {
        const stream = await both.subscribe(query, { headers: bearer(await sign(typ, claims)) })
        const id = await both.publish({ topic: 'https://example.com/1', private: 'on' })
        assert.equal((await stream.take())[0]?.id, id)
        stream.close()
      }
    }
  })

  test('routing and authorisation are independent: any granted topic of a private update is enough', async () => {
    const { both } = hubs
    const headers = bearer(await subscriberToken(['https://example.com/granted']))
    const stream = await both.subscribe('match=https://example.com/routed', { headers })
    await both.publish({ topic: 'https://example.com/routed', private: 'on' })
    const id = await both.publish({
      topic: ['https://example.com/routed', 'https://example.com/granted'],
      private: 'on',
    })
    assert.equal((await stream.take())[0]?.id, id)
    stream.close()
  })
})

suite('statuses follow the generation', () => {
  const topic = 'https://example.com/1'
  const reserved = '/.well-known/mercure/subscriptions/exact/a/b'
  type Tokens = { publish: (...topics: string[]) => Promise<string>; none: () => Promise<string> }
  const tokens: Record<'0.x' | '1.0', Tokens> = {
    '0.x': { publish: publisherToken, none: () => signToken({ mercure: { subscribe: ['*'] } }) },
    '1.0': {
      publish: (...topics) =>
        signAccessToken(hubs.both.hubUrl, [
          { actions: ['publish'], topics: (topics.length === 0 ? ['*'] : topics).map(match => ({ match })) },
        ]),
      none: () => signAccessToken(hubs.both.hubUrl, [{ actions: ['subscribe'], topics: [{ match: '*' }] }]),
    },
  }
  const answer: {
    name: string
    fields?: string | Record<string, string>
    headers: (of: Tokens) => Promise<Record<string, string>>
    '0.x': number
    '1.0': number
    code?: ErrorCode
    /** The `error` of the challenge. */
    error?: string
  }[] = [
    {
      name: 'a token without publishing',
      headers: async of => bearer(await of.none()),
      '0.x': 401,
      '1.0': 403,
      code: 'publish_not_granted',
      error: 'insufficient_scope',
    },
    {
      name: 'a topic that is not granted',
      headers: async of => bearer(await of.publish('other')),
      '0.x': 401,
      '1.0': 403,
      code: 'topic_not_granted',
      error: 'insufficient_scope',
    },
    {
      name: 'an alternate topic that is not granted',
      fields: `topic=${topic}&topic=b`,
      headers: async of => bearer(await of.publish(topic)),
      '0.x': 401,
      '1.0': 403,
      code: 'topic_not_granted',
      error: 'insufficient_scope',
    },
    {
      name: 'a reserved topic',
      fields: { topic: reserved },
      headers: async of => bearer(await of.publish()),
      '0.x': 403,
      '1.0': 400,
      code: 'topic_reserved',
    },
    {
      name: 'a reserved topic that is not granted',
      fields: { topic: reserved },
      headers: async of => bearer(await of.publish('other')),
      '0.x': 401,
      '1.0': 403,
      code: 'topic_not_granted',
      error: 'insufficient_scope',
    },
    {
      name: 'the wildcard as a topic',
      fields: { topic: '*' },
      headers: async of => bearer(await of.publish()),
      '0.x': 200,
      '1.0': 400,
      code: 'topic_wildcard',
    },
    {
      name: 'an id that is a cursor',
      fields: { topic, id: 'earliest' },
      headers: async of => bearer(await of.publish()),
      '0.x': 200,
      '1.0': 400,
      code: 'id_invalid',
    },
    {
      name: "the type of the hub's events",
      fields: { topic, type: 'mercure' },
      headers: async of => bearer(await of.publish()),
      '0.x': 200,
      '1.0': 400,
      code: 'type_invalid',
    },
    {
      name: 'no topic',
      fields: { data: 'x' },
      headers: async of => bearer(await of.publish()),
      '0.x': 400,
      '1.0': 400,
      code: 'topic_missing',
    },
    {
      name: 'a cookie from no page',
      headers: async of => ({ Cookie: `mercureAuthorization=${await of.publish()}` }),
      '0.x': 401,
      '1.0': 400,
      code: 'origin_missing',
      error: 'invalid_request',
    },
    {
      name: 'a cookie from a page that may not',
      headers: async of => ({ Cookie: `mercureAuthorization=${await of.publish()}`, Origin: 'https://evil.example' }),
      '0.x': 401,
      '1.0': 400,
      code: 'origin_refused',
      error: 'invalid_request',
    },
    {
      name: 'a cookie from a page that may',
      headers: async of => ({ Cookie: `mercureAuthorization=${await of.publish()}`, Origin: page }),
      '0.x': 200,
      '1.0': 200,
    },
    {
      name: 'a cookie from a page that may, by its Referer',
      headers: async of => ({ Cookie: `mercureAuthorization=${await of.publish()}`, Referer: `${page}/x` }),
      '0.x': 200,
      '1.0': 200,
    },
    {
      name: 'a header from any page',
      headers: async of => ({ ...bearer(await of.publish()), Origin: 'https://evil.example' }),
      '0.x': 200,
      '1.0': 200,
    },
  ]
  for (const { name, fields = { topic }, headers, code, error, ...statuses } of answer) {
    for (const generation of ['0.x', '1.0'] as const) {
      const status = statuses[generation]
      test(`publishing with a token of ${generation}: ${name}: ${status}`, async () => {
        const response = await post(hubs.both, fields, await headers(tokens[generation]))
        if (status === 200) {
          assert.equal(response.status, 200, await response.text())
          return
        }
        await assertRefused(response, status, code!)
        const challenge = response.headers.get('www-authenticate') ?? ''
        if (error !== undefined) assert.ok(challenge.includes(`error="${error}"`), challenge)
        if (challenge !== '') {
          assert.equal(challenge.includes('realm="mercure"'), generation === '0.x', challenge)
          assert.equal(challenge.includes('resource_metadata='), generation === '1.0', challenge)
        }
      })
    }
  }

  /** Without a readable token the parameters tell, or how the hub is configured. */
  const presumed: { name: string; hub: HubName; query: string; generation: '0.x' | '1.0' }[] = [
    { name: 'topic', hub: 'both', query: 'topic=a', generation: '0.x' },
    { name: 'match', hub: 'both', query: 'match=a', generation: '1.0' },
    { name: 'topic and match', hub: 'both', query: 'topic=a&match=a', generation: '1.0' },
    { name: 'match', hub: '0.x keys only', query: 'match=a', generation: '0.x' },
    { name: 'topic', hub: 'issuers only', query: 'topic=a', generation: '1.0' },
    { name: 'topic', hub: 'pinned to 0.x', query: 'topic=a', generation: '0.x' },
    { name: 'match', hub: 'pinned to 0.x', query: 'match=a', generation: '0.x' },
    { name: 'match', hub: 'pinned to 1.0', query: 'match=a', generation: '1.0' },
  ]
  for (const { name, hub, query, generation } of presumed) {
    test(`${hub}: ${name} with an Authorization that is none: ${generation === '0.x' ? 401 : 400}`, async () => {
      for (const Authorization of ['Basic dXNlcjpwYXNzd29yZA==', 'Bearer short', '']) {
        const response = await fetch(`${hubs[hub].hubUrl}?${query}`, { headers: { Authorization } })
        await assertRefused(response, generation === '0.x' ? 401 : 400, 'authorization_malformed')
        assert.match(response.headers.get('www-authenticate') ?? '', /error="invalid_request"/)
      }
    })
    test(`${hub}: ${name} with a token that is no JWT: 401 of ${generation}`, async () => {
      const response = await fetch(`${hubs[hub].hubUrl}?${query}`, { headers: bearer('x'.repeat(60)) })
      await assertRefused(response, 401, 'token_malformed')
      const challenge = response.headers.get('www-authenticate') ?? ''
      assert.equal(challenge.includes('realm="mercure"'), generation === '0.x', challenge)
    })
  }

  const anonymous: { name: string; ask: () => Promise<Response>; challenge: RegExp }[] = [
    { name: 'topic', ask: () => subscribe('topic=a'), challenge: /^Bearer realm="mercure"$/ },
    { name: 'match', ask: () => subscribe('match=a'), challenge: /^Bearer resource_metadata="[^"]+"$/ },
    { name: 'both', ask: () => subscribe('match=a&topic=a'), challenge: /^Bearer resource_metadata="[^"]+"$/ },
    { name: 'neither', ask: () => subscribe(''), challenge: /^Bearer resource_metadata="[^"]+"$/ },
    { name: 'publishing', ask: () => post(strict(), { topic: 'a' }), challenge: /^Bearer resource_metadata="[^"]+"$/ },
  ]
  const strict = () => hubs['both, and anonymous subscribers are refused']
  const subscribe = (query: string) => fetch(`${strict().hubUrl}?${query}`)
  for (const { name, ask, challenge } of anonymous) {
    test(`no token, ${name}: 401, and what is expected`, async () => {
      const response = await ask()
      await assertRefused(response, 401, 'token_missing')
      assert.match(response.headers.get('www-authenticate') ?? '', challenge)
    })
  }
})
