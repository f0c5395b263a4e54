import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ErrorCode } from '../../src/errors.ts'
import { Connection, readAnswer } from '../support/connection.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { dataReceivedBy, marker } from '../support/marker.ts'
import { assertRefused, assertSecured } from '../support/refusal.ts'
import { signAccessToken, signToken, subscriberToken, testIssuer } from '../support/token.ts'

const path = '/.well-known/mercure'
const maxBodyBytes = 64 * 1024
const topic = 'https://example.com/books/1'

/** Anonymous subscribers are allowed. */
let hub: TestHub
/** They are not. */
let strict: TestHub
before(async () => {
  const settings = { issuers: [testIssuer], max_request_body_size: `${maxBodyBytes}` }
  hub = await startHub(settings)
  strict = await startHub({ ...settings, allow_anonymous: false })
})
after(() => Promise.all([hub.close(), strict.close()]))

const repeat = (count: number, make: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => make(index)).join('&')

suite('paths and methods', () => {
  const rows: readonly (readonly [method: string, target: string, status: number, code?: ErrorCode])[] = [
    ['GET', `${path}?topic=a`, 200],
    ['HEAD', `${path}?topic=a`, 200],
    ['QUERY', `${path}?topic=a`, 200],
    ['GET', path, 400, 'matcher_missing'],
    ['QUERY', path, 400, 'matcher_missing'],
    ['POST', path, 401, 'token_missing'],
    ['PUT', `${path}?topic=a`, 405, 'method_not_allowed'],
    ['PATCH', `${path}?topic=a`, 405, 'method_not_allowed'],
    ['DELETE', `${path}?topic=a`, 405, 'method_not_allowed'],
    ['OPTIONS', `${path}?topic=a`, 405, 'method_not_allowed'],
    ['GET', `${path}/?topic=a`, 404, 'not_found'],
    ['GET', `${path}/other?topic=a`, 404, 'not_found'],
    ['GET', `${path}x?topic=a`, 404, 'not_found'],
    ['GET', `/.well-known/Mercure?topic=a`, 404, 'not_found'],
    ['GET', `/.well-known%2Fmercure?topic=a`, 404, 'not_found'],
    ['GET', '/.well-known/', 404, 'not_found'],
    ['GET', '/', 404, 'not_found'],
    ['POST', `${path}/other`, 404, 'not_found'],
    ['GET', `${path}/subscriptions`, 404, 'not_found'],
  ]
  for (const [method, target, status, code] of rows) {
    test(`${method} ${target}: ${status}`, async () => {
      const abort = new AbortController()
      const response = await fetch(hub.url + target, { method, signal: abort.signal })
      assertSecured(response)
      if (code !== undefined) await assertRefused(response, status, code)
      else {
        assert.equal(response.status, 200)
        assert.equal(response.headers.get('content-type'), 'text/event-stream')
      }
      assert.equal(response.headers.get('allow'), status === 405 ? 'GET, HEAD, QUERY, POST' : null)
      abort.abort()
    })
  }

  test('HEAD is answered with the head that GET would have, and is over', async () => {
    const id = await hub.publish({ topic })
    const request = (method: string, close: string) =>
      `${method} ${path}?topic=a&last_event_id=${id} HTTP/1.1\r\nHost: hub.example\r\n${close}\r\n`
    const head = readAnswer(await (await Connection.open(hub.url)).send(request('HEAD', 'Connection: close\r\n')).end())
    const connection = (await Connection.open(hub.url)).send(request('GET', 'Connection: close\r\n'))
    const get = readAnswer(await connection.until(text => text.includes('\r\n\r\n')))
    connection.close()
    assert.deepEqual([head.status, head.body], [200, ''])
    const { date: _, 'transfer-encoding': coding, ...rest } = get.headers
    assert.equal(coding, 'chunked')
    const { date: __, ...answered } = head.headers
    assert.deepEqual(answered, rest)
  })

  test('HEAD subscribes nobody, and what it refuses it refuses without a body', async () => {
    await using watched = await startHub({ metrics_enabled: true, metrics_addr: '', allow_anonymous: false })
    const headers = { Authorization: `Bearer ${await subscriberToken(['*'])}` }
    const accepted = await watched.fetch(`${path}?topic=a`, { method: 'HEAD', headers })
    const refused = await watched.fetch(`${path}?topic=a`, { method: 'HEAD' })
    assert.deepEqual([accepted.status, await accepted.text()], [200, ''])
    assert.deepEqual([refused.status, await refused.text()], [401, ''])
    assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer/)
    assert.match(await (await watched.fetch('/metrics')).text(), /^mercure_subscribers_total 0$/m)
  })
})

