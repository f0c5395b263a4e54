import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Settings, startHub, type TestHub } from '../../support/hub.ts'
import { assertRefused } from '../../support/refusal.ts'
import { publisherToken, signAccessToken, subscriberToken, testIssuer } from '../../support/token.ts'

const cookiePath = '/.well-known/mercure/debug/cookie'
const topic = 'https://example.com/books/1'

/** The cookies of an answer: name, value, and the rest. */
const cookiesOf = ({ headers }: Response) =>
  headers.getSetCookie().map(line => {
    const [, name, value, rest] = /^([^=]+)=([^;]*); (.*)$/.exec(line)!
    return { name, value, rest }
  })
const settingOf = (response: Response) => cookiesOf(response).find(({ value }) => value !== '')

const demo = (settings: Settings = {}) => startHub({ demo: true, allow_anonymous: false, ...settings })

suite('the playground', () => {
  for (const place of ['/playground', '/demo', '/.well-known/mercure/ui/demo']) {
    test(`${place} echoes, names its hub, and sets the cookie that subscribes`, async () => {
      await using hub = await demo()
      const jwt = await subscriberToken(['*'])
      const response = await hub.fetch(`${place}/books/1.jsonld?${new URLSearchParams({ body: '{"a": "ü"}', jwt })}`)
      assert.equal(await response.text(), '{"a": "ü"}')
      assert.equal(response.headers.get('content-type'), 'application/ld+json')
      const [hubLink, selfLink] = response.headers.get('link')!.split(', ')
      assert.equal(hubLink, '</.well-known/mercure>; rel="mercure"')
      assert.equal(selfLink, `<${hub.url}${place}/books/1.jsonld>; rel="self"`)
      const { name, value, rest } = settingOf(response)!
      assert.deepEqual([name, value], ['mercureAuthorization', jwt])
      assert.equal(rest, 'Path=/.well-known/mercure; HttpOnly; SameSite=Strict')
      await hub.subscribe('topic=a', { headers: { Cookie: `${name}=${value}` } })
    })
  }

  test('without a token lets every cookie of the hub expire', async () => {
    await using hub = await demo()
    const response = await hub.fetch('/playground/a.txt?body=x')
    assert.equal(await response.text(), 'x')
    assert.deepEqual(
      cookiesOf(response).map(({ name, value, rest }) => [name, value, rest?.includes('Max-Age=0')]),
      [
        ['mercureAuthorization', '', true],
        ['__Secure-mercure_access_token', '', true],
      ],
    )
  })

  test('names the cookie where a client could not know it', async () => {
    await using hub = await demo({ cookie_name: 'token' })
    const { headers } = await hub.fetch(`/playground/a?jwt=${await subscriberToken(['*'])}`)
    assert.match(headers.get('link')!, /^<\/\.well-known\/mercure>; rel="mercure"; cookie-name="token", /)
  })

  test('takes a cookie that a browser keeps: __Secure- ones are for TLS', async () => {
    await using plain = await demo({ issuers: [testIssuer] })
    const jwt = await signAccessToken(plain.hubUrl, [{ actions: ['subscribe'], topics: [{ match: '*' }] }])
    const cookie = settingOf(await plain.fetch(`/playground/a?jwt=${jwt}`))!
    assert.equal(cookie.name, 'mercureAuthorization')
    await plain.subscribe('match=a', { headers: { Cookie: `${cookie.name}=${cookie.value}` } })
    await using behindTls = await demo({ issuers: [testIssuer], use_forwarded_headers: true })
    const headers = { 'X-Forwarded-Proto': 'https' }
    const secure = settingOf(await behindTls.fetch(`/playground/a?jwt=${jwt}`, { headers }))!
    assert.equal(secure.name, '__Secure-mercure_access_token')
    assert.match(secure.rest ?? '', /; Secure; SameSite=Strict$/)
  })

  test('is text where the name tells nothing, and a page that runs nothing', async () => {
    await using hub = await demo()
    const text = await hub.fetch('/playground/a?body=x')
    assert.equal(text.headers.get('content-type'), 'text/plain; charset=utf-8')
    const html = await hub.fetch('/playground/a.html?body=<script>x()</script>')
    assert.equal(html.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.equal(html.headers.get('content-security-policy'), "default-src 'none'; sandbox")
    assert.equal(html.headers.get('x-content-type-options'), 'nosniff')
  })

  test('writes no header but its own', async () => {
    await using hub = await demo()
    const strange = await hub.fetch('/playground/a%0D%0AX:%20y%3E;%22b?body=x')
    assert.match(strange.headers.get('link')!, /a%0D%0AX:%20y%3E;%22b>; rel="self"$/)
    await assertRefused(await hub.fetch('/playground/a?jwt=a%0D%0Ab; Path=/'), 401, 'token_malformed')
  })

  test('is there with demo only, for GET', async () => {
    await using hub = await startHub({ debugger: true })
    await assertRefused(await hub.fetch('/playground/a'), 404, 'not_found')
    await using other = await demo()
    await assertRefused(await other.fetch('/playground/a', { method: 'POST' }), 405, 'method_not_allowed')
  })
})

suite('the cookie of the page', () => {
  const send = (hub: TestHub, body: unknown, headers: Record<string, string> = { Origin: hub.url }) =>
    hub.fetch(cookiePath, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })

  test('is set, and publishes from the page of the hub', async () => {
    const settings = { publish_allowed_origins: ['http://127.0.0.1:*'] }
    await using hub = await demo(settings)
    const response = await send(hub, { generation: '0.x', token: await publisherToken() })
    assert.deepEqual(await response.json(), { name: 'mercureAuthorization' })
    const { name, value, rest } = settingOf(response)!
    assert.equal(rest, 'Path=/.well-known/mercure; HttpOnly; SameSite=Strict')
    const published = await fetch(hub.hubUrl, {
      method: 'POST',
      headers: { Cookie: `${name}=${value}`, Origin: hub.url },
      body: new URLSearchParams({ topic }),
    })
    assert.equal(published.status, 200)
  })

  test('expires', async () => {
    await using hub = await demo()
    const response = await send(hub, { generation: '0.x', token: null })
    assert.equal(response.status, 200)
    assert.ok(cookiesOf(response).every(({ value, rest }) => value === '' && rest?.startsWith('Max-Age=0')))
    assert.equal(cookiesOf(response).length, 2)
  })

  test('is for the page of the hub, and for no other', async () => {
    await using hub = await demo()
    const body = { generation: '0.x', token: null }
    for (const headers of [{}, { Origin: 'https://evil.example' }, { Origin: 'null' }, { Origin: `${hub.url}0` }])
      await assertRefused(await send(hub, body, headers), 400, 'origin_refused')
  })

  test('is set for a token, in a request that says so', async () => {
    await using hub = await demo()
    await assertRefused(await send(hub, { generation: '0.x', token: 'a; Path=/' }), 401, 'token_malformed')
    await assertRefused(await send(hub, { generation: '0.x' }), 400, 'body_malformed')
    const form = { Origin: hub.url, 'Content-Type': 'application/x-www-form-urlencoded' }
    await assertRefused(await send(hub, { generation: '0.x', token: null }, form), 400, 'body_malformed')
  })

  test('is not set without demo', async () => {
    await using hub = await startHub({ debugger: true })
    await assertRefused(await send(hub, { generation: '0.x', token: null }), 404, 'not_found')
  })
})
