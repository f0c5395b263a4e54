import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JWTPayload } from 'jose'
import type { AuthenticatorOptions } from '../../../src/http/tokens/authenticate.ts'
import type { Generation } from '../../../src/protocol/generation.ts'
import { authorizationDetailType } from '../../../src/protocol/grant.ts'
import {
  accessToken as access,
  authenticator,
  bothGenerations,
  compile,
  currentOnly as current,
  hmac,
  issuer,
  now,
  nowSeconds,
  legacyToken as old,
  origin,
  refuses,
  resource,
  withBearer,
} from '../../support/authentication.ts'
import { secret, sign } from '../../support/keys.ts'

describe('whose rules', () => {
  for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/At+Jwt']) {
    test(`typ ${typ} is an access token of 1.0`, async () => {
      const grant = await authenticator(bothGenerations).authenticate(
        withBearer(await access({}, { typ })),
        'publisher',
      )
      assert.equal(grant?.generation, '1.0')
    })
  }
  for (const typ of [undefined, 'JWT', 'jwt', '', 'at+jwt+x', 5, null]) {
    test(`typ ${JSON.stringify(typ)} is 0.x, and the claims of 1.0 grant nothing`, async () => {
      const grant = await authenticator(bothGenerations).authenticate(
        withBearer(await access({}, { typ })),
        'publisher',
      )
      assert.equal(grant?.generation, '0.x')
      assert.equal(grant.publish, null)
    })
  }

  test('an access token is never checked against 0.x keys, though they would fit', async () => {
    await refuses(async () => authenticator().authenticate(withBearer(await access()), 'publisher'), {
      code: 'token_generation',
      sentence: /accepts 0\.x tokens only\. .*"issuers"/,
      generation: '0.x',
    })
    const other: AuthenticatorOptions['issuers'] = [{ id: 'https://other.example', publisher: hmac }]
    await refuses(async () => authenticator({ issuers: other }).authenticate(withBearer(await access()), 'publisher'), {
      code: 'token_issuer',
    })
  })

  test('a 0.x token is never checked against the keys of an issuer', async () => {
    await refuses(
      async () =>
        authenticator(current).authenticate(withBearer(await old('x', { iss: issuer, aud: resource })), 'publisher'),
      {
        code: 'token_type',
        sentence: /typ is missing; this hub verifies publishers by access tokens of 1\.0 only, whose typ is "at\+jwt"/,
        generation: '1.0',
      },
    )
  })

  test('a pinned hub refuses the other generation', async () => {
    const pinned = (protocol: Generation) => authenticator({ ...bothGenerations, protocol })
    await refuses(async () => pinned('0.x').authenticate(withBearer(await access()), 'publisher'), {
      code: 'token_generation',
    })
    await refuses(async () => pinned('1.0').authenticate(withBearer(await old()), 'publisher'), { code: 'token_type' })
  })

  test('a role has its own keys in both generations', async () => {
    const other = { key: 'another secret, known to subscribers only', algorithm: 'HS256' }
    const hub = authenticator({
      legacy: { publisher: hmac, subscriber: other },
      issuers: [{ id: issuer, publisher: hmac, subscriber: other }],
    })
    for (const token of [await old(), await access()]) {
      assert.notEqual(await hub.authenticate(withBearer(token), 'publisher'), null)
      await refuses(() => hub.authenticate(withBearer(token), 'subscriber'), {
        code: 'token_signature',
        sentence: /subscribers/,
      })
      assert.notEqual(await hub.authenticate(withBearer(token), 'publisher'), null)
    }
  })

  test('an issuer without keys for a role is refused in that role', async () => {
    const hub = authenticator({
      legacy: undefined,
      issuers: [
        { id: issuer, publisher: hmac },
        { id: 'https://other.example', subscriber: hmac },
      ],
    })
    await refuses(async () => hub.authenticate(withBearer(await access()), 'subscriber'), {
      code: 'token_issuer',
      sentence: /does not trust for subscribers/,
    })
  })

  test('where nobody is verified in a role, everybody is anonymous in it', async () => {
    const hub = authenticator({ legacy: { publisher: hmac } })
    assert.deepEqual([hub.verifies('publisher'), hub.verifies('subscriber')], [true, false])
    assert.equal(hub.authenticate(withBearer('whatever'), 'subscriber'), null)
    const none = authenticator({ ...bothGenerations, legacy: undefined, protocol: '0.x' })
    assert.deepEqual([none.verifies('publisher'), none.verifies('subscriber')], [false, false])
  })
})