test('the head of a stream', async () => {
  const request = `GET ${path}?topic=a HTTP/1.1\r\nHost: hub.example\r\n\r\n`
  const connection = (await Connection.open(hub.url)).send(request)
  const { status, headers } = readAnswer(await connection.until(text => text.includes('\r\n\r\n')))
  connection.close()
  assert.equal(status, 200)
  // Node's own: the time, and how long a connection is kept when its stream is over.
  const { date: _, 'keep-alive': __, ...rest } = headers
  assert.deepEqual(rest, {
    'content-type': 'text/event-stream',
    'cache-control': 'private, no-cache, no-store, must-revalidate, max-age=0',
    pragma: 'no-cache',
    expires: '0',
    connection: 'keep-alive',
    'x-accel-buffering': 'no',
    'transfer-encoding': 'chunked',
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    'x-xss-protection': '1; mode=block',
    'content-security-policy': "default-src 'self'",
  })
})

suite('matchers', () => {
  const accepted: readonly (readonly [name: string, query: string, matched: string[], other?: string])[] = [
    ['match is exact', 'match=https://example.com/:id', ['https://example.com/:id'], 'https://example.com/1'],
    ['match_exact is exact', 'match_exact=/{id}', ['/{id}'], '/1'],
    ['match=* matches everything', 'match=*', ['anything', '', '*']],
    ['match_exact=* matches everything', 'match_exact=*', ['anything', '', '*']],
    ['match_urlpattern=* matches everything', 'match_urlpattern=*', ['anything', '', '*']],
    ['topic=* matches everything', 'topic=*', ['anything', '', '*']],
    ['* is a wildcard only by itself', 'match=a*&topic=a*', ['a*'], 'ab'],
    [
      'match_urlpattern is a pattern',
      'match_urlpattern=https://example.com/:id',
      ['https://example.com/1'],
      'https://example.com/1/2',
    ],
    ['a relative pattern is relative to the hub', 'match_urlpattern=/books/:id', ['/books/1'], '/books/1/2'],
    [
      'topic is a template',
      'topic=https://example.com/{id}',
      ['https://example.com/1', 'https://example.com/{id}'],
      'https://example.com/1/2',
    ],
    ['topic is exact where it is no template', 'topic=/:id', ['/:id'], '/1'],
    ['topic is exact where its template is broken', 'topic=/{id', ['/{id'], '/1'],
    ['an empty match is the empty topic', 'match=', [''], 'a'],
    ['a match without a value is the empty topic', 'match', [''], 'a'],
    ['an empty topic is the empty topic', 'topic=', [''], 'a'],
    ['escaped characters', 'match=a%20b+c%2B%26%C3%A9', ['a b c+&é'], 'a b c'],
    ['of every kind', 'topic={t}&match=/b&match_exact=/c&match_urlpattern=/d', ['a', '/b', '/c', '/d'], '/e'],
    ['repeated', 'match=a&match=b&match=c', ['a', 'b', 'c'], 'd'],
    ['the same by three names: one event', 'match=a&match_exact=a&topic=a&topic=b', ['a', 'b'], 'c'],
    ['among parameters that nobody knows', 'a=b&match=a&Topic=b&mat=c&xmatch=d', ['a'], 'b'],
    ['4,096 bytes long', `match=${'é'.repeat(2048)}`, ['é'.repeat(2048)], 'é'],
    ['of 0.x, longer than that', `topic=${'a'.repeat(10_000)}`, ['a'.repeat(10_000)], 'a'],
    ['100 of 1.0', repeat(100, i => `match=${i}`), ['0', '99'], '100'],
    ['1,000 of 0.x', repeat(1000, i => `topic=${i}`), ['0', '999'], '1000'],
    [
      '100 of 1.0 and 1,000 of 0.x',
      `${repeat(100, i => `match=a${i}`)}&${repeat(1000, i => `topic=${i}`)}`,
      ['a99', '999'],
      'a100',
    ],
  ]
  for (const [name, query, matched, other] of accepted) {
    test(name, async () => {
      const stream = await hub.subscribe(query)
      if (other !== undefined) await hub.publish({ topic: other, data: 'another topic' })
      for (const topic of matched) await hub.publish({ topic, data: topic })
      await stream.take(matched.length)
      assert.deepEqual(stream.data, matched)
      stream.close()
    })
  }

  const refused: readonly (readonly [name: string, query: string, code: ErrorCode])[] = [
    ['none', 'last_event_id=a', 'matcher_missing'],
    ['a name in capitals', 'MATCH=a', 'matcher_unknown'],
    ['a name of which only a part is known', 'match=a&matchExact=b', 'matcher_unknown'],
    ['a name of another version', 'match=a&match_regexp=b', 'matcher_unknown'],
    ['a name with an index', 'match[]=a', 'matcher_unknown'],
    ['match_urlpattern in capitals', 'match_URLPattern=a', 'matcher_unknown'],
    ['an unknown name beside topic', 'topic=a&matches=b', 'matcher_unknown'],
    ['a control character', 'match=a%00', 'matcher_invalid'],
    ['DEL', 'match_exact=a%7F', 'matcher_invalid'],
    ['a C1 control character', 'match_urlpattern=/a%C2%85', 'matcher_invalid'],
    ['a zero width character', 'match=a%E2%80%8B', 'matcher_invalid'],
    ['a bidirectional mark', 'match=a%E2%80%8F', 'matcher_invalid'],
    ['bytes that are not UTF-8', 'match=a%FF', 'matcher_invalid'],
    ['a pattern that cannot be compiled', 'match_urlpattern=/(', 'matcher_invalid'],
    ['4,097 bytes', `match=${'é'.repeat(2048)}a`, 'matcher_too_long'],
    ['a pattern of 4,097 bytes', `match_urlpattern=/${'a'.repeat(4096)}`, 'matcher_too_long'],
    ['101 of 1.0', repeat(101, i => `match=${i}`), 'matchers_too_many'],
    [
      '101 of 1.0 of several kinds',
      `match=a&match_exact=b&${repeat(99, i => `match_urlpattern=/${i}`)}`,
      'matchers_too_many',
    ],
    ['1,001 of 0.x', repeat(1001, i => `topic=${i}`), 'matchers_too_many'],
  ]
  for (const [name, query, code] of refused) {
    test(`${name}: ${code}`, async () => await assertRefused(await fetch(`${hub.hubUrl}?${query}`), 400, code))
  }

  const pinned: readonly (readonly [protocol: string, query: string, code?: ErrorCode])[] = [
    ['1.0', 'match=a&match_exact=b&match_urlpattern=/c'],
    ['1.0', 'topic=a', 'matcher_unknown'],
    ['1.0', 'match=a&topic=a', 'matcher_unknown'],
    ['0.x', 'topic=a'],
    ['0.x', 'match=a', 'matcher_unknown'],
    ['0.x', 'topic=a&match_urlpattern=/a'],
    ['0.x', 'topic=a&matches=b'],
    ['0.x', 'matches=b', 'matcher_missing'],
  ]
  for (const [protocol, query, code] of pinned) {
    test(`${query} on a hub that speaks ${protocol} alone: ${code ?? 'accepted'}`, async () => {
      await using one = await startHub({ issuers: [testIssuer], protocol })
      if (code === undefined) await one.subscribe(query)
      else await assertRefused(await fetch(`${one.hubUrl}?${query}`), 400, code)
    })
  }

  test('are announced in the order of their names, each once', async () => {
    await using watched = await startHub({ subscriptions: true })
    const headers = { Authorization: `Bearer ${await subscriberToken(['*'])}` }
    const watcher = await watched.subscribe('topic=*', { headers })
    await watcher.take()
    const parameters = ['topic=e&topic=a', 'match_urlpattern=/d', 'match_exact=b', 'match=c', 'match=b', 'topic=e']
    await watched.subscribe(parameters.join('&'))
    const documents = (await watcher.take(5)).map(({ data }) => JSON.parse(data))
    assert.deepEqual(
      documents.map(({ match, topic }) => match ?? topic),
      ['c', 'b', '/d', 'e', 'a'],
    )
    const subscribers = new Set(documents.map(({ subscriber }) => subscriber))
    assert.equal(subscribers.size, 1)
    assert.match([...subscribers][0], /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
})

suite('QUERY', () => {
  const form = 'application/x-www-form-urlencoded'
  const query = (search: string, body: string, headers: Record<string, string> = { 'Content-Type': form }) => {
    const abort = new AbortController()
    return fetch(`${hub.hubUrl}?${search}`, {
      method: 'QUERY',
      body: Buffer.from(body, 'latin1'),
      headers,
      signal: abort.signal,
    })
  }
  const accepted: readonly (readonly [
    name: string,
    search: string,
    body: string,
    topics: string[],
    headers?: Record<string, string>,
  ])[] = [
    ['matchers in the body', '', `match=a&match_urlpattern=/:id`, ['a', '/b']],
    ['matchers in the body, of 0.x', '', 'topic=a&topic={id}', ['a', 'b']],
    ['matchers in both', 'match=a', 'match=b&topic=c', ['a', 'b', 'c']],
    ['matchers in the address alone', 'match=a', '', ['a']],
    ['another Content-Type', '', 'match=a', ['a'], { 'Content-Type': 'application/json' }],
    ['a Content-Type that is none', '', 'match=a', ['a'], { 'Content-Type': ';;;' }],
    ['no Content-Type', '', 'match=a', ['a'], {}],
    ['as large as it may be', '', `match=a&b=${'x'.repeat(maxBodyBytes - 10)}`, ['a']],
    ['1,000 of 0.x', '', repeat(1000, i => `topic=${i}`), ['999']],
    ['raw UTF-8', '', Buffer.from('match=é').toString('latin1'), ['é']],
  ]
  for (const [name, search, body, topics, headers] of accepted) {
    test(name, async () => {
      const stream = await hub.subscribe(search, {
        method: 'QUERY',
        body: Buffer.from(body, 'latin1'),
        headers: headers ?? { 'Content-Type': form },
      })
      for (const topic of topics) await hub.publish({ topic, data: topic })
      await stream.take(topics.length)
      assert.deepEqual(stream.data, topics)
      stream.close()
    })
  }

  const refused: readonly (readonly [name: string, search: string, body: string, status: number, code: ErrorCode])[] = [
    ['a body that is too large', 'match=a', 'x'.repeat(maxBodyBytes + 1), 413, 'body_too_large'],
    ['a broken escape in the body', 'match=a', 'match=%', 400, 'body_malformed'],
    ['no matcher in either', '', 'a=b', 400, 'matcher_missing'],
    ['an unknown matcher in the body', 'match=a', 'matches=b', 400, 'matcher_unknown'],
    [
      '101 matchers in both together',
      repeat(50, i => `match=${i}`),
      repeat(51, i => `match=b${i}`),
      400,
      'matchers_too_many',
    ],
    ['raw bytes that are not UTF-8', '', 'match=\xff', 400, 'matcher_invalid'],
  ]
  for (const [name, search, body, status, code] of refused) {
    test(`${name}: ${code}`, async () => await assertRefused(await query(search, body), status, code))
  }

  test('that is no form is told to be one', async () => {
    const answer = await query('', '{"match":"a"}', { 'Content-Type': 'application/json' })
    assert.match(await answer.text(), /^matcher_missing: .* in the body, as application\/x-www-form-urlencoded\.$/m)
  })

  test('is a safe method: a cookie needs no known origin', async () => {
    const headers = { Cookie: `mercureAuthorization=${await subscriberToken(['*'])}`, Origin: 'https://evil.example' }
    await strict.subscribe('', { method: 'QUERY', body: 'topic=a', headers })
  })
})

suite('the first thing that is wrong is the one that is named', () => {
  const rows: readonly (readonly [
    name: string,
    request: { search?: string; body?: string; headers?: Record<string, string> },
    status: number,
    code: ErrorCode,
  ])[] = [
    [
      'the size of the body',
      { body: `%${'x'.repeat(maxBodyBytes)}`, headers: { Authorization: 'x' } },
      413,
      'body_too_large',
    ],
    ['the form of the body', { body: 'matches=%', headers: { Authorization: 'x' } }, 400, 'body_malformed'],
    ['the token, of 0.x', { body: 'topic=a', headers: { Authorization: 'x' } }, 401, 'authorization_malformed'],
    ['the token, of 1.0', { body: 'matches=a', headers: { Authorization: 'x' } }, 400, 'authorization_malformed'],
    ['no token', { search: 'matches=a' }, 401, 'token_missing'],
    ['no token and no matcher', {}, 401, 'token_missing'],
    ['a token that is none', { headers: { Authorization: `Bearer ${'x'.repeat(48)}` } }, 401, 'token_malformed'],
  ]
  for (const [name, { search = '', body, headers = {} }, status, code] of rows) {
    test(`${name}: ${status}`, async () => {
      const method = body === undefined ? 'GET' : 'QUERY'
      const init = body === undefined ? {} : { body }
      await assertRefused(await fetch(`${strict.hubUrl}?${search}`, { method, headers, ...init }), status, code)
    })
  }

  test('then the matchers, and last whether the hub takes subscribers at all', async () => {
    await using closing = await startHub()
    await closing.running.hub.close()
    await assertRefused(await fetch(`${closing.hubUrl}?match=a%00`), 400, 'matcher_invalid')
    const response = await fetch(`${closing.hubUrl}?match=a`)
    assert.equal(response.headers.get('retry-after'), '1')
    await assertRefused(response, 503, 'shutting_down')
    await assertRefused(
      await closing.post('topic=a', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }),
      503,
      'shutting_down',
    )
  })
})

suite('tokens', () => {
  const noGrants: readonly (readonly [name: string, token: () => Promise<string>, query: string])[] = [
    ['a token of 0.x without claims', () => signToken({}), 'topic'],
    ['a token of 0.x that grants publishing', () => signToken({ mercure: { publish: ['*'] } }), 'topic'],
    ['a token of 0.x that grants nothing', () => signToken({ mercure: { subscribe: [] } }), 'match'],
    ['a token of 1.0 without details', () => signAccessToken(strict.hubUrl, []), 'match'],
    [
      'a token of 1.0 that grants publishing',
      () => signAccessToken(strict.hubUrl, [{ actions: ['publish'], topics: [{ match: '*' }] }]),
      'topic',
    ],
    [
      'a token of 1.0 with details of others',
      () => signAccessToken(strict.hubUrl, [], { authorization_details: [{ type: 'x' }] }),
      'match',
    ],
  ]
  for (const [name, token, parameter] of noGrants) {
    test(`${name} receives public updates and no private ones`, async () => {
      const headers = { Authorization: `Bearer ${await token()}` }
      const stream = await strict.subscribe(`${parameter}=${topic}&${parameter}=${marker}`, { headers })
      await strict.publish({ topic, data: 'private', private: 'on' })
      await strict.publish({ topic, data: 'public' })
      assert.deepEqual(await dataReceivedBy(strict, stream), [['public']])
      stream.close()
    })
  }

  test('one that is not valid is refused where none is needed', async () => {
    for (const query of ['topic=a', 'match=a']) {
      const headers = { Authorization: `Bearer ${await signToken({}, 'another-key-for-tests-that-is-32-bytes')}` }
      await assertRefused(await fetch(`${hub.hubUrl}?${query}`, { headers }), 401, 'token_signature')
      const cookie = { Cookie: `mercureAuthorization=${'x'.repeat(48)}` }
      await assertRefused(await fetch(`${hub.hubUrl}?${query}`, { headers: cookie }), 401, 'token_malformed')
    }
  })
})
