import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { startHub, type TestHub } from '../support/hub.ts'
import {
  assertSilent,
  bearer,
  encodeSegment,
  readerTokens,
  readSubscriptions,
  subscriptionsPath,
} from '../support/subscriptions.ts'
import { publisherToken, signAccessToken, signToken, subscriberToken, testIssuer, testKey } from '../support/token.ts'

suite('who may read', () => {
  let hub: TestHub
  before(async () => {
    hub = await startHub({ subscriptions: true, issuers: [testIssuer] })
  })
  after(() => hub.close())

  const topic = 'https://example.com/books/1'
  const list = `${subscriptionsPath}/exact/${encodeSegment(topic)}`
  const current =
    (...topics: { match: string; match_type?: string }[]) =>
    (of: TestHub) =>
      signAccessToken(of.hubUrl, [{ actions: ['subscribe'], topics }])
  const pattern = (match: string | ((hub: TestHub) => string)) => (of: TestHub) =>
    current({ match: typeof match === 'string' ? match : match(of), match_type: 'urlpattern' })(of)
  const legacy =
    (...selectors: string[]) =>
    () =>
      subscriberToken(selectors)

  const cases: {
    name: string
    token?: (hub: TestHub) => Promise<string>
    path?: string
    headers?: Record<string, string>
    status: number
    code?: string
    challenge?: RegExp
  }[] = [
    {
      name: 'nobody without a token',
      status: 401,
      code: 'token_missing',
      challenge: /^Bearer resource_metadata="[^"]+"$/,
    },
    {
      name: 'nobody without a token who asks for JSON-LD',
      headers: { Accept: 'application/ld+json' },
      status: 401,
      code: 'token_missing',
      challenge: /^Bearer realm="mercure"$/,
    },
    { name: '1.0: the wildcard', token: current({ match: '*' }), status: 200 },
    { name: '1.0: the exact path', token: current({ match: list }), status: 200 },
    {
      name: '1.0: the exact path, whatever the query',
      token: current({ match: list }),
      path: `${list}?a=b`,
      status: 200,
    },
    {
      name: '1.0: not a path with the query',
      token: current({ match: `${list}?a=b` }),
      path: `${list}?a=b`,
      status: 403,
      code: 'subscribe_not_granted',
    },
    { name: '1.0: a relative URL Pattern', token: pattern(`${subscriptionsPath}/:match_type/:match`), status: 200 },
    {
      name: '1.0: a URL Pattern of the whole namespace',
      token: pattern(`${subscriptionsPath}*`),
      path: subscriptionsPath,
      status: 200,
    },
    { name: '1.0: a URL Pattern with an optional subscriber', token: pattern(`${list}{/:subscriber}?`), status: 200 },
    { name: "1.0: an absolute URL Pattern of the hub's own", token: pattern(of => `${of.url}${list}`), status: 200 },
    {
      name: '1.0: not an absolute URL Pattern of another hub',
      token: pattern(`https://other.example${list}`),
      status: 403,
      code: 'subscribe_not_granted',
    },
    {
      name: '1.0: not an exact absolute URL, which the relative path is not',
      token: of => current({ match: `${of.url}${list}` })(of),
      status: 403,
      code: 'subscribe_not_granted',
    },
    {
      name: '1.0: not another list',
      token: current({ match: `${subscriptionsPath}/exact/other` }),
      status: 403,
      code: 'subscribe_not_granted',
      challenge: /^Bearer error="insufficient_scope", error_description="[^"]+", resource_metadata="[^"]+"$/,
    },
    {
      name: '1.0: not the topic itself',
      token: current({ match: topic }),
      status: 403,
      code: 'subscribe_not_granted',
    },
    {
      name: '1.0: not who may only publish',
      token: of => signAccessToken(of.hubUrl, [{ actions: ['publish'], topics: [{ match: '*' }] }]),
      status: 403,
      code: 'subscribe_not_granted',
    },
    {
      name: '1.0: not without any detail',
      token: of => signAccessToken(of.hubUrl, []),
      status: 403,
      code: 'subscribe_not_granted',
    },
    {
      name: '1.0: not with an expired token',
      token: of => signAccessToken(of.hubUrl, [], { exp: 1 }),
      status: 401,
      code: 'token_expired',
      challenge: /^Bearer error="invalid_token", .*resource_metadata="[^"]+"$/,
    },
    { name: '0.x: the wildcard', token: legacy('*'), status: 200 },
    { name: '0.x: the exact path', token: legacy(list), status: 200 },
    { name: '0.x: a path with its query', token: legacy(`${list}?a=b`), path: `${list}?a=b`, status: 200 },
    {
      name: '0.x: the template of the specification',
      token: legacy(`${subscriptionsPath}{/topic}{/subscriber}`),
      path: `${subscriptionsPath}/${encodeSegment(topic)}`,
      status: 200,
    },
    {
      name: '0.x: the template of the specification, for the collection',
      token: legacy(`${subscriptionsPath}{/topic}{/subscriber}`),
      path: subscriptionsPath,
      status: 200,
    },
    {
      name: '0.x: not another list',
      token: legacy(`${subscriptionsPath}/other`),
      status: 401,
      code: 'subscribe_not_granted',
      challenge: /^Bearer realm="mercure", error="insufficient_scope", error_description="[^"]+"$/,
    },
    { name: '0.x: not the topic itself', token: legacy(topic), status: 401, code: 'subscribe_not_granted' },
    {
      name: '0.x: not who may only publish',
      token: () => publisherToken(),
      status: 401,
      code: 'subscribe_not_granted',
    },
    { name: '0.x: not with an empty list', token: legacy(), status: 401, code: 'subscribe_not_granted' },
    {
      name: "0.x: not with another's signature",
      token: () => signToken({ mercure: { subscribe: ['*'] } }, 'another-key-that-is-32-bytes-long'),
      status: 401,
      code: 'token_signature',
      challenge: /^Bearer realm="mercure", error="invalid_token", /,
    },
  ]
  for (const { name, token, path = list, headers, status, code, challenge } of cases) {
    test(name, async () => {
      const answer = await readSubscriptions(hub, path, await token?.(hub), headers)
      assert.equal(answer.status, status, answer.text)
      const challenged = answer.headers.get('www-authenticate')
      if (code === undefined) {
        assert.equal(challenged, null)
        return
      }
      assert.ok(answer.text.startsWith(`${code}: `), answer.text)
      assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
      for (const header of ['etag', 'link']) assert.equal(answer.headers.get(header), null)
      assert.match(challenged ?? '', challenge ?? /^Bearer .*error="insufficient_scope"/)
    })
  }

  test('what is refused is refused before it is said whether it exists', async () => {
    const token = await signAccessToken(hub.hubUrl, [])
    for (const path of [
      subscriptionsPath,
      `${subscriptionsPath}/exact/a/nobody`,
      `${subscriptionsPath}/regexp/a`,
      `${subscriptionsPath}/exact/%zz`,
    ]) {
      assert.equal((await readSubscriptions(hub, path, token)).status, 403)
      assert.equal((await readSubscriptions(hub, path)).status, 401)
    }
  })

  test('the other places of a token: cookies of either generation, and the query for 0.x', async () => {
    const old = (await readerTokens(hub))['0.x']
    const current = (await readerTokens(hub))['1.0']
    for (const [cookie, type] of [
      [`mercureAuthorization=${old}`, 'application/ld+json'],
      [`__Secure-mercure_access_token=${current}`, 'application/json'],
      [`mercureAuthorization=${old}; __Secure-mercure_access_token=${current}`, 'application/json'],
    ] as const) {
      const { status, headers } = await readSubscriptions(hub, subscriptionsPath, undefined, { Cookie: cookie })
      assert.equal(status, 200)
      assert.equal(headers.get('content-type'), type)
    }
    const { status, headers } = await readSubscriptions(hub, `${subscriptionsPath}?authorization=${old}`)
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'application/ld+json')
    assert.equal((await readSubscriptions(hub, `${subscriptionsPath}?authorization=${current}`)).status, 401)
  })

  test('everybody, where no token of subscribers can be verified', async () => {
    await using open = await startHub({ subscriptions: true, jwt_key: undefined, publisher_jwt_key: testKey })
    const stream = await open.subscribe('match=a')
    const { status, document } = await readSubscriptions(open, subscriptionsPath)
    assert.equal(status, 200)
    assert.equal(document.subscriptions.length, 1)
    stream.close()
  })

  test('nobody, where subscriptions are off', async () => {
    await using off = await startHub({ issuers: [testIssuer] })
    const token = (await readerTokens(off))['0.x']
    for (const path of [subscriptionsPath, `${subscriptionsPath}/exact/a`, `${subscriptionsPath}/a`]) {
      const { status, text } = await readSubscriptions(off, path, token)
      assert.equal(status, 404)
      assert.match(text, /^not_found: /)
    }
    const watcher = await off.subscribe('topic=*', { headers: bearer(token) })
    ;(await off.subscribe('match=a')).close()
    await assertSilent(off, watcher, 'https://example.com/marker')
  })
})
