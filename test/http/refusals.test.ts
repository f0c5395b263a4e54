import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { ErrorCode } from '../../src/errors.ts'
import { exchange } from '../support/connection.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { keyPair, publicJwk, sign } from '../support/keys.ts'
import { bearer } from '../support/subscriptions.ts'
import { publisherToken, signAccessToken, signToken, testIssuer } from '../support/token.ts'

const path = '/.well-known/mercure'
const ecKeys = { alg: 'ES256', key: keyPair('ES256').privateKey }
const details = [{ actions: ['publish', 'subscribe'], topics: [{ match: '*' }] }]

let directory: string
let keySet: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'talaria-refusals-'))
  keySet = join(directory, 'keys.json')
  await writeFile(
    keySet,
    JSON.stringify({ keys: [publicJwk(keyPair('ES256', 'another').publicKey, { kid: 'another' })] }),
  )
})
after(() => rm(directory, { recursive: true }))

interface Row {
  readonly code: ErrorCode
  readonly status: number
  readonly settings?: () => Settings
  readonly ask: (hub: TestHub) => Promise<Response | { status: number; body: string }>
}

/** Publishes with a token of 0.x for every topic, or the one that is given. */
const publish =
  (fields: string | Record<string, string>, token = publisherToken()) =>
  async (hub: TestHub) => {
    const body = typeof fields === 'string' ? fields : `${new URLSearchParams(fields)}`
    const headers = { ...bearer(await token), 'Content-Type': 'application/x-www-form-urlencoded' }
    return await hub.post(body, { headers })
  }
const publishWithKey = (key: string, body: string) => async (hub: TestHub) => {
  const type = 'application/x-www-form-urlencoded'
  const headers = { ...bearer(await publisherToken()), 'Content-Type': type, 'Idempotency-Key': key }
  return await hub.post(body, { headers })
}
const publishCurrent = (fields: string | Record<string, string>) => async (hub: TestHub) =>
  await publish(fields, signAccessToken(hub.hubUrl, details))(hub)
const get =
  (query: string, headers: (hub: TestHub) => Record<string, string> | Promise<Record<string, string>> = () => ({})) =>
  async (hub: TestHub) =>
    await fetch(`${hub.hubUrl}?${query}`, { headers: await headers(hub) })
const getWith = (token: (hub: TestHub) => Promise<string>) => get('topic=a', async hub => bearer(await token(hub)))
/** More often than once a second. */
async function untilRefused(ask: () => Promise<Response>): Promise<Response> {
  for (;;) {
    const answer = await ask()
    if (answer.status !== 200) return answer
  }
}
const closed = (ask: Row['ask']) => async (hub: TestHub) => {
  await hub.running.hub.close()
  return await ask(hub)
}