describe('the claims of an access token', () => {
  const cases: {
    name: string
    claims: JWTPayload | Record<string, unknown>
    code?: 'token_issuer' | 'token_audience' | 'token_claims' | 'token_expired' | 'token_not_yet_valid'
    sentence?: RegExp
  }[] = [
    { name: 'all there', claims: {} },
    { name: 'no iss', claims: { iss: undefined }, code: 'token_issuer', sentence: /no iss/ },
    { name: 'an unknown iss', claims: { iss: `${issuer}/` }, code: 'token_issuer', sentence: /does not trust/ },
    { name: 'an iss that is no string', claims: { iss: [issuer] }, code: 'token_issuer' },
    {
      name: 'no aud',
      claims: { aud: undefined },
      code: 'token_audience',
      sentence: /aud is missing; it must name this hub/,
    },
    {
      name: 'another aud',
      claims: { aud: 'https://other.example' },
      code: 'token_audience',
      sentence: /https:\/\/other\.example.*https:\/\/hub\.example/,
    },
    { name: 'aud by prefix', claims: { aud: origin }, code: 'token_audience' },
    { name: 'aud as a list', claims: { aud: ['https://other.example', resource] } },
    { name: 'an empty list of aud', claims: { aud: [] }, code: 'token_audience' },
    { name: 'aud of numbers', claims: { aud: [1] }, code: 'token_audience' },
    { name: 'no exp', claims: { exp: undefined }, code: 'token_claims', sentence: /no exp/ },
    { name: 'exp null', claims: { exp: null }, code: 'token_claims', sentence: /exp is not a number/ },
    {
      name: 'exp as a string',
      claims: { exp: String(nowSeconds + 60) },
      code: 'token_claims',
      sentence: /exp is not a number/,
    },
    {
      name: 'expired',
      claims: { exp: nowSeconds - 12 },
      code: 'token_expired',
      sentence: /expired at 2027-01-15T07:59:48\.000Z \(12 s ago\)/,
    },
    { name: 'expired this instant', claims: { exp: nowSeconds }, code: 'token_expired' },
    { name: 'expired before all dates', claims: { exp: -1e300 }, code: 'token_expired' },
    { name: 'exp with a fraction', claims: { exp: nowSeconds + 0.25 } },
    { name: 'exp beyond all dates', claims: { exp: 1e300 } },
    { name: 'nbf in the past', claims: { nbf: nowSeconds } },
    {
      name: 'nbf ahead',
      claims: { nbf: nowSeconds + 5 },
      code: 'token_not_yet_valid',
      sentence: /valid from 2027-01-15T08:00:05\.000Z \(in 5 s\).*clocks/,
    },
    { name: 'nbf as a string', claims: { nbf: '0' }, code: 'token_claims', sentence: /nbf is not a number/ },
    {
      name: 'a bad detail',
      claims: { authorization_details: [{ type: authorizationDetailType }] },
      code: 'token_claims',
      sentence: /actions/,
    },
  ]
  for (const { name, claims, code, sentence } of cases) {
    test(name, async () => {
      const hub = authenticator(bothGenerations)
      const asked = withBearer(await access(claims as JWTPayload))
      if (code === undefined) return assert.equal((await hub.authenticate(asked, 'publisher'))?.subject, 'access')
      await refuses(() => hub.authenticate(asked, 'publisher'), {
        code,
        generation: '1.0',
        ...(sentence && { sentence }),
      })
    })
  }

  test('the audience is the pinned resource, or the hub as the request addressed it', async () => {
    const token = await access()
    const elsewhere = withBearer(token, { origin: 'https://elsewhere.example' })
    const derived = authenticator(bothGenerations)
    assert.notEqual(await derived.authenticate(withBearer(token), 'publisher'), null)
    await refuses(() => derived.authenticate(elsewhere, 'publisher'), { code: 'token_audience' })
    assert.notEqual(await derived.authenticate(withBearer(token), 'publisher'), null)
    const pinned = authenticator({ ...bothGenerations, resourceIdentifier: resource })
    assert.notEqual(await pinned.authenticate(elsewhere, 'publisher'), null)
    assert.equal(pinned.resourceOf(elsewhere), resource)
  })

  test('relative matchers are compiled for the resource that the token is for', async () => {
    const resources: string[] = []
    const hub = authenticator({
      ...bothGenerations,
      compileFor: asked => {
        resources.push(asked)
        return compile
      },
    })
    await hub.authenticate(withBearer(await access()), 'publisher')
    assert.deepEqual(resources, [resource])
  })
})

