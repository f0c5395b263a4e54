import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { type Settings, startHub, type TestHub } from '../../support/hub.ts'
import { assertRefused } from '../../support/refusal.ts'
import { testIssuer, testKey } from '../../support/token.ts'

const developmentKey = '!ChangeThisMercureHubJWTSecretKey!'
const role = { key: developmentKey, algorithm: 'HS256' }
const issuer = { id: 'https://localhost', publisher: role, subscriber: role }
const topic = 'https://example.com/books/1'

const ask = (hub: TestHub, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  hub.fetch('/.well-known/mercure/debug/token', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

async function mint(hub: TestHub, body: unknown): Promise<string> {
  const response = await ask(hub, body)
  const text = await response.text()
  assert.equal(response.status, 200, text)
  assert.equal(response.headers.get('cache-control'), 'no-store')
  return JSON.parse(text).token
}

const mintableBy = async (settings: Settings) => {
  await using hub = await startHub({ debugger: true, ...settings })
  const config = await hub.fetch('/.well-known/mercure/debug/config.json')
  const { canMint, mint } = JSON.parse(await config.text())
  for (const generation of ['0.x', '1.0'] as const) {
    for (const action of ['publish', 'subscribe'] as const) {
      const answer = await ask(hub, { generation, [action]: [topic] })
      if (mint[generation][action]) assert.equal(answer.status, 200)
      else await assertRefused(answer, 404, 'not_found')
    }
  }
  assert.equal(canMint, JSON.stringify(mint).includes('true'))
  return mint
}
const both = { publish: true, subscribe: true }
const none = { publish: false, subscribe: false }

suite('a development token', () => {
  for (const generation of ['0.x', '1.0'] as const) {
    test(`of ${generation} publishes what it grants, and nothing else`, async () => {
      await using hub = await startHub({ debugger: true, jwt_key: developmentKey, issuers: [issuer] })
      const token = await mint(hub, { generation, publish: [topic] })
      const headers = { Authorization: `Bearer ${token}` }
      assert.equal((await hub.post(new URLSearchParams({ topic }), { headers })).status, 200)
      const refused = await hub.post(new URLSearchParams({ topic: `${topic}0` }), { headers })
      await assertRefused(refused, generation === '0.x' ? 401 : 403, 'topic_not_granted')
    })

    test(`of ${generation} subscribes, with its payload, until it expires`, async () => {
      await using hub = await startHub({
        ...{ debugger: true, jwt_key: developmentKey, issuers: [issuer] },
        ...{ subscriptions: true, allow_anonymous: false },
      })
      const payload = { user: 'ada' }
      const subscribe = generation === '0.x' ? ['*'] : [{ match: '*', match_type: 'urlpattern' }]
      const token = await mint(hub, { generation, subscribe, payload, ttlSeconds: 60 })
      const { iat = 0, exp = 0 } = decodeJwt(token)
      assert.equal(exp - iat, 60)
      assert.equal(decodeProtectedHeader(token).typ, generation === '0.x' ? 'JWT' : 'at+jwt')
      const headers = { Authorization: `Bearer ${token}` }
      await hub.subscribe(`${generation === '0.x' ? 'topic' : 'match'}=${topic}`, { headers })
      const list = await hub.fetch('/.well-known/mercure/subscriptions', { headers })
      assert.deepEqual(
        JSON.parse(await list.text()).subscriptions.map((subscription: { payload: unknown }) => subscription.payload),
        [payload],
      )
    })
  }

  test('is made only for roles whose key is the one that everybody knows', async () => {
    assert.deepEqual(await mintableBy({}), { '0.x': none, '1.0': none })
    assert.deepEqual(await mintableBy({ jwt_key: developmentKey }), { '0.x': both, '1.0': none })
    assert.deepEqual(await mintableBy({ subscriber_jwt_key: developmentKey }), {
      '0.x': { publish: false, subscribe: true },
      '1.0': none,
    })
    assert.deepEqual(await mintableBy({ issuers: [testIssuer, { id: 'urn:b', publisher: role }] }), {
      '0.x': none,
      '1.0': { publish: true, subscribe: false },
    })
    assert.deepEqual(await mintableBy({ jwt_key: developmentKey, issuers: [issuer], protocol: '1.0' }), {
      '0.x': none,
      '1.0': both,
    })
    assert.deepEqual(await mintableBy({ jwt_key: developmentKey, issuers: [issuer], protocol: '0.x' }), {
      '0.x': both,
      '1.0': none,
    })
  })

  test('is never made for both roles where one of them has a key of its own', async () => {
    await using hub = await startHub({ debugger: true, jwt_key: developmentKey, publisher_jwt_key: testKey })
    const grants = { publish: ['*'], subscribe: ['*'] }
    await assertRefused(await ask(hub, { generation: '0.x', ...grants }), 404, 'not_found')
    await assertRefused(await ask(hub, { generation: '0.x', publish: ['*'] }), 404, 'not_found')
    assert.ok(await mint(hub, { generation: '0.x', subscribe: ['*'] }))
    assert.ok(await mint(hub, { generation: '0.x' }))
  })

  test('is signed by the algorithm that the hub expects', async () => {
    await using hub = await startHub({ debugger: true, jwt_key: developmentKey, jwt_algorithm: 'HS384' })
    const token = await mint(hub, { generation: '0.x', publish: ['*'] })
    assert.equal(decodeProtectedHeader(token).alg, 'HS384')
    const headers = { Authorization: `Bearer ${token}` }
    assert.equal((await hub.post(new URLSearchParams({ topic }), { headers })).status, 200)
  })

  for (const [name, body, rule] of [
    ['no JSON', '{', /it is not JSON in UTF-8/],
    ['no generation', {}, /generation: /],
    ['no list', { generation: '0.x', publish: '*' }, /publish: /],
    ['a URL Pattern of 0.x', { generation: '0.x', publish: [{ match: 'a', match_type: 'urlpattern' }] }, /0\.x/],
    ['a life of nothing', { generation: '0.x', publish: ['*'], ttlSeconds: 0 }, /ttlSeconds: /],
    ['something unknown', { generation: '0.x', admin: true }, /admin/],
    ['a topic of 5,000 characters', { generation: '0.x', publish: ['a'.repeat(5000)] }, /publish\.0/],
  ] as const) {
    test(`is refused for ${name}`, async () => {
      await using hub = await startHub({ debugger: true, jwt_key: developmentKey })
      const response = await ask(hub, body)
      assert.match(await response.clone().text(), rule)
      await assertRefused(response, 400, 'body_malformed')
    })
  }

  test('is refused for a form, which any page can send', async () => {
    await using hub = await startHub({ debugger: true, jwt_key: developmentKey })
    const response = await ask(hub, '{}', { 'Content-Type': 'text/plain' })
    await assertRefused(response, 400, 'body_malformed')
  })

  test('is refused for a body without end', async () => {
    await using hub = await startHub({ debugger: true, jwt_key: developmentKey, max_request_body_size: 0 })
    await assertRefused(await ask(hub, ' '.repeat(200_000)), 413, 'body_too_large')
  })
})
