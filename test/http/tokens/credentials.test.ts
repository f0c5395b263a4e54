import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, test } from 'node:test'
import type { AuthenticatorOptions } from '../../../src/http/tokens/authenticate.ts'
import type { Generation } from '../../../src/protocol/generation.ts'
import {
  accessToken as access,
  authenticator,
  bothGenerations,
  cookieNames,
  currentOnly as current,
  legacyToken as old,
  origin,
  type RequestOptions,
  refuses,
  request,
  withBearer,
} from '../../support/authentication.ts'

const { '0.x': oldCookie, '1.0': currentCookie } = cookieNames

describe('which token', () => {
  const orders: { parameters: Partial<RequestOptions>; order: string[] }[] = [
    { parameters: { topicParameter: true }, order: ['header', 'query', 'old cookie', 'current cookie'] },
    { parameters: { matchParameter: true }, order: ['header', 'current cookie', 'old cookie'] },
    { parameters: { topicParameter: true, matchParameter: true }, order: ['header', 'current cookie', 'old cookie'] },
    { parameters: {}, order: ['header', 'query', 'current cookie', 'old cookie'] },
  ]
  const places = ['header', 'query', 'old cookie', 'current cookie']

  async function requestWith(present: readonly string[], parameters: Partial<RequestOptions>) {
    const cookies = ['unrelated=1']
    if (present.includes('old cookie')) cookies.push(`${oldCookie}=${await old('old cookie')}`)
    if (present.includes('current cookie')) cookies.push(`${currentCookie}=${await old('current cookie')}`)
    return request({
      ...parameters,
      headers: {
        cookie: cookies.join('; '),
        ...(present.includes('header') ? { authorization: `Bearer ${await old('header')}` } : {}),
      },
      queryAuthorization: present.includes('query') ? [await old('query')] : [],
    })
  }

  for (const { parameters, order } of orders) {
    test(`${JSON.stringify(parameters)}: ${order.join(', ')}`, async () => {
      const hub = authenticator(bothGenerations)
      for (let set = 0; set < 2 ** places.length; set++) {
        const present = places.filter((_, bit) => (set & (1 << bit)) !== 0)
        const expected = order.find(place => present.includes(place)) ?? null
        const grant = await hub.authenticate(await requestWith(present, parameters), 'subscriber')
        assert.equal(grant?.subject ?? null, expected, `of ${present.join(', ') || 'none'}`)
      }
    })
  }

  test('the first that is present decides, even if another would do', async () => {
    const hub = authenticator(bothGenerations)
    const good = await old()
    const bad = `${(await old()).slice(0, -4)}AAAA`
    const cookies = (first: string, second: string) => ({ cookie: `${oldCookie}=${first}; ${currentCookie}=${second}` })
    await refuses(
      () =>
        hub.authenticate(withBearer(bad, { queryAuthorization: [good], headers: cookies(good, good) }), 'subscriber'),
      {
        code: 'token_signature',
      },
    )
    await refuses(
      () => hub.authenticate(request({ queryAuthorization: [bad], headers: cookies(good, good) }), 'subscriber'),
      {
        code: 'token_signature',
      },
    )
    await refuses(
      () => hub.authenticate(request({ topicParameter: true, headers: cookies(bad, good) }), 'subscriber'),
      {
        code: 'token_signature',
      },
    )
    await refuses(
      () => hub.authenticate(request({ matchParameter: true, headers: cookies(good, bad) }), 'subscriber'),
      {
        code: 'token_signature',
      },
    )
  })

  test('the query exists only where there are 0.x keys', async () => {
    const query = { queryAuthorization: ['short', 'twice'] }
    assert.equal(await authenticator(current).authenticate(request(query), 'subscriber'), null)
    assert.equal(
      await authenticator({ ...bothGenerations, protocol: '1.0' }).authenticate(request(query), 'subscriber'),
      null,
    )
    await refuses(() => authenticator({ protocol: '0.x' }).authenticate(request(query), 'subscriber'), {
      code: 'authorization_malformed',
      generation: '0.x',
    })
  })

  for (const { name, values, sentence } of [
    { name: 'two', values: ['a'.repeat(60), 'b'.repeat(60)], sentence: /2 "authorization" parameters/ },
    { name: 'an empty one', values: [''], sentence: /too short/ },
    { name: 'one of 40 characters', values: ['a'.repeat(40)], sentence: /too short/ },
  ]) {
    test(`query: ${name} is refused`, async () => {
      const hub = authenticator(bothGenerations)
      await refuses(() => hub.authenticate(request({ queryAuthorization: values }), 'subscriber'), {
        code: 'authorization_malformed',
        sentence,
        generation: '0.x',
      })
    })
  }

  test('query: an access token is refused, one that was verified in a header too', async () => {
    const hub = authenticator(bothGenerations)
    const token = await access()
    const inQuery = request({ queryAuthorization: [token] })
    await refuses(() => hub.authenticate(inQuery, 'subscriber'), {
      code: 'token_generation',
      sentence: /cannot come in the query/,
    })
    assert.notEqual(await hub.authenticate(withBearer(token), 'subscriber'), null)
    await refuses(() => hub.authenticate(inQuery, 'subscriber'), { code: 'token_generation' })
  })

  describe('cookies', () => {
    const cases: { name: string; cookie: (token: string) => string | string[]; found: boolean }[] = [
      { name: 'several in a header', cookie: token => `a=b; ${oldCookie}=${token}; c=d`, found: true },
      { name: 'several headers', cookie: token => ['a=b', `${oldCookie}=${token}`], found: true },
      { name: 'quoted', cookie: token => `${oldCookie}="${token}"`, found: true },
      { name: 'no space between', cookie: token => `a=b;${oldCookie}=${token};c=d`, found: true },
      {
        name: 'the first of two of one name',
        cookie: token => `${oldCookie}=${token}; ${oldCookie}=second`,
        found: true,
      },
      { name: 'another name that ends alike', cookie: token => `x${oldCookie}=${token}`, found: false },
      { name: 'another case', cookie: token => `${oldCookie.toUpperCase()}=${token}`, found: false },
      { name: 'no value', cookie: () => oldCookie, found: false },
      { name: 'nothing', cookie: () => '', found: false },
      { name: 'garbage', cookie: () => ';;=;= ;\u0000=\u0001;'.repeat(500), found: false },
    ]
    for (const { name, cookie, found } of cases) {
      test(name, async () => {
        const grant = await authenticator().authenticate(
          request({ headers: { cookie: cookie(await old()) } }),
          'subscriber',
        )
        assert.equal(grant !== null, found)
      })
    }

    test('an empty one is a token that is refused', async () => {
      await refuses(
        () => authenticator().authenticate(request({ headers: { cookie: `${oldCookie}=` } }), 'subscriber'),
        {
          code: 'token_malformed',
        },
      )
    })

    test('a configured name is the only one', async () => {
      const hub = authenticator({ cookieNames: { '0.x': 'hub', '1.0': 'hub' } })
      const withCookie = async (name: string) => request({ headers: { cookie: `${name}=${await old()}` } })
      assert.notEqual(await hub.authenticate(await withCookie('hub'), 'subscriber'), null)
      assert.equal(await hub.authenticate(await withCookie(oldCookie), 'subscriber'), null)
      assert.equal(await hub.authenticate(await withCookie(currentCookie), 'subscriber'), null)
    })

    test('a pinned generation looks for its own cookie only', async () => {
      const withCookie = (name: string) => request({ topicParameter: true, headers: { cookie: `${name}=x` } })
      const pinned = (protocol: Generation, name: string) => async () =>
        authenticator({ ...bothGenerations, protocol }).authenticate(withCookie(name), 'subscriber')
      assert.equal(await pinned('0.x', currentCookie)(), null)
      assert.equal(await pinned('1.0', oldCookie)(), null)
      await refuses(pinned('0.x', oldCookie), { code: 'token_malformed', generation: '0.x' })
      await refuses(pinned('1.0', currentCookie), { code: 'token_malformed', generation: '1.0' })
    })
  })
})

