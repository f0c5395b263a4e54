import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignJWT } from 'jose'
import { exchange } from '../support/connection.ts'
import { type Settings, startHub } from '../support/hub.ts'
import { signToken, testIssuer, testKey } from '../support/token.ts'

/** A publisher in use: its request, byte for byte but for host and length, and what subscribers then receive. */
interface Publisher {
  readonly name: string
  readonly settings?: Settings
  /** Key and contents of its token; 1.0 tokens have the hub's URL put in as their `aud`. */
  readonly key?: string
  readonly header: { alg: string; typ?: string }
  readonly claims: Record<string, unknown>
  /** Where it puts the token. */
  readonly place?: 'header' | 'query'
  readonly head: string[]
  readonly body: string
  readonly event: { event?: string; data: string; id?: string; retry?: number }
  readonly isPrivate?: boolean
}

/** NumericDate with a fraction, as lcobucci/jwt writes it. */
const now = Date.now() / 1000
const fractional = { iat: now - 0.25, exp: now + 3600.5 }
const form = 'Content-Type: application/x-www-form-urlencoded'
const book = 'https://example.com/books/1'
const encodedBook = 'https%3A%2F%2Fexample.com%2Fbooks%2F1'

const symfony = {
  header: { typ: 'JWT', alg: 'HS256' },
  claims: { mercure: { publish: ['*'], subscribe: [] }, ...fractional },
  head: [form, 'Accept: */*', 'User-Agent: Symfony HttpClient (Curl)', 'Accept-Encoding: gzip'],
}

const publishers: Publisher[] = [
  {
    name: 'symfony/mercure, every field',
    ...symfony,
    body: `topic=${encodedBook}&topic=https%3A%2F%2Fexample.com%2F%7Eann%2Fbooks&data=%7B%22status%22%3A%22Out+of+stock%22%7D&private=on&id=urn%3Auuid%3Ae1ee88e2-532a-4d6f-ba70-f0f8bd584022&type=book.updated&retry=1500`,
    event: {
      event: 'book.updated',
      retry: 1500,
      id: 'urn:uuid:e1ee88e2-532a-4d6f-ba70-f0f8bd584022',
      data: '{"status":"Out of stock"}',
    },
    isPrivate: true,
  },
  { name: 'symfony/mercure, no data', ...symfony, body: `topic=${encodedBook}&data=`, event: { data: '' } },
  {
    name: 'symfony/ux-turbo, a stream of several lines',
    ...symfony,
    body: `topic=${encodedBook}&data=%3Cturbo-stream+action%3D%22append%22+target%3D%22books%22%3E%0A++%3Ctemplate%3E%0D%0A%3Cp%3E%C3%89t%C3%A9%3C%2Fp%3E%0A%3C%2Ftemplate%3E%0A%3C%2Fturbo-stream%3E%0A`,
    event: {
      data: '<turbo-stream action="append" target="books">\n  <template>\n<p>Été</p>\n</template>\n</turbo-stream>\n',
    },
  },
  {
    name: 'API Platform, a deleted resource',
    ...symfony,
    body: `topic=${encodedBook}&data=%7B%22%40id%22%3A%22%5C%2Fbooks%5C%2F1%22%2C%22%40type%22%3A%22Book%22%7D&private=on`,
    event: { data: '{"@id":"\\/books\\/1","@type":"Book"}' },
    isPrivate: true,
  },
  {
    name: 'symfony/mercure 0.8 with a token of 1.0',
    ...symfony,
    settings: { issuers: [testIssuer] },
    header: { typ: 'at+jwt', alg: 'HS256' },
    claims: {
      ...fractional,
      iss: testIssuer.id,
      sub: 'app',
      client_id: 'app',
      authorization_details: [
        { type: 'https://mercure.rocks/authorization-detail', actions: ['publish'], topics: [{ match: '*' }] },
      ],
    },
    body: `topic=${encodedBook}&data=1.0&private=on`,
    event: { data: '1.0' },
    isPrivate: true,
  },
  {
    name: 'laravel-mercure-broadcaster, a token without exp',
    ...symfony,
    claims: { mercure: { publish: ['*'] } },
    body: `topic=${encodedBook}&data=%7B%22event%22%3A%22App%5C%5CEvents%5C%5CShipped%22%2C%22data%22%3A%7B%22id%22%3A1%7D%7D`,
    event: { data: '{"event":"App\\\\Events\\\\Shipped","data":{"id":1}}' },
  },
  {
    name: 'turbo-train, a key of four bytes, neither typ nor exp',
    settings: { publisher_jwt_key: 'test', subscriber_jwt_key: 'testing' },
    key: 'test',
    header: { alg: 'HS256' },
    claims: { mercure: { publish: [book] } },
    head: ['Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3', 'Accept: */*', 'User-Agent: Ruby', form],
    body: `topic=${encodedBook}&data=%3Cturbo-stream+action%3D%22remove%22+target%3D%22book_1%22%3E%3C%2Fturbo-stream%3E`,
    event: { data: '<turbo-stream action="remove" target="book_1"></turbo-stream>' },
  },
  {
    name: 'mercure_dart on a server, a charset in the type',
    header: { alg: 'HS256', typ: 'JWT' },
    claims: { mercure: { publish: ['https://example.com/books/{id}'] } },
    head: [
      'user-agent: Dart/3.9 (dart:io)',
      'content-type: application/x-www-form-urlencoded; charset=utf-8',
      'accept-encoding: gzip',
    ],
    body: `topic=${encodedBook}&data=gr%C3%BCn&private=on&retry=3000`,
    event: { data: 'grün', retry: 3000 },
    isPrivate: true,
  },
  {
    name: 'mercure_dart on the web, its token in the query',
    header: { alg: 'HS256', typ: 'JWT' },
    claims: { mercure: { publish: ['*'] } },
    place: 'query',
    head: ['Content-Type: application/x-www-form-urlencoded; charset=utf-8', 'Origin: https://app.example'],
    body: `topic=${encodedBook}&data=web`,
    event: { data: 'web' },
  },
  {
    name: 'PHP streams, a token header of alg alone',
    header: { alg: 'HS256' },
    claims: { mercure: { publish: ['*'] } },
    head: ['Content-type: application/x-www-form-urlencoded'],
    body: `topic=${encodedBook}&data=%7B%22headline%22%3A%22Hello%22%7D`,
    event: { data: '{"headline":"Hello"}' },
  },
  {
    name: 'yii2-mercure, a target of the time before 0.10',
    ...symfony,
    body: `topic=${encodedBook}&data=Hello&target=https%3A%2F%2Fexample.com%2Fuser%2F1`,
    event: { data: 'Hello' },
  },
]

