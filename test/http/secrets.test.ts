import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { exchange } from '../support/connection.ts'
import { EventStream } from '../support/event-stream.ts'
import { HubProcess } from '../support/process.ts'
import { bearer } from '../support/subscriptions.ts'
import { signAccessToken, signToken, testIssuer, testKey } from '../support/token.ts'

const path = '/.well-known/mercure'
const page = 'https://app.example'
const payload = 'the-data-of-an-update'
const claims = { mercure: { publish: ['*'], subscribe: ['*'], payload: { secret: 'the-payload-of-a-token' } } }

const config = (debug: boolean) => `
addr: 127.0.0.1:0
transport_url: local://local
jwt_key: ${testKey}
issuers:
  - id: ${testIssuer.id}
    publisher: {key: ${testKey}, algorithm: HS256}
    subscriber: {key: ${testKey}, algorithm: HS256}
allow_anonymous: true
subscriptions: true
publish_allowed_origins: [${page}]
max_request_body_size: 100KB
shutdown_timeout: 1s
debug: ${debug}
`

/** Sends tokens in every place, good ones and bad ones; gives all of them. */
async function useTokens(url: string): Promise<string[]> {
  const tokens: string[] = []
  const keep = (token: string): string => {
    tokens.push(token)
    return token
  }
  const ask = async (target: string, init?: RequestInit) => {
    const response = await fetch(url + target, init)
    if (response.headers.get('content-type') === 'text/event-stream') await response.body!.cancel()
    else await response.text()
    return response.status
  }
  const access = { actions: ['publish', 'subscribe'], topics: [{ match: '*' }], payload: claims.mercure.payload }
  const good: (() => Promise<string>)[] = [
    () => signToken({ ...claims, jti: crypto.randomUUID() }),
    () => signAccessToken(url + path, [access]),
  ]
  const bad: (() => Promise<string>)[] = [
    () => signToken({ ...claims, jti: crypto.randomUUID() }, 'a-key-that-is-not-the-one-of-the-hub'),
    () => signToken({ ...claims, jti: crypto.randomUUID(), exp: 1 }),
    () => signToken({ mercure: 'all', jti: crypto.randomUUID() }),
    () => signAccessToken(url + path, [access], { iss: 'https://other.example' }),
    () => signAccessToken('https://other.example', [access]),
    async () => `${await signToken(claims)}.${crypto.randomUUID()}`,
    async () =>
      `${Buffer.from(`{${crypto.randomUUID()}`).toString('base64url')}.${Buffer.from(crypto.randomUUID()).toString('base64url')}.${'c'.repeat(43)}`,
    async () => `not-a-jwt-${crypto.randomUUID()}-${crypto.randomUUID()}`,
  ]
  const body = () => new URLSearchParams({ topic: 'https://example.com/1', data: payload })
  for (const [makers, expected] of [
    [good, true],
    [bad, false],
  ] as const) {
    for (const make of makers) {
      for (const target of [`${path}?topic=a`, `${path}?match=a`, `${path}/subscriptions`]) {
        for (const init of [
          { headers: bearer(keep(await make())) },
          { headers: { Cookie: `mercureAuthorization=${keep(await make())}` } },
          { headers: { Cookie: `__Secure-mercure_access_token=${keep(await make())}` } },
        ]) {
          assert.equal(await ask(target, init), expected ? 200 : 401)
        }
        await ask(`${target}${target.includes('?') ? '&' : '?'}authorization=${keep(await make())}`)
        await ask(
          `${target}${target.includes('?') ? '&' : '?'}authorization=${keep(await make())}&authorization=${keep(await make())}`,
        )
        await ask(`${target}${target.includes('?') ? '&' : '?'}access_token=${keep(await make())}`)
      }
      assert.equal(
        await ask(path, { method: 'POST', body: body(), headers: bearer(keep(await make())) }),
        expected ? 200 : 401,
      )
      const cookie = { Cookie: `mercureAuthorization=${keep(await make())}`, Origin: page }
      assert.equal(await ask(path, { method: 'POST', body: body(), headers: cookie }), expected ? 200 : 401)
      await ask(path, { method: 'POST', body: body(), headers: { ...cookie, Origin: 'https://evil.example' } })
      await ask(`${path}?authorization=${keep(await make())}`, { method: 'POST', body: body() })
      await ask(path, { method: 'QUERY', body: new URLSearchParams({ topic: 'a', authorization: keep(await make()) }) })
      await ask(`/nothing?authorization=${keep(await make())}`)
      await ask(path, { method: 'PATCH', headers: bearer(keep(await make())) })
      await ask(`${path}?topic=%zz&authorization=${keep(await make())}`)
    }
  }
  const token = keep(await good[0]!())
  for (const headers of [
    { Authorization: `Basic ${token}` },
    { Authorization: token },
    { Authorization: `Bearer ${token}`.repeat(2) },
    { Authorization: `Bearer ${token} ${token}` },
    { Cookie: `mercureAuthorization=${token}`, Referer: `${page}/?authorization=${token}` },
  ]) {
    await ask(`${path}?topic=a`, { headers })
    await ask(path, { method: 'POST', headers })
  }
  for (const head of [
    `GET ${path}?authorization=${token} HTTP/1.1\r\nHost: not a host`,
    `GET ${path}?authorization=${token} HTTP/1.1\r\nHost: a\r\nHost: b`,
    `GET http://a b/?authorization=${token} HTTP/1.1\r\nHost: a`,
    `GET http://[/?authorization=${token} HTTP/1.1\r\nHost: a`,
    `GET \\${path}?authorization=${token} HTTP/1.1\r\nHost: a`,
    `GET ${path}?topic=a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nAuthorization: Bearer ${token}`,
    `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: 200000`,
  ]) {
    await exchange(url, `${head}\r\nConnection: close\r\n\r\n`)
  }
  return tokens
}

suite('what is secret stays out of the log', () => {
  for (const debug of [false, true]) {
    test(`${debug ? 'also' : 'not'} at debug level`, async () => {
      await using hub = await HubProcess.start({ config: config(debug) })
      const url = await hub.url()
      const stream = await EventStream.open(`${url}${path}?topic=https://example.com/1`)
      const tokens = await useTokens(url)
      await stream.take(4)
      stream.close()
      hub.signal('SIGTERM')
      assert.equal(await hub.exit(), 0)

      const output = hub.stdout + hub.stderr
      assert.equal(hub.stderr, '')
      assert.ok(hub.log.filter(({ msg }) => msg === 'request refused').length > 100)
      assert.ok(hub.log.filter(({ msg }) => msg === 'new subscriber').length > 10)
      assert.ok(tokens.length > 200)
      for (const token of tokens) {
        // The first part says only how the token is signed, and is the same for most.
        for (const part of token.split('.').slice(1)) assert.ok(!output.includes(part), part)
        assert.ok(!output.includes(token), token)
      }
      for (const secret of [testKey, Buffer.from(testKey).toString('base64'), claims.mercure.payload.secret]) {
        assert.ok(!output.includes(secret))
      }
      // What publishers send is logged for those who look for a fault, and for nobody else.
      const levels = hub.log.filter(line => JSON.stringify(line).includes(payload)).map(({ level }) => level)
      assert.deepEqual(new Set(levels), new Set(debug ? [20] : []))
    })
  }
})
