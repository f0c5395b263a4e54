import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, afterEach, before, suite, test } from 'node:test'
import { SignJWT } from 'jose'
import { type Answer, exchange } from '../support/connection.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { pkcs8, secret, spki } from '../support/keys.ts'
import { publisherToken, subscriberToken, testKey } from '../support/token.ts'

const path = '/.well-known/mercure'
const form = 'Content-Type: application/x-www-form-urlencoded'
const mebibyte = 1 << 20

let hub: TestHub
let authorization: string
before(async () => {
  hub = await startHub()
  authorization = `Authorization: Bearer ${await publisherToken()}`
})
after(() => hub.close())

/** After whatever was sent, an update still reaches its subscriber. */
afterEach(async () => {
  const stream = await hub.subscribe('topic=https://example.com/alive')
  const id = await hub.publish({ topic: 'https://example.com/alive' })
  assert.deepEqual(
    (await stream.take()).map(event => event.id),
    [id],
  )
  stream.close()
})

/** A request that is right but for what a row puts in: the connection closes after its answer. */
const request = (line: string, headers: readonly string[] = [], body = ''): string =>
  [line, 'Host: hub.example', 'Connection: close', ...headers, '', body].join('\r\n')

const publish = (body: string, ...headers: string[]): string =>
  request(`POST ${path} HTTP/1.1`, [authorization, form, `Content-Length: ${body.length}`, ...headers], body)

