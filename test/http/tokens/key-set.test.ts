import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { maxAgeMs, refreshFloorMs, retryFloorMs } from '../../../src/http/tokens/key-set.ts'
import { authenticator, now, refuses, TestLog, withBearer } from '../../support/authentication.ts'
import { keyPair, publicJwk, secretKey, sign } from '../../support/keys.ts'

const claims = { mercure: { publish: ['*'] } }
const first = keyPair('ES256', 'first')
const second = keyPair('ES256', 'second')
const firstJwk = publicJwk(first.publicKey, { kid: 'first', alg: 'ES256', use: 'sig' })
const secondJwk = publicJwk(second.publicKey, { kid: 'second', alg: 'ES256', use: 'sig' })
const tokenOfFirst = (sub = 'a') =>
  sign({ ...claims, sub }, { alg: 'ES256', key: first.privateKey, header: { kid: 'first' } })
const tokenOfSecond = (sub = 'a') =>
  sign({ ...claims, sub }, { alg: 'ES256', key: second.privateKey, header: { kid: 'second' } })
const unknown = (kid: unknown) => sign(claims, { alg: 'ES256', key: second.privateKey, header: { kid } })

/** What the server of key sets answers, and how often it was asked. */
const answer = { status: 200, body: '', headers: {} as Record<string, string>, requests: 0 }
let server: Server
let jwksUrl: string

