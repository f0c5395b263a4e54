import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, afterEach, before, suite, test } from 'node:test'
import { SignJWT } from 'jose'
import { hubPath } from '../../../src/protocol/topic.ts'
import { exchange } from '../../support/connection.ts'
import { type Settings, startHub, type TestHub } from '../../support/hub.ts'
import { pkcs8, secret, spki } from '../../support/keys.ts'
import { assertDelivers, assertRefusal, request } from '../../support/raw-request.ts'
import { subscriberToken, testKey } from '../../support/token.ts'

let hub: TestHub
before(async () => {
  hub = await startHub()
})
after(() => hub.close())
afterEach(() => assertDelivers(hub))

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
          [`GET ${hubPath}?topic=a HTTP/1.1`, [`Authorization: Bearer ${text}`]],
          [`GET ${hubPath}?topic=a HTTP/1.1`, [`Cookie: mercureAuthorization=${text}`]],
          [`GET ${hubPath}?topic=a&authorization=${text} HTTP/1.1`, []],
          [`POST ${hubPath} HTTP/1.1`, [`Authorization: Bearer ${text}`, 'Content-Length: 0']],
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
