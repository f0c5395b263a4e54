import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { CompactSign } from 'jose'
import type { AuthenticatorOptions } from '../../../src/http/tokens/authenticate.ts'
import {
  authenticator,
  bothGenerations,
  cookieNames,
  currentOnly as current,
  legacyToken as old,
  refuses,
  request,
  withBearer,
} from '../../support/authentication.ts'
import { keyPair, publicJwk, secret, secretKey, sign, spki } from '../../support/keys.ts'

describe('hostile tokens', () => {
  const encode = (value: unknown) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  const claims = { mercure: { publish: ['*'] } }
  const publish = (token: string, options: Partial<AuthenticatorOptions> = {}) =>
    authenticator(options).authenticate(withBearer(token), 'publisher')

  for (const alg of ['none', 'None', 'NONE', '', undefined, null, 5, ['HS256'], 'HS384', 'constructor', '__proto__']) {
    test(`alg ${JSON.stringify(alg)}`, async () => {
      for (const signature of ['', 'AAAA']) {
        await refuses(() => publish(`${encode({ alg })}.${encode(claims)}.${signature}`), {
          code: 'token_algorithm',
          sentence: /this hub verifies publishers with HS256/,
          generation: '0.x',
        })
      }
    })
  }

  test('a token signed by HMAC with the public key as the secret', async () => {
    const key = spki(keyPair('RS256').publicKey)
    for (const secret of [key, key.trim(), key.trimEnd()]) {
      const forged = await sign(claims, { key: Buffer.from(secret) })
      await refuses(() => publish(forged, { legacy: { publisher: { key, algorithm: 'RS256' } } }), {
        code: 'token_algorithm',
        sentence: /alg is "HS256"; this hub verifies publishers with RS256/,
      })
    }
  })

  test('a token that brings its own key', async () => {
    const attacker = keyPair('ES256', 'attacker')
    const jwk = publicJwk(attacker.publicKey)
    const source = { key: spki(keyPair('ES256').publicKey), algorithm: 'ES256' }
    for (const header of [
      { jwk },
      { jku: 'https://evil.example/jwks' },
      { x5u: 'https://evil.example/cert' },
      { x5c: ['AAAA'] },
    ]) {
      const forged = await sign(claims, { alg: 'ES256', key: attacker.privateKey, header })
      await refuses(() => publish(forged, { legacy: { publisher: source } }), { code: 'token_signature' })
    }
  })

  test('changed claims under an old signature', async () => {
    const [header, , signature] = (await old()).split('.')
    await refuses(() => publish(`${header}.${encode({ mercure: { publish: ['*'] }, sub: 'root' })}.${signature}`), {
      code: 'token_signature',
    })
  })

  test('critical extensions', async () => {
    const critical = `${encode({ alg: 'HS256', crit: ['exp'], exp: 1 })}.${encode(claims)}.${'A'.repeat(43)}`
    await refuses(() => publish(critical), { code: 'token_malformed', sentence: /crit/ })
    const unencoded = await sign(claims, { header: { crit: ['b64'], b64: true } })
    assert.notEqual(await publish(unencoded), null)
    const input = `${encode({ alg: 'HS256', crit: ['b64'], b64: false })}.${encode(claims)}`
    const raw = `${input}.${createHmac('sha256', secretKey).update(input).digest('base64url')}`
    await refuses(() => publish(raw), { code: 'token_malformed' })
  })

  const malformed: { name: string; token: (good: string) => string }[] = [
    { name: 'two parts', token: good => good.split('.').slice(0, 2).join('.') },
    { name: 'four parts', token: good => `${good}.AAAA` },
    { name: 'five parts, as an encrypted token has', token: good => `${good}.AAAA.AAAA` },
    { name: 'an opaque token', token: () => 'x'.repeat(64) },
    { name: 'padding', token: good => `${good}=` },
    { name: 'a space inside', token: good => good.replace('.', '. ') },
    { name: 'a line break inside', token: good => good.replace('.', '.\n') },
    { name: 'NUL', token: good => good.replace('.', '.\u0000') },
    { name: 'the alphabet of plain base64', token: good => `${good.slice(0, -1)}+` },
    { name: 'letters beyond ASCII', token: good => `${good.slice(0, -1)}é` },
    { name: 'an impossible length of base64', token: good => `A${good}` },
    { name: 'a header that is no JSON', token: good => good.replace(/^[^.]+/, encode('{"alg":')) },
    { name: 'a header that is a list', token: good => good.replace(/^[^.]+/, encode([])) },
    {
      name: 'a header that is not UTF-8',
      token: good => good.replace(/^[^.]+/, Buffer.from('{"alg":"\xff"}', 'latin1').toString('base64url')),
    },
    { name: 'a very long one', token: good => `${good}${'A'.repeat(70_000)}` },
    { name: 'ten megabytes of dots', token: () => '.'.repeat(10_000_000) },
    { name: 'a header nested deeply', token: good => good.replace(/^[^.]+/, encode('['.repeat(20_000))) },
  ]
  for (const { name, token } of malformed) {
    test(name, async () => {
      await refuses(async () => publish(token(await old())), { code: 'token_malformed', generation: '0.x' })
    })
  }

  test('signed claims that are no JSON object', async () => {
    for (const payload of ['', 'null', '[]', '"x"', '{', 'x', '\u0000', '['.repeat(20_000)]) {
      for (const typ of [undefined, 'at+jwt']) {
        const header = { alg: 'HS256', ...(typ && { typ }) }
        const token = await new CompactSign(Buffer.from(payload)).setProtectedHeader(header).sign(secretKey)
        if (token.length < 41) continue
        await refuses(() => publish(token, bothGenerations), { code: 'token_malformed' })
      }
    }
    const notUtf8 = await new CompactSign(Buffer.from('{"sub":"\xff"}', 'latin1'))
      .setProtectedHeader({ alg: 'HS256' })
      .sign(secretKey)
    await refuses(() => publish(notUtf8), { code: 'token_malformed', sentence: /UTF-8/ })
  })

  test('claims named like members of every object', async () => {
    const payload = '{"__proto__": {"mercure": {"publish": ["*"]}}, "constructor": 1}'
    const token = await new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg: 'HS256' }).sign(secretKey)
    assert.equal((await publish(token))?.publish, null)
  })

  test('no message holds the token, a cookie or the key', async () => {
    const good = await old()
    const parts = good.split('.').filter(part => part.length > 10)
    const attempts: (() => unknown)[] = [
      () => publish(`${good.slice(0, -4)}AAAA`),
      () => publish(good.replace('.', '..')),
      () => publish(good, { legacy: { publisher: { key: spki(keyPair('RS256').publicKey), algorithm: 'RS256' } } }),
      () =>
        authenticator().authenticate(
          request({ method: 'POST', headers: { cookie: `${cookieNames['0.x']}=${good}` } }),
          'publisher',
        ),
      () => authenticator().authenticate(request({ queryAuthorization: [good, good] }), 'publisher'),
      () => publish(good, current),
    ]
    for (const attempt of attempts) {
      await assert.rejects(
        async () => attempt(),
        (error: Error) => {
          for (const text of [...parts, secret]) assert.ok(!error.message.includes(text), error.message)
          return true
        },
      )
    }
  })
})