for (const publisher of publishers) {
  const {
    name,
    settings = {},
    key = testKey,
    header,
    claims,
    place = 'header',
    head,
    body,
    event,
    isPrivate = false,
  } = publisher
  test(`publishes as ${name}`, async () => {
    await using hub = await startHub(settings)
    const all = {
      headers: {
        Authorization: `Bearer ${await signToken({ mercure: { subscribe: ['*'] } }, subscriberKey(settings))}`,
      },
    }
    const [granted, anonymous] = await Promise.all([
      hub.subscribe(`topic=${book}`, all),
      hub.subscribe(`topic=${book}`),
    ])
    const token = await new SignJWT({ ...claims, ...(header.typ === 'at+jwt' ? { aud: hub.hubUrl } : {}) })
      .setProtectedHeader(header)
      .sign(new TextEncoder().encode(key))

    const target = `/.well-known/mercure${place === 'query' ? `?authorization=${token}` : ''}`
    const lines = [
      `POST ${target} HTTP/1.1`,
      `Host: ${new URL(hub.url).host}`,
      ...(place === 'header' ? [`Authorization: Bearer ${token}`] : []),
      ...head,
      `Content-Length: ${body.length}`,
      'Connection: close',
    ]
    const answer = await exchange(hub.url, `${lines.join('\r\n')}\r\n\r\n${body}`)

    assert.equal(answer.status, 200, answer.body)
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
    const [received] = await granted.take()
    const { retry, ...expected } = event
    assert.deepEqual(received, { event: undefined, id: answer.body, ...expected })
    if (retry !== undefined) assert.equal(granted.retries.at(-1), retry)
    await hub.running.close()
    await anonymous.end()
    assert.equal(anonymous.events.length, isPrivate ? 0 : 1)
  })
}

function subscriberKey(settings: Settings): string {
  return typeof settings.subscriber_jwt_key === 'string' ? settings.subscriber_jwt_key : testKey
}

test('mercure-bundle learns which list of its 1.0 token is empty', async () => {
  await using hub = await startHub({ issuers: [testIssuer] })
  const detail = { type: 'https://mercure.rocks/authorization-detail' }
  const token = await new SignJWT({
    ...{ iss: testIssuer.id, aud: hub.hubUrl, exp: Math.floor(now) + 60 },
    authorization_details: [
      { ...detail, actions: ['publish'], topics: [{ match: '*' }] },
      { ...detail, actions: ['subscribe'], topics: [] },
    ],
  })
    .setProtectedHeader({ typ: 'at+jwt', alg: 'HS256' })
    .sign(new TextEncoder().encode(testKey))
  const response = await hub.post(new URLSearchParams({ topic: book }), {
    headers: { Authorization: `Bearer ${token}` },
  })
  assert.equal(response.status, 401)
  assert.match(await response.text(), /^token_claims: .*authorization_details\[1\].*topics/)
})
