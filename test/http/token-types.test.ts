import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { SignJWT } from 'jose'
import type { ErrorCode } from '../../src/errors.ts'
import { type HubName, type Hubs, post, startHubs } from '../support/generations.ts'
import type { TestHub } from '../support/hub.ts'
import { assertRefused } from '../support/refusal.ts'
import { bearer } from '../support/subscriptions.ts'
import { subscriberToken, testIssuer, testKey } from '../support/token.ts'

let hubs: Hubs
before(async () => {
  hubs = await startHubs()
})
after(() => hubs.close())

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