describe('the claims of a 0.x token', () => {
  const cases: {
    name: string
    claims: Record<string, unknown>
    code?: 'token_claims' | 'token_expired' | 'token_not_yet_valid'
    sentence?: RegExp
  }[] = [
    { name: 'no exp', claims: {} },
    { name: 'exp null', claims: { exp: null } },
    {
      name: 'a fractional exp, nbf and iat, as lcobucci/jwt writes them',
      claims: { exp: nowSeconds + 0.5, nbf: nowSeconds - 0.123456, iat: nowSeconds - 0.123456 },
    },
    { name: 'iss and aud of anybody', claims: { iss: 'x', aud: 'y' } },
    {
      name: 'expired by a fraction',
      claims: { exp: nowSeconds - 0.001 },
      code: 'token_expired',
      sentence: /\(0 s ago\)/,
    },
    { name: 'expired', claims: { exp: nowSeconds - 3600 }, code: 'token_expired', sentence: /\(3600 s ago\)/ },
    { name: 'not yet valid', claims: { nbf: nowSeconds + 1 }, code: 'token_not_yet_valid' },
    { name: 'exp as a string', claims: { exp: '9999999999' }, code: 'token_claims', sentence: /exp is not a number/ },
    {
      name: 'a broken claim',
      claims: { mercure: { publish: '*' } },
      code: 'token_claims',
      sentence: /mercure\.publish/,
    },
  ]
  for (const { name, claims, code, sentence } of cases) {
    test(name, async () => {
      const asked = withBearer(await old('old', claims))
      if (code === undefined)
        return assert.equal((await authenticator().authenticate(asked, 'publisher'))?.subject, 'old')
      await refuses(() => authenticator().authenticate(asked, 'publisher'), {
        code,
        generation: '0.x',
        ...(sentence && { sentence }),
      })
    })
  }
})

describe('what was verified before', () => {
  test('is answered at once, with the same grant', async () => {
    const hub = authenticator(bothGenerations)
    for (const token of [await old(), await access()]) {
      const pending = hub.authenticate(withBearer(token), 'publisher')
      assert.ok(pending instanceof Promise)
      const grant = await pending
      assert.equal(hub.authenticate(withBearer(token), 'publisher'), grant)
      assert.ok(hub.authenticate(withBearer(token), 'subscriber') instanceof Promise, 'each role has its own')
    }
  })

  test('ends with its exp', async () => {
    const clock = { now }
    const hub = authenticator({ now: () => clock.now })
    const token = await old('x', { exp: nowSeconds + 10 })
    const grant = await hub.authenticate(withBearer(token), 'publisher')
    clock.now += 9999
    assert.equal(hub.authenticate(withBearer(token), 'publisher'), grant)
    clock.now += 1
    await refuses(() => hub.authenticate(withBearer(token), 'publisher'), { code: 'token_expired' })
    await refuses(() => hub.authenticate(withBearer(token), 'publisher'), { code: 'token_expired' })
  })

  test('a refusal is not remembered', async () => {
    const clock = { now: now - 5000 }
    const hub = authenticator({ now: () => clock.now })
    const token = await old('x', { nbf: nowSeconds })
    await refuses(() => hub.authenticate(withBearer(token), 'publisher'), { code: 'token_not_yet_valid' })
    clock.now = now
    assert.notEqual(await hub.authenticate(withBearer(token), 'publisher'), null)
  })
})

describe('a signature that does not fit', () => {
  test('is explained to the log at most once a second, and never to the sender', async () => {
    let time = now
    const hub = authenticator({ now: () => time })
    const token = await sign({ mercure: { publish: ['*'] } }, { key: Buffer.from(`${secret}\n`) })
    const causeAfter = async (ms: number) => {
      time += ms
      const refusal = await refuses(() => hub.authenticate(withBearer(token), 'publisher'), { code: 'token_signature' })
      assert.doesNotMatch(refusal.message, /line break/)
      return `${refusal.cause}`
    }
    const explained = /with a line break at its end/
    assert.match(await causeAfter(0), explained)
    assert.doesNotMatch(await causeAfter(0), explained)
    assert.doesNotMatch(await causeAfter(999), explained)
    assert.match(await causeAfter(1), explained)
  })
})