const chunked = (body: string, ...headers: string[]): string => {
  const chunks = (body.match(/.{1,65536}/gs) ?? []).map(chunk => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
  return request(
    `POST ${path} HTTP/1.1`,
    [authorization, form, 'Transfer-Encoding: chunked', ...headers],
    `${chunks.join('')}0\r\n\r\n`,
  )
}

const fill = (length: number): string => `topic=a&data=${'x'.repeat(length - 'topic=a&data='.length)}`
const repeat = (count: number, make: (index: number) => string, separator: string): string =>
  Array.from({ length: count }, (_, index) => make(index)).join(separator)

interface Row {
  readonly name: string
  /** Made when the row runs. */
  readonly bytes: () => string
  readonly status: number
  /** The refusal's code, where the hub itself answers and not Node's parser. */
  readonly code?: string
}

function testRows(rows: readonly Row[]): void {
  for (const { name, bytes, status, code } of rows) {
    test(`${name}: ${status}`, async () => {
      const answer = await exchange(hub.url, bytes())
      assert.equal(answer.status, status, answer.body)
      if (code !== undefined) assertRefusal(answer, code)
    })
  }
}

function assertRefusal({ headers, body }: Answer, code: string): void {
  assert.ok(body.startsWith(`${code}: `), body)
  assert.equal(headers['content-type'], 'text/plain; charset=utf-8')
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.equal(headers['x-frame-options'], 'DENY')
  assert.ok(body.length < 1000, 'a refusal is short, however long the request')
}

suite('heads', () => {
  testRows([
    { name: 'no HTTP at all', bytes: () => 'EHLO example.com\r\n\r\n', status: 400 },
    { name: 'a TLS handshake', bytes: () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', status: 400 },
    { name: 'HTTP/2 without TLS', bytes: () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: 400 },
    { name: 'a version that does not exist', bytes: () => request(`GET ${path}?topic=a HTTP/9.9`), status: 400 },
    { name: 'no version', bytes: () => request(`GET ${path}?topic=a`), status: 400 },
    { name: 'a method that does not exist', bytes: () => request(`FETCH ${path}?topic=a HTTP/1.1`), status: 400 },
    { name: 'a method in lower case', bytes: () => request(`get ${path}?topic=a HTTP/1.1`), status: 400 },
    {
      name: 'a known method that the hub does not serve',
      bytes: () => request(`PROPFIND ${path} HTTP/1.1`),
      status: 405,
      code: 'method_not_allowed',
    },
    { name: 'TRACE', bytes: () => request(`TRACE ${path} HTTP/1.1`), status: 405, code: 'method_not_allowed' },
    { name: 'OPTIONS *', bytes: () => request('OPTIONS * HTTP/1.1'), status: 400, code: 'request_malformed' },
    { name: 'a target without a slash', bytes: () => request('GET mercure HTTP/1.1'), status: 400 },
    {
      name: 'a backslash in the path',
      bytes: () => request('GET /.well-known\\mercure?topic=a HTTP/1.1'),
      status: 400,
      code: 'request_malformed',
    },
    {
      name: 'a path with dots that lead to the hub',
      bytes: () => request(`GET /x/..${path}?topic=a HTTP/1.1`),
      status: 404,
      code: 'not_found',
    },
    {
      name: 'a percent-encoded spelling of the path',
      bytes: () => request('GET /.well-known/%6Dercure?topic=a HTTP/1.1'),
      status: 404,
      code: 'not_found',
    },
    {
      name: 'a broken percent-encoding in the path',
      bytes: () => request(`GET ${path}/%zz HTTP/1.1`),
      status: 404,
      code: 'not_found',
    },
    { name: 'a NUL in the target', bytes: () => request(`GET ${path}?topic=\0 HTTP/1.1`), status: 400 },
    { name: 'a raw byte in the target', bytes: () => request(`GET ${path}?match=\xff HTTP/1.1`), status: 400 },
    {
      name: 'a URL longer than any head may be',
      bytes: () => request(`GET ${path}?topic=${'a'.repeat(mebibyte)} HTTP/1.1`),
      status: 431,
    },
    {
      name: 'a header longer than any head may be',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, [`X: ${'a'.repeat(mebibyte)}`]),
      status: 431,
    },
    {
      name: 'a flood of headers',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, [repeat(100_000, i => `X${i}: a`, '\r\n')]),
      status: 431,
    },
    {
      name: 'a Last-Event-ID longer than any head may be',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, [`Last-Event-ID: ${'a'.repeat(mebibyte)}`]),
      status: 431,
    },
    {
      name: 'a NUL in a header',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, ['Last-Event-ID: a\0b']),
      status: 400,
    },
    {
      name: 'a control character in a header',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, ['Last-Event-ID: a\x01b']),
      status: 400,
    },
    {
      name: 'a bare CR in a header',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, ['Last-Event-ID: a\rX: b']),
      status: 400,
    },
    {
      name: 'a header folded over two lines',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, ['Last-Event-ID: a\r\n b']),
      status: 400,
    },
    {
      name: 'a space before the colon',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, ['Last-Event-ID : a']),
      status: 400,
    },
    { name: 'a header without a name', bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, [': a']), status: 400 },
    {
      name: 'lines that end in LF alone',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`).replaceAll('\r\n', '\n'),
      status: 400,
    },
  ])
})

suite('Host', () => {
  const get = (...hosts: string[]) =>
    [`GET ${path} HTTP/1.1`, ...hosts.map(host => `Host: ${host}`), 'Connection: close', '', ''].join('\r\n')
  testRows([
    { name: 'none', bytes: () => get(), status: 400 },
    {
      name: 'none in HTTP/1.0, where it may be absent',
      bytes: () => `GET ${path} HTTP/1.0\r\n\r\n`,
      status: 400,
      code: 'matcher_missing',
    },
    { name: 'empty', bytes: () => get(''), status: 400, code: 'matcher_missing' },
    { name: 'two', bytes: () => get('hub.example', 'evil.example'), status: 400, code: 'request_malformed' },
    { name: 'the same twice', bytes: () => get('hub.example', 'hub.example'), status: 400, code: 'request_malformed' },
    { name: 'with spaces', bytes: () => get('a b'), status: 400, code: 'request_malformed' },
    { name: 'with a path', bytes: () => get('hub.example/path'), status: 400, code: 'request_malformed' },
    { name: 'with a user', bytes: () => get('user@hub.example'), status: 400, code: 'request_malformed' },
    { name: 'markup', bytes: () => get('"><script>alert(1)</script>'), status: 400, code: 'request_malformed' },
    { name: 'a port that is none', bytes: () => get('hub.example:99999'), status: 400, code: 'request_malformed' },
    { name: 'not UTF-8', bytes: () => get('\xff\xfe'), status: 400, code: 'request_malformed' },
    { name: 'as long as a head may be', bytes: () => get('a'.repeat(100_000)), status: 400, code: 'matcher_missing' },
  ])

  test('thousands of different ones, each with a pattern of its own: each is answered', async () => {
    for (let batch = 0; batch < 20; batch++) {
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const line = `HEAD ${path}?match_urlpattern=/${batch}/${index}/:id HTTP/1.1`
          return await exchange(hub.url, `${line}\r\nHost: h${batch}-${index}.example\r\nConnection: close\r\n\r\n`)
        }),
      )
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    }
  })
})

suite('bodies', () => {
  testRows([
    { name: 'exactly the limit', bytes: () => publish(fill(mebibyte)), status: 200 },
    { name: 'exactly the limit, in chunks', bytes: () => chunked(fill(mebibyte)), status: 200 },
    { name: 'one byte more', bytes: () => publish(fill(mebibyte + 1)), status: 413, code: 'body_too_large' },
    { name: 'one byte more, in chunks', bytes: () => chunked(fill(mebibyte + 1)), status: 413, code: 'body_too_large' },
    {
      name: 'many times the limit, in chunks',
      bytes: () => chunked(fill(20 * mebibyte)),
      status: 413,
      code: 'body_too_large',
    },
    {
      name: 'one byte more, of a QUERY',
      bytes: () => request(`QUERY ${path} HTTP/1.1`, [form, `Content-Length: ${mebibyte + 1}`], fill(mebibyte + 1)),
      status: 413,
      code: 'body_too_large',
    },
    {
      name: 'a length that no body can have',
      bytes: () => request(`POST ${path} HTTP/1.1`, [authorization, form, 'Content-Length: 99999999999999999999']),
      status: 400,
    },
    {
      name: 'a negative length',
      bytes: () => request(`POST ${path} HTTP/1.1`, [authorization, form, 'Content-Length: -1']),
      status: 400,
    },
    { name: 'two lengths', bytes: () => publish('topic=a', 'Content-Length: 70'), status: 400 },
    { name: 'a length and chunks', bytes: () => chunked('topic=a', 'Content-Length: 7'), status: 400 },
    {
      name: 'chunks, but not as the last coding',
      bytes: () =>
        request(`POST ${path} HTTP/1.1`, [authorization, form, 'Transfer-Encoding: chunked, gzip'], '0\r\n\r\n'),
      status: 400,
    },
    {
      name: 'a chunk whose size is none',
      bytes: () =>
        request(
          `POST ${path} HTTP/1.1`,
          [authorization, form, 'Transfer-Encoding: chunked'],
          'xyz\r\ntopic=a\r\n0\r\n\r\n',
        ),
      status: 400,
    },
    {
      name: 'a chunk longer than its size',
      bytes: () =>
        request(
          `POST ${path} HTTP/1.1`,
          [authorization, form, 'Transfer-Encoding: chunked'],
          '3\r\ntopic=a\r\n0\r\n\r\n',
        ),
      status: 400,
    },
    { name: 'a percent sign alone', bytes: () => publish('topic=a&data=100%'), status: 400, code: 'body_malformed' },
    {
      name: 'a percent sign and one digit',
      bytes: () => publish('topic=a&data=%4'),
      status: 400,
      code: 'body_malformed',
    },
    {
      name: 'a percent sign and no hexadecimal digits',
      bytes: () => publish('topic=a&data=%zz'),
      status: 400,
      code: 'body_malformed',
    },
    {
      name: 'a percent sign alone in a name',
      bytes: () => publish('topic=a&%=b'),
      status: 400,
      code: 'body_malformed',
    },
    {
      name: 'a percent sign alone in the query',
      bytes: () => request(`GET ${path}?topic=% HTTP/1.1`),
      status: 400,
      code: 'body_malformed',
    },
    {
      name: 'a percent sign alone in the body of a QUERY',
      bytes: () => request(`QUERY ${path} HTTP/1.1`, [form, 'Content-Length: 7'], 'topic=%'),
      status: 400,
      code: 'body_malformed',
    },
    { name: '1,000 topics', bytes: () => publish(repeat(1000, i => `topic=${i}`, '&')), status: 200 },
    {
      name: '1,001 topics',
      bytes: () => publish(repeat(1001, i => `topic=${i}`, '&')),
      status: 400,
      code: 'topics_too_many',
    },
    {
      name: 'a hundred thousand fields',
      bytes: () => publish(`topic=a&${repeat(100_000, () => 'b=c', '&')}`),
      status: 200,
    },
    { name: 'half a million separators', bytes: () => publish(`topic=a${'&'.repeat(500_000)}`), status: 200 },
    { name: 'a megabyte of escapes', bytes: () => publish(`topic=a&data=${'%41'.repeat(300_000)}`), status: 200 },
    {
      name: 'a megabyte of escapes that are no UTF-8',
      bytes: () => publish(`topic=a&data=${'%FF'.repeat(300_000)}`),
      status: 200,
    },
    {
      name: 'a media type that is none',
      bytes: () =>
        request(`POST ${path} HTTP/1.1`, [authorization, 'Content-Type: ;;;', 'Content-Length: 7'], 'topic=a'),
      status: 400,
      code: 'body_malformed',
    },
    {
      name: 'an expectation that nobody knows',
      bytes: () => publish('topic=a', 'Expect: the-unexpected'),
      status: 417,
    },
    { name: 'Expect: 100-continue', bytes: () => publish('topic=a', 'Expect: 100-continue'), status: 200 },
    {
      name: 'Expect: 100-continue of a body that is too large',
      bytes: () =>
        request(`POST ${path} HTTP/1.1`, [
          authorization,
          form,
          `Content-Length: ${mebibyte + 1}`,
          'Expect: 100-continue',
        ]),
      status: 413,
      code: 'body_too_large',
    },
  ])
})

suite('matchers', () => {
  const matchers = (count: number, make: (index: number) => string) =>
    request(`HEAD ${path}?${repeat(count, make, '&')} HTTP/1.1`)
  const query = (body: string) => request(`QUERY ${path} HTTP/1.1`, [form, `Content-Length: ${body.length}`], body)
  testRows([
    {
      name: '1,000 selectors of 0.x in a URL',
      bytes: () => matchers(1000, i => `topic=https%3A%2F%2Fexample.com%2Fbooks%2F${i}%7B%3Fpage%7D`),
      status: 200,
    },
    {
      name: '1,001 selectors of 0.x',
      bytes: () => query(repeat(1001, i => `topic=${i}`, '&')),
      status: 400,
      code: 'matchers_too_many',
    },
    {
      name: '100 matchers',
      bytes: () => matchers(100, i => `match_urlpattern=https://example.com/${'x'.repeat(1000)}/${i}/:id`),
      status: 200,
    },
    {
      name: '101 matchers',
      bytes: () => query(repeat(101, i => `match=${i}`, '&')),
      status: 400,
      code: 'matchers_too_many',
    },
    {
      name: '101 matchers of two kinds',
      bytes: () => query(`${repeat(51, i => `match=${i}`, '&')}&${repeat(50, i => `match_urlpattern=/${i}`, '&')}`),
      status: 400,
      code: 'matchers_too_many',
    },
    {
      name: 'a matcher longer than 4,096 bytes',
      bytes: () => query(`match=${'a'.repeat(4097)}`),
      status: 400,
      code: 'matcher_too_long',
    },
    {
      name: 'a template longer than 4,096 bytes',
      bytes: () => query(`topic=${'{a}'.repeat(2000)}`),
      status: 400,
      code: 'matcher_too_long',
    },
    {
      name: 'a pattern that does not compile',
      bytes: () => query('match_urlpattern=/(unclosed'),
      status: 400,
      code: 'matcher_invalid',
    },
    {
      name: 'a template too large to be matched quickly',
      bytes: () => query(`topic=${'{a*},'.repeat(40)}`),
      status: 400,
      code: 'matcher_too_complex',
    },
    { name: 'no matcher', bytes: () => request(`GET ${path} HTTP/1.1`), status: 400, code: 'matcher_missing' },
  ])

  /** Each takes a backtracking engine longer than anybody waits. */
  const slow: readonly { readonly name: string; readonly query: string; readonly topic: string }[] = [
    { name: 'wildcards', query: `match_urlpattern=/${'*a'.repeat(40)}*b`, topic: `/${'a'.repeat(4000)}` },
    {
      name: 'groups',
      query: `match_urlpattern=/${encodeURIComponent('(.*)a'.repeat(40))}b`,
      topic: `/${'a'.repeat(4000)}`,
    },
    {
      name: 'nested repetition',
      query: `match_urlpattern=/${encodeURIComponent('((?:a+)+)b')}`,
      topic: `/${'a'.repeat(4000)}`,
    },
    {
      name: 'alternatives that overlap',
      query: `match_urlpattern=/${encodeURIComponent('((?:a|aa|a?)*)c')}`,
      topic: `/${'a'.repeat(4000)}`,
    },
    {
      name: 'template variables',
      query: `topic=${encodeURIComponent(`${'{+a}a'.repeat(40)}b`)}`,
      topic: 'a'.repeat(4000),
    },
    {
      name: 'exploded template variables',
      query: `topic=${encodeURIComponent(`${'{a*},'.repeat(8)}/b`)}`,
      topic: 'a,'.repeat(2000),
    },
  ]
  for (const { name, query, topic } of slow) {
    test(`a pattern of many ${name} holds nobody up`, { timeout: 10_000 }, async () => {
      const stream = await hub.subscribe(`${query}&topic=${encodeURIComponent('https://example.com/alive')}`)
      for (let i = 0; i < 20; i++) await hub.publish({ topic: `${topic.slice(0, -2)}${i}` })
      const id = await hub.publish({ topic: 'https://example.com/alive' })
      assert.deepEqual(
        (await stream.take()).map(event => event.id),
        [id],
        'nothing matched, and the stream goes on',
      )
      stream.close()
    })
  }
})