describe('the Authorization header', () => {
  const long = 'a'.repeat(60)
  const cases: { name: string; authorization: string | string[]; sentence: RegExp }[] = [
    { name: 'two headers', authorization: [`Bearer ${long}`, `Bearer ${long}`], sentence: /2 Authorization headers/ },
    { name: 'another scheme', authorization: `Basic ${long}`, sentence: /"Bearer TOKEN"/ },
    { name: 'no scheme', authorization: long, sentence: /"Bearer TOKEN"/ },
    { name: 'empty', authorization: '', sentence: /"Bearer TOKEN"/ },
    { name: 'no token', authorization: 'Bearer ', sentence: /too short/ },
    { name: 'a token of 40 characters', authorization: `Bearer ${'a'.repeat(40)}`, sentence: /too short/ },
  ]
  const hubs: {
    name: string
    options: Partial<AuthenticatorOptions>
    parameters?: RequestOptions
    generation: Generation
  }[] = [
    { name: 'a hub of 0.x', options: {}, generation: '0.x' },
    { name: 'a hub of 1.0', options: current, generation: '1.0' },
    {
      name: 'a hub of both, asked by topic',
      options: bothGenerations,
      parameters: { topicParameter: true },
      generation: '0.x',
    },
    {
      name: 'a hub of both, asked by match',
      options: bothGenerations,
      parameters: { matchParameter: true },
      generation: '1.0',
    },
    { name: 'a hub of both, asked to publish', options: bothGenerations, generation: '1.0' },
    {
      name: 'a hub pinned to 0.x',
      options: { ...bothGenerations, protocol: '0.x' },
      parameters: { matchParameter: true },
      generation: '0.x',
    },
    {
      name: 'a hub pinned to 1.0',
      options: { ...bothGenerations, protocol: '1.0' },
      parameters: { topicParameter: true },
      generation: '1.0',
    },
  ]
  for (const { name, authorization, sentence } of cases) {
    test(`${name} is refused, with the statuses of the hub's generation`, async () => {
      for (const { name: hubName, options, parameters, generation } of hubs) {
        const hub = authenticator(options)
        const asked = request({ ...parameters, headers: { authorization } })
        assert.equal(hub.presume(asked), generation, hubName)
        await refuses(() => hub.authenticate(asked, 'subscriber'), {
          code: 'authorization_malformed',
          sentence,
          generation,
        })
      }
    })
  }

  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
    test(`${JSON.stringify(scheme)} is accepted in both generations`, async () => {
      const hub = authenticator(bothGenerations)
      for (const token of [await old(), await access()]) {
        const grant = await hub.authenticate(request({ headers: { authorization: `${scheme} ${token}` } }), 'publisher')
        assert.notEqual(grant, null)
      }
    })
  }

  test('Node hands on both of two headers', async () => {
    const hub = authenticator()
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const token = await old()
    socket.write(
      `GET / HTTP/1.1\r\nHost: hub.example\r\nAuthorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    )
    const [incoming] = (await once(server, 'request')) as [IncomingMessage]
    const asked = { ...request(), header: (name: string) => incoming.headersDistinct[name] ?? [] }
    await refuses(() => hub.authenticate(asked, 'subscriber'), {
      code: 'authorization_malformed',
      sentence: /2 Authorization/,
    })
    socket.destroy()
    server.close()
  })
})

describe('cookies and the origin of unsafe requests', () => {
  const allowed = ['https://app.example', 'https://*.apps.example']
  const cases: {
    name: string
    method?: string
    headers?: Record<string, string | string[]>
    origins?: string[]
    code?: 'origin_missing' | 'origin_refused'
    sentence?: RegExp
  }[] = [
    { name: 'an allowed origin', headers: { origin: 'https://app.example' } },
    { name: 'in capitals', headers: { origin: 'https://APP.example' } },
    { name: 'by wildcard', headers: { origin: 'https://one.apps.example' } },
    {
      name: 'the referer where there is no origin',
      headers: { referer: 'https://app.example/page?x=https://evil.example' },
    },
    { name: 'the referer where the origin is empty', headers: { origin: '', referer: 'https://app.example/page' } },
    {
      name: 'a referer of a packaged application',
      headers: { referer: 'capacitor://localhost/x' },
      origins: ['capacitor://localhost'],
    },
    { name: 'any origin', headers: { origin: 'https://evil.example' }, origins: ['*'] },
    { name: 'null, where allowed', headers: { origin: 'null' }, origins: ['null'] },
    { name: 'null', headers: { origin: 'null' }, code: 'origin_refused' },
    {
      name: 'another origin',
      headers: { origin: 'https://evil.example' },
      code: 'origin_refused',
      sentence: /"https:\/\/evil\.example" is not among .*publish_allowed_origins/,
    },
    { name: 'the hub itself, unlisted', headers: { origin }, code: 'origin_refused' },
    {
      name: 'an origin is not saved by the referer',
      headers: { origin: 'https://evil.example', referer: 'https://app.example/' },
      code: 'origin_refused',
    },
    {
      name: 'two origins',
      headers: { origin: ['https://app.example', 'https://app.example'] },
      code: 'origin_refused',
    },
    {
      name: 'another referer',
      headers: { referer: 'https://evil.example/https://app.example' },
      code: 'origin_refused',
    },
    {
      name: 'the origin as user of the referer',
      headers: { referer: 'https://app.example@evil.example/' },
      code: 'origin_refused',
    },
    {
      name: 'a referer that is no URL',
      headers: { referer: 'app.example' },
      code: 'origin_refused',
      sentence: /The Referer is not/,
    },
    { name: 'neither', code: 'origin_missing', sentence: /Authorization header instead/ },
    { name: 'neither, where any origin is allowed', origins: ['*'], code: 'origin_missing' },
    { name: 'none allowed', headers: { origin: 'https://app.example' }, origins: [], code: 'origin_refused' },
    { name: 'GET is safe', method: 'GET' },
    { name: 'HEAD is safe', method: 'HEAD' },
    { name: 'QUERY is safe', method: 'QUERY' },
    { name: 'a method unheard of is not', method: 'PUBLISH', code: 'origin_missing' },
  ]
  for (const { name, method = 'POST', headers, origins = allowed, code, sentence } of cases) {
    test(name, async () => {
      const hub = authenticator({ ...bothGenerations, publishAllowedOrigins: origins })
      for (const [generation, token] of [
        ['0.x', await old()],
        ['1.0', await access()],
      ] as const) {
        const withCookie = request({ method, headers: { ...headers, cookie: `${oldCookie}=${token}` } })
        const attempt = () => hub.authenticate(withCookie, 'publisher')
        if (code === undefined) assert.equal((await attempt())?.generation, generation)
        else {
          const expected = { code, generation, ...(sentence && { sentence }) }
          await refuses(attempt, expected)
          // A token that is remembered from a header is no excuse either.
          await hub.authenticate(withBearer(token), 'publisher')
          await refuses(attempt, expected)
        }
      }
    })
  }

  test('tokens of the header and the query need no origin', async () => {
    const hub = authenticator()
    assert.notEqual(await hub.authenticate(withBearer(await old(), { method: 'POST' }), 'publisher'), null)
    assert.notEqual(
      await hub.authenticate(request({ method: 'POST', queryAuthorization: [await old()] }), 'publisher'),
      null,
    )
  })
})
