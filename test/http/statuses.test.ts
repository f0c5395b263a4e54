import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ErrorCode } from '../../src/errors.ts'
import { type HubName, type Hubs, page, post, startHubs } from '../support/generations.ts'
import { assertRefused } from '../support/refusal.ts'
import { bearer } from '../support/subscriptions.ts'
import { publisherToken, signAccessToken, signToken } from '../support/token.ts'

let hubs: Hubs
before(async () => {
  hubs = await startHubs()
})
after(() => hubs.close())

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