suite('tokens', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { mercure: { publish: ['*'], subscribe: ['*'] } }
  const hmac = (key: string, header = {}) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'HS256', ...header }).sign(Buffer.from(key))

  const rows: readonly { name: string; token: () => string | Promise<string>; code: string; settings?: Settings }[] = [
    {
      name: 'alg none, no signature',
      token: () => `${base64({ alg: 'none' })}.${base64(claims)}.`,
      code: 'token_algorithm',
    },
    {
      name: 'alg None, some signature',
      token: () => `${base64({ alg: 'None' })}.${base64(claims)}.${base64({ a: 1 })}`,
      code: 'token_algorithm',
    },
    {
      name: 'no alg',
      token: () => `${base64({ typ: 'JWT' })}.${base64(claims)}.${base64({ a: 1 })}`,
      code: 'token_algorithm',
    },
    {
      name: 'another HMAC algorithm',
      token: () => new SignJWT(claims).setProtectedHeader({ alg: 'HS512' }).sign(Buffer.from(secret)),
      code: 'token_algorithm',
    },
    {
      name: 'the public key as HMAC key',
      token: () => hmac(spki(rsa.publicKey)),
      code: 'token_algorithm',
      settings: { jwt_key: spki(rsa.publicKey), jwt_algorithm: 'RS256' },
    },
    {
      name: 'the public key without its last line end as HMAC key',
      token: () => hmac(spki(rsa.publicKey).trimEnd()),
      code: 'token_algorithm',
      settings: { jwt_key: spki(rsa.publicKey), jwt_algorithm: 'RS256' },
    },
    { name: 'the private key as HMAC key', token: () => hmac(pkcs8(rsa.privateKey)), code: 'token_signature' },
    { name: 'another key', token: () => hmac('another-key-for-tests-that-is-32-bytes'), code: 'token_signature' },
    { name: 'the empty key', token: () => hmac('\0'), code: 'token_signature' },
    {
      name: 'a key of its own in the header',
      token: () => hmac('mine', { jwk: { kty: 'oct', k: base64({}) } }),
      code: 'token_signature',
    },
    {
      name: 'a key of its own on a server',
      token: () => hmac('mine', { jku: 'http://127.0.0.1:9/keys', x5u: 'http://127.0.0.1:9/' }),
      code: 'token_signature',
    },
    {
      name: 'an extension that must be understood',
      token: async () => `${base64({ alg: 'HS256', crit: ['exp'], exp: 1 })}.${base64(claims)}.${base64({ a: 1 })}`,
      code: 'token_malformed',
    },
    {
      name: 'no JSON',
      token: () => 'bm8gSlNPTg-at-all-1.bm8gSlNPTg-at-all-2.bm8gSlNPTg-at-all-3',
      code: 'token_malformed',
    },
    { name: 'a hundred dots', token: () => `a${'.b'.repeat(100)}`, code: 'token_malformed' },
    { name: 'sixty thousand characters', token: () => `${'Zq9'.repeat(20_000)}.b.c`, code: 'token_malformed' },
    { name: 'a hundred thousand characters', token: () => `${'Zq9'.repeat(35_000)}.b.c`, code: 'token_malformed' },
    {
      name: 'an expired one',
      token: async () =>
        await new SignJWT({ ...claims, exp: 1 }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(testKey)),
      code: 'token_expired',
    },
  ]
  for (const { name, token, code, settings } of rows) {
    test(`${name}: 401, in every place where a token may be`, async () => {
      const text = await token()
      const strict = settings === undefined ? hub : await startHub(settings)
      try {
        const places: [string, string[]][] = [
          [`GET ${path}?topic=a HTTP/1.1`, [`Authorization: Bearer ${text}`]],
          [`GET ${path}?topic=a HTTP/1.1`, [`Cookie: mercureAuthorization=${text}`]],
          [`GET ${path}?topic=a&authorization=${text} HTTP/1.1`, []],
          [`POST ${path} HTTP/1.1`, [`Authorization: Bearer ${text}`, 'Content-Length: 0']],
        ]
        for (const [line, headers] of places) {
          const answer = await exchange(strict.url, request(line, headers))
          assert.equal(answer.status, 401, answer.body)
          assertRefusal(answer, code)
          assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer /)
          assertNothingOf(text, JSON.stringify(answer))
        }
        for (const line of strict.logs) assertNothingOf(text, JSON.stringify(line))
      } finally {
        if (strict !== hub) await strict.close()
      }
    })
  }

  test('a token that is accepted leaves no trace in the log, wherever it was', async () => {
    const text = await subscriberToken(['*'])
    const init: RequestInit[] = [
      { headers: { Authorization: `Bearer ${text}` } },
      { headers: { Cookie: `mercureAuthorization=${text}` } },
    ]
    for (const one of init) (await hub.subscribe('topic=a', one)).close()
    ;(await hub.subscribe(`topic=a&authorization=${text}`)).close()
    for (const line of hub.logs) assertNothingOf(text, JSON.stringify(line))
  })

  /** Neither the token nor one of its longer parts. */
  function assertNothingOf(token: string, text: string): void {
    for (const part of [token, ...token.split('.').filter(part => part.length > 20)])
      assert.ok(!text.includes(part), text.slice(0, 2000))
  }
})