before(async () => {
  server = createServer((_, response) => {
    answer.requests += 1
    response.writeHead(answer.status, answer.headers).end(answer.body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks?secret=hunter2`
})
after(() => server.close())

function serve(keys: readonly object[], status = 200): void {
  Object.assign(answer, { status, body: JSON.stringify({ keys }), headers: {}, requests: 0 })
}

function hubWith(source: { jwksUrl: string; algorithms?: string[] }) {
  const clock = { now }
  const log = new TestLog()
  const hub = authenticator({ legacy: { publisher: source }, log, now: () => clock.now })
  return { clock, log, publish: async (token: string) => hub.authenticate(withBearer(token), 'publisher') }
}

describe('a remote JWK Set', { timeout: 60_000 }, () => {
  test('is read once for many tokens', async () => {
    serve([firstJwk])
    const { publish, log } = hubWith({ jwksUrl })
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, i) => tokenOfFirst(`s${i}`)))
    const grants = await Promise.all(tokens.map(publish))
    assert.deepEqual(
      grants.map(grant => grant?.subject),
      tokens.map((_, i) => `s${i}`),
    )
    assert.equal(answer.requests, 1)
    assert.ok(!JSON.stringify(log.lines).includes('hunter2'), 'the query of the URL may hold a secret')
  })

  test('verifies a token without a kid, trying each key that its alg allows', async () => {
    serve([firstJwk, publicJwk(keyPair('RS256').publicKey), secondJwk])
    const { publish } = hubWith({ jwksUrl })
    const token = await sign(claims, { alg: 'ES256', key: second.privateKey })
    assert.notEqual(await publish(token), null)
    const forged = await sign(claims, { alg: 'ES256', key: keyPair('ES256', 'third').privateKey })
    await refuses(() => publish(forged), { code: 'token_signature' })
  })

  for (const algorithm of ['RS256', 'PS384', 'ES512', 'EdDSA']) {
    test(`holds keys for ${algorithm}`, async () => {
      serve([firstJwk, publicJwk(keyPair(algorithm).publicKey, { kid: 'k' })])
      const { publish } = hubWith({ jwksUrl })
      const token = await sign(claims, { alg: algorithm, key: keyPair(algorithm).privateKey, header: { kid: 'k' } })
      assert.notEqual(await publish(token), null)
    })
  }

  test('accepts only the algorithms that are configured', async () => {
    serve([firstJwk])
    const { publish } = hubWith({ jwksUrl, algorithms: ['RS256', 'PS256'] })
    await refuses(async () => publish(await tokenOfFirst()), {
      code: 'token_algorithm',
      sentence: /alg is "ES256"; this hub verifies publishers with RS256, PS256\./,
    })
  })

  test('never verifies HMAC, not even with a secret that is in the set', async () => {
    serve([{ kty: 'oct', k: secretKey.toString('base64url'), kid: 'first', alg: 'HS256' }])
    const { publish } = hubWith({ jwksUrl })
    await refuses(async () => publish(await sign(claims, { header: { kid: 'first' } })), { code: 'token_algorithm' })
  })

  test('a private key in the set verifies nothing', async () => {
    serve([{ ...first.privateKey.export({ format: 'jwk' }), kid: 'first' }])
    const { publish } = hubWith({ jwksUrl })
    await refuses(async () => publish(await tokenOfFirst()), { code: 'token_key_unknown', sentence: /cannot be used/ })
  })

  test('a rotated key is found by its unknown kid, but not more often than the floor allows', async () => {
    serve([firstJwk])
    const { publish, clock } = hubWith({ jwksUrl })
    await publish(await tokenOfFirst())
    serve([firstJwk, secondJwk])
    clock.now += refreshFloorMs - 1
    await refuses(async () => publish(await tokenOfSecond()), {
      code: 'token_key_unknown',
      sentence: /last read 30 s ago, .* every 30 s at most/,
      generation: '0.x',
    })
    assert.equal(answer.requests, 0)
    clock.now += 1
    const tokens = await Promise.all(Array.from({ length: 10 }, (_, i) => tokenOfSecond(`s${i}`)))
    await Promise.all(tokens.map(publish))
    assert.equal(answer.requests, 1)
  })

  test('invented kids do not make the hub hammer the server', async () => {
    serve([firstJwk])
    const { publish, clock } = hubWith({ jwksUrl })
    for (const kid of ['', '../first', 'x\u0000', '__proto__', 7, { toString: 1 }, 'a'.repeat(5000)]) {
      await refuses(async () => publish(await unknown(kid)), { code: 'token_key_unknown' })
    }
    assert.equal(answer.requests, 1)
    clock.now += refreshFloorMs
    await Promise.all(
      ['a', 'b', 'c'].map(async kid => refuses(async () => publish(await unknown(kid)), { code: 'token_key_unknown' })),
    )
    assert.equal(answer.requests, 2)
  })

  test('a withdrawn key is noticed at its age, and what it had verified is verified anew', async () => {
    serve([firstJwk, secondJwk])
    const { publish, clock, log } = hubWith({ jwksUrl })
    const token = await tokenOfFirst()
    assert.notEqual(await publish(token), null)
    serve([secondJwk])
    clock.now += maxAgeMs - 1
    assert.notEqual(await publish(token), null)
    assert.equal(answer.requests, 0)
    clock.now += 1
    const read = log.next('JWK Set read')
    assert.notEqual(await publish(token), null, 'nobody waits for the refresh')
    await read
    await refuses(() => publish(token), { code: 'token_key_unknown' })
  })

  test('the same set read again disturbs nothing', async () => {
    serve([firstJwk])
    const { publish, clock, log } = hubWith({ jwksUrl })
    await publish(await tokenOfFirst('another'))
    const token = await tokenOfFirst()
    const grant = await publish(token)
    clock.now += maxAgeMs
    await publish(token)
    await refuses(async () => publish(await unknown('x')), { code: 'token_key_unknown' })
    assert.equal(answer.requests, 2)
    assert.equal(await publish(token), grant, 'the grant is the remembered one')
    assert.equal(log.lines.length, 1)
  })

  const outages: { name: string; status: number; body: string; headers?: Record<string, string>; reason: RegExp }[] = [
    { name: 'an error', status: 500, body: 'oops', reason: /answered 500/ },
    { name: 'a redirect', status: 302, body: '', headers: { location: '/elsewhere' }, reason: /answered 302/ },
    { name: 'no JSON', status: 200, body: '<html>', reason: /not JSON/ },
    { name: 'no key set', status: 200, body: '{"keys": 1}', reason: /malformed/ },
    { name: 'JSON null', status: 200, body: 'null', reason: /malformed/ },
    {
      name: 'too much',
      status: 200,
      body: `{"keys":[],"x":"${'x'.repeat(1 << 20)}"}`,
      reason: /more than 1048576 bytes/,
    },
  ]
  for (const { name, status, body, headers = {}, reason } of outages) {
    test(`a server that answers ${name} gives 503 and keeps earlier keys`, async () => {
      Object.assign(answer, { status, body, headers, requests: 0 })
      const { publish, clock, log } = hubWith({ jwksUrl })
      const token = await tokenOfFirst()
      await refuses(() => publish(token), {
        code: 'token_keys_unreachable',
        generation: '0.x',
        sentence: /Try again later/,
      })
      const [line] = log.lines
      assert.equal(line?.level, 'warn')
      assert.match(JSON.stringify(line.fields), reason)
      await refuses(() => publish(token), { code: 'token_keys_unreachable' })
      assert.equal(answer.requests, 1, 'not asked again at once')

      serve([firstJwk])
      clock.now += retryFloorMs
      assert.notEqual(await publish(token), null, 'it recovers')

      Object.assign(answer, { status, body, headers, requests: 0 })
      clock.now += refreshFloorMs
      await refuses(async () => publish(await unknown('x')), { code: 'token_keys_unreachable' })
      assert.equal(answer.requests, 1)
      assert.notEqual(await publish(await tokenOfFirst('another')), null, 'the keys that are known go on verifying')
    })
  }

  test('a server that is not there', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port } = gone.address() as AddressInfo
    await new Promise(resolve => gone.close(resolve))
    const { publish, log } = hubWith({ jwksUrl: `http://127.0.0.1:${port}/jwks` })
    await refuses(async () => publish(await tokenOfFirst()), { code: 'token_keys_unreachable' })
    assert.match(JSON.stringify(log.lines), /ECONNREFUSED/)
  })
})

describe('a JWK Set in a file', { timeout: 60_000 }, () => {
  let directory: string
  let file: string
  const write = async (keys: readonly object[], modifiedSeconds: number) => {
    await writeFile(file, JSON.stringify({ keys }))
    await utimes(file, modifiedSeconds, modifiedSeconds)
  }
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'key-set-'))
    file = join(directory, 'jwks.json')
  })
  after(() => rm(directory, { recursive: true }))

  test('is read at the start, by file:/// or file://localhost/', async () => {
    await write([firstJwk], 1000)
    for (const url of [pathToFileURL(file).href, `file://localhost${file}`]) {
      const { publish } = hubWith({ jwksUrl: url })
      assert.notEqual(await publish(await tokenOfFirst()), null)
    }
  })

  test('a file that is missing or no key set stops the start', async () => {
    const source = { jwksUrl: pathToFileURL(join(directory, 'missing.json')).href }
    await refuses(() => hubWith(source), { code: 'configuration_invalid', sentence: /publisher_jwt_key: .*ENOENT/ })
    await writeFile(file, 'not JSON but perhaps a secret')
    const error = await refuses(() => hubWith({ jwksUrl: pathToFileURL(file).href }), {
      code: 'configuration_invalid',
      sentence: /it is not JSON/,
    })
    assert.ok(!error.message.includes('secret'))
    await writeFile(file, '[]')
    await refuses(() => hubWith({ jwksUrl: pathToFileURL(file).href }), {
      code: 'configuration_invalid',
      sentence: /malformed/,
    })
  })

  test('is read again for an unknown kid, not before the floor', async () => {
    await write([firstJwk], 1000)
    const { publish, clock } = hubWith({ jwksUrl: pathToFileURL(file).href })
    await write([secondJwk], 2000)
    await refuses(async () => publish(await tokenOfSecond()), { code: 'token_key_unknown' })
    clock.now += refreshFloorMs
    assert.notEqual(await publish(await tokenOfSecond()), null)
  })

  test('is read again when it was changed, and a withdrawn key is forgotten', async () => {
    await write([firstJwk], 1000)
    const { publish, clock, log } = hubWith({ jwksUrl: pathToFileURL(file).href })
    const token = await tokenOfFirst()
    assert.notEqual(await publish(token), null)
    await write([secondJwk], 2000)
    assert.notEqual(await publish(token), null)
    clock.now += refreshFloorMs
    const read = log.next('JWK Set read')
    await publish(token)
    await read
    await refuses(() => publish(token), { code: 'token_key_unknown' })
  })

  test('a file half written keeps the keys of before', async () => {
    await write([firstJwk], 1000)
    const { publish, clock, log } = hubWith({ jwksUrl: pathToFileURL(file).href })
    await writeFile(file, '{"keys": [')
    clock.now += refreshFloorMs
    await refuses(async () => publish(await tokenOfSecond()), { code: 'token_keys_unreachable' })
    assert.match(JSON.stringify(log.lines.at(-1)), /not JSON/)
    assert.notEqual(await publish(await tokenOfFirst()), null)
    await write([firstJwk, secondJwk], 3000)
    clock.now += retryFloorMs
    assert.notEqual(await publish(await tokenOfSecond()), null)
  })
})