const rows: Row[] = [
  {
    code: 'request_malformed',
    status: 400,
    ask: hub => exchange(hub.url, `GET ${path} HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n`),
  },
  { code: 'body_malformed', status: 400, ask: publish('topic=%zz') },
  {
    code: 'body_too_large',
    status: 413,
    settings: () => ({ max_request_body_size: '10' }),
    ask: publish({ topic: 'https://example.com/1' }),
  },
  {
    code: 'misdirected_request',
    status: 421,
    settings: () => ({ public_urls: ['https://hub.example'] }),
    // A client of the Fetch Standard would ask once more, on another connection.
    ask: hub => exchange(hub.url, `GET ${path}?topic=a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
  },
  { code: 'not_found', status: 404, ask: hub => hub.fetch('/nothing') },
  { code: 'method_not_allowed', status: 405, ask: hub => hub.fetch(path, { method: 'PATCH' }) },
  { code: 'topic_missing', status: 400, ask: publish('data=x') },
  { code: 'topic_invalid', status: 400, ask: publishCurrent('topic=%00') },
  { code: 'topic_reserved', status: 403, ask: publish({ topic: `${path}/x` }) },
  { code: 'topic_reserved', status: 400, ask: publishCurrent({ topic: `${path}/x` }) },
  { code: 'topic_wildcard', status: 400, ask: publishCurrent('topic=*') },
  { code: 'topics_too_many', status: 400, ask: publish('topic=a&'.repeat(1001)) },
  { code: 'id_invalid', status: 400, ask: publish('topic=a&id=%0A') },
  { code: 'type_invalid', status: 400, ask: publish('topic=a&type=%0A') },
  { code: 'data_invalid', status: 400, ask: publishCurrent('topic=a&data=%FF') },
  { code: 'retry_invalid', status: 400, ask: publish('topic=a&retry=soon') },
  {
    code: 'updates_too_many',
    status: 400,
    ask: async hub =>
      await hub.post(JSON.stringify(Array(1001).fill({ topic: 'a' })), {
        headers: { 'Content-Type': 'application/json' },
      }),
  },
  { code: 'matcher_missing', status: 400, ask: get('') },
  { code: 'matcher_unknown', status: 400, ask: get('matches=a') },
  { code: 'matcher_invalid', status: 400, ask: get('match_urlpattern=(') },
  { code: 'matcher_too_long', status: 400, ask: get(`match=${'a'.repeat(4097)}`) },
  { code: 'matcher_too_complex', status: 400, ask: get(`topic=${'%7Ba%7D'.repeat(1000)}`) },
  { code: 'matchers_too_many', status: 400, ask: get('match=a&'.repeat(101)) },
  {
    code: 'subscription_path_invalid',
    status: 400,
    ask: async hub =>
      hub.fetch(`${path}/subscriptions/regexp/a/b`, { headers: bearer(await signAccessToken(hub.hubUrl, details)) }),
  },
  {
    code: 'list_parameter_invalid',
    status: 400,
    ask: async hub =>
      hub.fetch(`${path}/subscriptions?limit=0`, { headers: bearer(await signAccessToken(hub.hubUrl, details)) }),
  },
  { code: 'token_missing', status: 401, ask: hub => fetch(hub.hubUrl, { method: 'POST' }) },
  { code: 'authorization_malformed', status: 401, ask: get('topic=a', () => ({ Authorization: 'Basic x' })) },
  { code: 'authorization_malformed', status: 400, ask: get('match=a', () => ({ Authorization: 'Basic x' })) },
  { code: 'token_malformed', status: 401, ask: getWith(async () => 'x'.repeat(60)) },
  { code: 'token_algorithm', status: 401, ask: getWith(() => sign({}, ecKeys)) },
  { code: 'token_signature', status: 401, ask: getWith(() => sign({})) },
  {
    code: 'token_key_unknown',
    status: 401,
    settings: () => ({ subscriber_jwks_url: `${pathToFileURL(keySet)}` }),
    ask: getWith(() => sign({}, { ...ecKeys, header: { kid: 'unknown' } })),
  },
  {
    code: 'token_keys_unreachable',
    status: 503,
    // Port 1 belongs to a protocol that nobody serves.
    settings: () => ({ subscriber_jwks_url: 'http://127.0.0.1:1/keys.json' }),
    ask: getWith(() => sign({}, { ...ecKeys, header: { kid: 'unknown' } })),
  },
  { code: 'token_expired', status: 401, ask: getWith(() => signToken({ exp: 1 })) },
  { code: 'token_not_yet_valid', status: 401, ask: getWith(() => signToken({ nbf: 4_102_444_800 })) },
  {
    code: 'token_type',
    status: 401,
    settings: () => ({ jwt_key: undefined }),
    ask: getWith(() => signToken({})),
  },
  { code: 'token_issuer', status: 401, ask: getWith(hub => signAccessToken(hub.hubUrl, details, { iss: 'x' })) },
  { code: 'token_audience', status: 401, ask: getWith(() => signAccessToken('https://other.example', details)) },
  { code: 'token_claims', status: 401, ask: getWith(() => signToken({ mercure: 'all' })) },
  {
    code: 'token_generation',
    status: 401,
    settings: () => ({ issuers: [] }),
    ask: getWith(hub => signAccessToken(hub.hubUrl, details)),
  },
  {
    code: 'origin_missing',
    status: 401,
    ask: async hub =>
      fetch(hub.hubUrl, { method: 'POST', headers: { Cookie: `mercureAuthorization=${await publisherToken()}` } }),
  },
  {
    code: 'origin_refused',
    status: 400,
    ask: async hub =>
      fetch(hub.hubUrl, {
        method: 'POST',
        headers: {
          Origin: 'https://evil.example',
          Cookie: `__Secure-mercure_access_token=${await signAccessToken(hub.hubUrl, details)}`,
        },
      }),
  },
  { code: 'publish_not_granted', status: 401, ask: publish('topic=a', signToken({})) },
  {
    code: 'publish_not_granted',
    status: 403,
    ask: async hub => publish('topic=a', signAccessToken(hub.hubUrl, []))(hub),
  },
  { code: 'topic_not_granted', status: 401, ask: publish('topic=a', publisherToken('b')) },
  {
    code: 'subscribe_not_granted',
    status: 403,
    ask: async hub => hub.fetch(`${path}/subscriptions`, { headers: bearer(await signAccessToken(hub.hubUrl, [])) }),
  },
  ...(
    [
      ['connections_too_many', 503, 'connections'],
      ['connections_of_ip_too_many', 429, 'connections_per_ip'],
      ['connections_of_subject_too_many', 429, 'connections_per_subject'],
    ] as const
  ).map(([code, status, limit]): Row => {
    const settings = () => ({ limits: { [limit]: 1 } })
    const ofOne = (hub: TestHub) => getWith(() => signToken({ sub: 'one' }))(hub)
    return { code, status, settings, ask: async hub => [await ofOne(hub), await ofOne(hub)][1]! }
  }),
  ...(
    [
      ['publishes_too_many', 503, 'publishes_per_second'],
      ['publishes_of_subject_too_many', 429, 'publishes_per_second_per_subject'],
    ] as const
  ).map(([code, status, limit]): Row => {
    const settings = () => ({ limits: { [limit]: 1 } })
    const ofOne = publish('topic=a', signToken({ sub: 'one', mercure: { publish: ['*'] } }))
    return { code, status, settings, ask: async hub => untilRefused(() => ofOne(hub)) }
  }),
  {
    code: 'token_revoked',
    status: 401,
    ask: async hub => {
      await hub.running.hub.revocations.revoke('subject', 'ada', null)
      return await getWith(() => signToken({ sub: 'ada' }))(hub)
    },
  },
  { code: 'idempotency_key_invalid', status: 400, ask: publishWithKey('"not closed', 'topic=a') },
  {
    code: 'idempotency_key_reused',
    status: 422,
    ask: async hub => {
      await publishWithKey('"one"', 'topic=a&data=first')(hub)
      return await publishWithKey('"one"', 'topic=a&data=second')(hub)
    },
  },
  { code: 'shutting_down', status: 503, ask: closed(publish('topic=a')) },
  { code: 'shutting_down', status: 503, ask: closed(get('topic=a')) },
]

/** What no request to the hub's own address provokes: a backend that is down, a limit, a configuration, the address of operators. */
const elsewhere: ErrorCode[] = [
  'admin_secret_wrong',
  'revocations_too_many',
  'request_timeout',
  'head_too_large',
  'transport_unavailable',
  'overloaded',
  'configuration_invalid',
]

suite('a refusal', () => {
  for (const { code, status, settings, ask } of rows) {
    test(`${status} ${code}: the answer, one line of the log and the counter say the same`, async () => {
      await using hub = await startHub({
        issuers: [testIssuer],
        subscriptions: true,
        metrics_enabled: true,
        metrics_addr: '',
        ...settings?.(),
      })
      const answer = await ask(hub)
      const body = 'text' in answer ? await answer.text() : answer.body
      assert.equal(answer.status, status, body)
      assert.ok(body.startsWith(`${code}: `), body)

      const lines = hub.logs.filter(line => 'code' in line)
      assert.equal(lines.length, 1, JSON.stringify(lines))
      const { level, msg, reason, method, path: logged, ...rest } = lines[0]!
      assert.deepEqual([rest.code, rest.status], [code, status])
      assert.equal(level, 30)
      assert.equal(msg, 'request refused')
      assert.equal(body, `${code}: ${reason}\n`)
      assert.match(`${method}`, /^(GET|POST|PATCH)$/)
      assert.match(`${logged}`, /^\/[^?]*$/)

      const figures = await (await hub.fetch('/metrics')).text()
      assert.ok(figures.includes(`talaria_requests_refused_total{code="${code}"} 1\n`), figures)
    })
  }

  test('there is a row for every code that a request can provoke', async () => {
    const source = await readFile(new URL('../../src/errors.ts', import.meta.url), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(\w+)'/gm)].map(match => match[1]!)
    assert.deepEqual(new Set([...rows.map(({ code }) => code), ...elsewhere]), new Set(codes))
  })
})
