import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import manifest from '../package.json' with { type: 'json' }
import { HubError } from '../src/errors.ts'
import type { OpenTransport } from '../src/transport.ts'
import { openTransport } from '../transports/index.ts'
import { Connection, readAnswer, type Answer as WireAnswer } from './support/connection.ts'
import { readDocument } from './support/documents.ts'
import { type Settings, startHub, type TestHub } from './support/hub.ts'
import { keyPair, sign } from './support/keys.ts'
import { type Answer, faultsOf, type Method, type Operation, readDescription } from './support/openapi.ts'
import { signAccessToken, signToken, subscriberToken, testIssuer } from './support/token.ts'

const description = await readDescription()
const operations = Object.entries(description.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method: method as Method, operation: operation! })),
)
const all = [{ actions: ['publish', 'subscribe'], topics: [{ match: '*' }] }]
const origin = 'https://app.example'
const listPath = '/.well-known/mercure/subscriptions'
const topic = 'https://example.com/1'
const adminSecret = 'a-secret-for-operators-of-tests-alone'

/** Hubs that answer differently, by what is different. */
const settings = {
  usual: { demo: true },
  private: { allow_anonymous: false },
  small: { max_request_body_size: '10' },
  impatient: { read_timeout: '200ms', read_header_timeout: '200ms' },
  elsewhere: { public_urls: ['https://hub.example'] },
  'without subscriptions': { subscriptions: false },
  'without debugger': { debugger: false },
  'for everybody to sign': { jwt_key: '!ChangeThisMercureHubJWTSecretKey!' },
  'without issuers': { issuers: [] },
  'without CORS': { cors_allowed_origins: [] },
  'without figures': { metrics_enabled: false },
  'elsewhere, without figures': { public_urls: ['https://hub.example'], metrics_enabled: false },
  // Port 1 belongs to a protocol that nobody serves.
  'keys away': { subscriber_jwks_url: 'http://127.0.0.1:1/keys.json' },
  limited: { limits: { connections_per_ip: 1, publishes_per_second_per_subject: 1 } },
  'full of revocations': {},
  forgetful: {},
  stopped: {},
} satisfies Record<string, Settings>
type HubName = keyof typeof settings
const hubs = new Map<HubName, TestHub>()

/** A log that cannot be written. */
const openForgetful: OpenTransport = async (url, context) => {
  const save = () => Promise.reject(new HubError('transport_unavailable', 'The disk is full.'))
  return Object.assign(await openTransport(url, context), { records: { load: async () => new Map(), save } })
}

/** Of the hub's own subscriptions, in both generations. */
let subscriber: { '0.x': string; '1.0': string }
let revocation: string

before(async () => {
  for (const [name, own] of Object.entries(settings) as [HubName, Settings][]) {
    hubs.set(
      name,
      await startHub(
        {
          issuers: [testIssuer],
          subscriptions: true,
          cors_allowed_origins: [origin],
          metrics_enabled: true,
          metrics_addr: '',
          debugger: true,
          admin_addr: '127.0.0.1:0',
          admin_secret: adminSecret,
          ...own,
        },
        name === 'forgetful' ? openForgetful : undefined,
      ),
    )
  }
  const hub = hubs.get('usual')!
  await hub.subscribe(`topic=${topic}&match=${topic}`)
  await hub.post(new URLSearchParams({ topic, data: 'first' }), { headers: { 'Idempotency-Key': 'used' } })
  await hubs.get('limited')!.subscribe('topic=a')
  const read = async (token: string) =>
    (await (await hub.fetch(listPath, { headers: { Authorization: `Bearer ${token}` } })).json()) as {
      subscriptions: { subscriber: string }[]
    }
  subscriber = {
    '0.x': (await read(await subscriberToken(['*']))).subscriptions[0]!.subscriber,
    '1.0': (await read(await signAccessToken(hub.hubUrl, all))).subscriptions[0]!.subscriber,
  }
  const { list } = hub.running.hub.revocations
  revocation = list.add({ kind: 'subject', value: 'nobody' }, null).id
  const full = hubs.get('full of revocations')!.running.hub.revocations.list
  for (let i = 0; i < 10_000; i++) full.add({ kind: 'token_id', value: `${i}` }, null)
  hubs.get('forgetful')!.running.hub.revocations.list.add({ kind: 'subject', value: 'nobody' }, null)
  await hubs.get('stopped')!.running.hub.close()
})
after(() => Promise.all([...hubs.values()].map(hub => hub.close())))

interface Request {
  readonly hub?: HubName
  /** Behind the path. */
  readonly query?: string
  readonly body?: string
  readonly headers?: Record<string, string>
  /** Sent again until it is refused. */
  readonly often?: boolean
  /** Of 1.0 or 0.x for everything, one that grants nothing, one whose key cannot be had, or the secret of operators; default: none. */
  readonly token?: '1.0' | '0.x' | 'nothing' | 'of an unknown key' | 'secret'
}

const noToken: Request = { headers: { Authorization: 'Basic x' } }
const elsewhere: Request = { hub: 'elsewhere' }
const keysAway: Request = { hub: 'keys away', token: 'of an unknown key' }
const subscription: Request = { query: `topic=${topic}&match=${topic}&last_event_id=earliest` }
const publication: Request = { token: '0.x', body: `topic=${topic}` }
const longForm: Request = { hub: 'small', body: `match=${topic}` }
const longHead: Request = { headers: { X: 'x'.repeat(300_000) } }
/** Less than it says. */
const halfBody: Request = { hub: 'impatient', body: 'match=', headers: { 'Content-Length': '100' } }
const noDebugger: Request = { hub: 'without debugger' }
/** From a page of the hub itself. */
const fromPage = { 'Content-Type': 'application/json', Host: 'hub.test', Origin: 'http://hub.test' }
const json = (document: object): Request => ({ body: JSON.stringify(document), headers: fromPage })
/** The rest is never sent: who reads on waits in vain. */
const longJson: Request = { body: '{', headers: { ...fromPage, 'Content-Length': '200000' } }

const halfPublication: Request = { ...publication, ...halfBody }
const order = (document: object): Request => ({ token: 'secret', ...json(document) })
const longOrder: Request = { ...longJson, token: 'secret' }
/** What is answered before its path is looked at, and a body for whose rest others would wait. */
const ofEveryPath = new Set([longJson, longOrder, longHead, halfBody, halfPublication])

/** Requests of a list or an item of the subscription API, that give each status. */
const reading: Readonly<Record<string, Request>> = {
  '200': { token: '1.0' },
  '304': { token: '1.0', headers: { 'If-None-Match': '*' } },
  '400': noToken,
  '401': {},
  '403': { token: 'nothing' },
  '404': { hub: 'without subscriptions', token: '1.0' },
  '421': elsewhere,
  '503': keysAway,
}
const subscribing: Readonly<Record<string, Request>> = {
  '200': subscription,
  '400': {},
  '401': { hub: 'private', query: 'match=a' },
  '421': elsewhere,
  '429': { ...subscription, hub: 'limited' },
  '431': longHead,
  '503': { ...subscription, hub: 'stopped' },
}

/** The same of what the debugger shows to those who may read the list. */
const observing: Readonly<Record<string, Request>> = {
  '200': { token: '1.0' },
  '400': { ...noToken, hub: 'private' },
  '401': { hub: 'private' },
  '403': { hub: 'private', token: 'nothing' },
  '404': { ...noDebugger, token: '1.0' },
  '421': elsewhere,
  '503': keysAway,
}

/** What is sent to each operation so that it answers with each of its statuses. */
const requests: Readonly<Record<string, Readonly<Record<string, Request>>>> = {
  publish: {
    '200': publication,
    '400': { token: '0.x', body: 'data=x' },
    '401': { body: `topic=${topic}` },
    '403': { token: 'nothing', body: `topic=${topic}` },
    '408': halfPublication,
    '413': { ...publication, hub: 'small' },
    '421': { ...publication, ...elsewhere },
    '422': { ...publication, headers: { 'Idempotency-Key': 'used' } },
    '429': { ...publication, hub: 'limited', token: '1.0', often: true },
    '431': longHead,
    '503': { ...publication, hub: 'stopped' },
  },
  subscribe: subscribing,
  probeSubscription: subscribing,
  subscribeWithForm: {
    ...subscribing,
    '200': { body: `match=${topic}&topic=${topic}&last_event_id=` },
    '401': { hub: 'private', body: 'match=a' },
    '408': halfBody,
    '413': longForm,
  },
  preflight: { '204': { headers: { Origin: origin } }, '405': { hub: 'without CORS' }, '421': elsewhere },
  listSubscriptions: reading,
  listSubscriptionsToTopic: { ...reading, '200': { token: '0.x' } },
  listSubscriptionsToMatch: reading,
  readSubscription: reading,
  readMetadata: { '200': {}, '404': { hub: 'without issuers' }, '421': elsewhere },
  openDebugger: {
    '200': {},
    '304': { headers: { 'If-None-Match': '*' } },
    '404': noDebugger,
    '421': elsewhere,
  },
  readConfiguration: { '200': {}, '404': noDebugger, '421': elsewhere },
  mintToken: {
    '200': { ...json({ generation: '0.x', publish: ['*'] }), hub: 'for everybody to sign' },
    '400': { body: 'generation=0.x' },
    '404': json({ generation: '0.x', publish: ['*'] }),
    '413': longJson,
    '421': elsewhere,
  },
  explainToken: {
    '200': json({ token: 'x', action: 'subscribe', topics: [topic], matchers: [{ kind: 'exact', pattern: topic }] }),
    '400': json({}),
    '404': { ...json({ action: 'publish' }), ...noDebugger },
    '413': longJson,
    '421': elsewhere,
  },
  readHub: observing,
  readFigures: observing,
  locateSubscribers: observing,
  setCookie: {
    '200': json({ generation: '0.x', token: null }),
    '400': {},
    '401': json({ generation: '0.x', token: 'x' }),
    '404': noDebugger,
    '413': longJson,
    '421': elsewhere,
  },
  echo: {
    '200': { query: 'body=%7B%7D' },
    '400': { query: 'body=%' },
    '401': { query: 'jwt=x' },
    '404': noDebugger,
    '421': elsewhere,
  },
  listRevocations: { '200': { token: 'secret' }, '401': {} },
  revoke: {
    '200': order({ subject: 'nobody else', until: '2100-01-01T00:00:00Z' }),
    '202': { ...order({ subject: 'nobody else' }), hub: 'forgetful' },
    '400': order({}),
    '401': {},
    '404': order({ subscription: 'urn:uuid:00000000-0000-0000-0000-000000000000' }),
    '413': longOrder,
    '503': { ...order({ subject: 'nobody' }), hub: 'full of revocations' },
  },
  takeBackRevocation: {
    '202': { token: 'secret', hub: 'forgetful' },
    '204': { token: 'secret' },
    '401': {},
    '404': { token: 'secret', hub: 'private' },
  },
  isAlive: { '200': {} },
  isReady: { '200': {}, '503': { hub: 'stopped' } },
  readMetrics: {
    '200': {},
    '404': { hub: 'without figures' },
    '421': { ...elsewhere, hub: 'elsewhere, without figures' },
  },
}

/** What stands for the variables of a path. */
const fill = (path: string): string =>
  path
    .replace('{name}', 'book.json')
    .replace('{topic}', encodeURIComponent(topic))
    .replace('{match_type}', 'exact')
    .replace('{id}', revocation)
    .replace('{match}', encodeURIComponent(topic))
    .replace('{subscriber}', encodeURIComponent(subscriber['1.0']))

async function mint(token: NonNullable<Request['token']>, hub: TestHub): Promise<string> {
  if (token === 'secret') return adminSecret
  if (token === '0.x') return await signToken({ mercure: { publish: ['*'], subscribe: ['*'] } })
  if (token === 'of an unknown key') return await sign({}, { ...strangerKeys, header: { kid: 'unknown' } })
  return await signAccessToken(hub.hubUrl, token === '1.0' ? all : [])
}
const strangerKeys = { alg: 'ES256', key: keyPair('ES256').privateKey }

/** Sends a request as it is: clients of the Fetch Standard would send some of them twice, and QUERY in their own way. */
async function ask(method: string, path: string, { hub: name = 'usual', query, body = '', headers, token }: Request) {
  const hub = hubs.get(name)!
  const lines = {
    Host: new URL(hub.url).host,
    ...(token === undefined ? {} : { Authorization: `Bearer ${await mint(token, hub)}` }),
    ...(body === '' ? {} : { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': `${body.length}` }),
    ...headers,
    Connection: 'close',
  }
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
  const target = query === undefined ? path : `${path}?${query}`
  const connection = await Connection.open(isForOperators(path) ? hub.running.adminUrl! : hub.url)
  try {
    connection.send(`${method} ${target} HTTP/1.1\r\n${head.join('')}\r\n${body}`)
    // A stream does not end: its first comment is enough.
    const text = await Promise.race([
      connection.end(),
      connection.until(text => /text\/event-stream/.test(text) && /\r\n\r\n.*:\n/s.test(text)),
    ])
    return readAnswer(text)
  } finally {
    connection.close()
  }
}

const isForOperators = (path: string): boolean => path.startsWith('/revocations')
const isDocument = (type: string): boolean => type.startsWith('application/')

function assertDescribed({ status, headers, body }: WireAnswer, described: Answer, method: Method): void {
  for (const [name, { required, schema }] of Object.entries(described.headers)) {
    const value = headers[name.toLowerCase()]
    if (required) assert.notEqual(value, undefined, `${status} has no ${name}`)
    if (value !== undefined) assert.deepEqual(faultsOf(value, schema), [], name)
  }
  const type = headers['content-type']?.replace(/;.*/, '')
  const types = Object.keys(described.content)
  if (method === 'head' || types.length === 0) {
    assert.equal(body, '')
    return
  }
  assert.ok(type !== undefined && types.includes(type), `${status} is ${type}, not ${types.join(' or ')}`)
  const { schema } = described.content[type]!
  if (schema !== undefined) assert.deepEqual(faultsOf(isDocument(type) ? JSON.parse(body) : body, schema), [])
  if (described['x-codes'].length > 0) {
    const [, code = ''] = /^(\w+): /.exec(body) ?? []
    assert.ok(described['x-codes'].includes(code), `${code} is not described as a reason of ${status}`)
  }
}

describe('openapi.yaml', () => {
  test('is of the version of the package', () => assert.equal(description.info.version, manifest.version))

  test('names operations once, and gives each a tag that there is', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    assert.deepEqual(ids, [...new Set(ids)])
    const tags = new Set(description.tags.map(({ name }) => name))
    assert.deepEqual(new Set(operations.flatMap(({ operation }) => operation.tags)), tags)
  })

  test('declares the variables of each path, and no other', () => {
    for (const { path, operation } of operations) {
      const declared = operation.parameters.filter(parameter => parameter.in === 'path')
      assert.deepEqual(
        declared.map(({ name }) => name),
        [...path.matchAll(/\{(\w+)\}/g)].map(match => match[1]),
        path,
      )
      assert.ok(
        declared.every(({ required }) => required),
        path,
      )
    }
  })

  test('names security schemes that there are', () => {
    const schemes = Object.keys(description.components.securitySchemes ?? {})
    const named = operations.flatMap(({ operation }) => operation.security.flatMap(each => Object.keys(each)))
    assert.deepEqual(new Set(named), new Set(schemes))
  })

  for (const { path, method, operation } of operations) {
    for (const [status, described] of Object.entries(operation.responses)) {
      if (status === 'default') continue
      test(`${method.toUpperCase()} ${path} answers ${status} as it is described`, async () => {
        const request = requests[operation.operationId]?.[status]
        assert.ok(request, `no request is known for ${operation.operationId} ${status}`)
        const send = () => ask(method.toUpperCase(), fill(path), request)
        let answer = await send()
        while (request.often === true && answer.status === 200) answer = await send()
        assert.equal(answer.status, Number(status), answer.body)
        assertDescribed(answer, described, method)
      })
    }
  }

  for (const { path, method, operation } of operations) {
    test(`${method.toUpperCase()} ${path} answers with no status but those`, async () => {
      for (const request of Object.values(requests).flatMap(byStatus => Object.values(byStatus))) {
        if (ofEveryPath.has(request)) continue
        const { status, body } = await ask(method.toUpperCase(), fill(path), request)
        assert.ok(`${status}` in operation.responses, `${status} to ${JSON.stringify(request)}: ${body}`)
      }
    })
  }

  test('knows the other formats of publishing', async () => {
    const { requestBody, responses } = description.paths['/.well-known/mercure']!.post!
    const update = { topic, data: 'x', id: 'urn:1', type: 't', retry: 1, private: true }
    const bodies: [type: string, body: string, documents: unknown[]][] = [
      ['application/json', JSON.stringify(update), [update]],
      ['application/json', JSON.stringify([update, { topic: [topic] }]), [[update, { topic: [topic] }]]],
      ['application/x-ndjson', `${JSON.stringify(update)}\n${JSON.stringify({ topic: 1 })}\n`, [update]],
    ]
    for (const [type, body, documents] of bodies) {
      const media = requestBody!.content[type]!
      for (const document of documents) assert.deepEqual(faultsOf(document, media.schema ?? media.itemSchema), [])
      const answer = await ask('POST', '/.well-known/mercure', {
        token: '0.x',
        body,
        headers: { 'Content-Type': type },
      })
      assert.equal(answer.status, 200)
      assert.equal(answer.headers['content-type'], type)
      const described = responses['200']!.content[type]!
      const answered = type === 'application/json' ? [answer.body] : answer.body.trimEnd().split('\n')
      for (const text of answered) {
        assert.deepEqual(faultsOf(JSON.parse(text), described.schema ?? described.itemSchema), [])
      }
    }
  })

  test('knows pages and counts of both generations', async () => {
    const { responses } = description.paths[listPath]!.get!
    for (const token of ['0.x', '1.0'] as const) {
      for (const query of ['limit=1', `after=${encodeURIComponent(listPath)}`, 'count=1']) {
        assertDescribed(await ask('GET', listPath, { token, query }), responses['200']!, 'get')
      }
    }
  })

  test('knows what both generations answer on the same path', async () => {
    const { responses } = description.paths[`${listPath}/{match_type}/{match}`]!.get!
    const path = `${listPath}/${encodeURIComponent(topic)}/${encodeURIComponent(subscriber['0.x'])}`
    const answer = await ask('GET', path, { token: '0.x' })
    assert.equal(answer.headers['content-type'], 'application/ld+json')
    assertDescribed(answer, responses['200']!, 'get')
    const list = await ask('GET', listPath, { token: '0.x' })
    assertDescribed(list, description.paths[listPath]!.get!.responses['200']!, 'get')
  })

  for (const path of Object.keys(description.paths)) {
    const known = new Set(operations.filter(one => one.path === path).map(({ method }) => method.toUpperCase()))
    for (const method of ['GET', 'HEAD', 'QUERY', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const isKnown = known.has(method) || (method === 'HEAD' && known.has('GET'))
      test(`${method} ${path} is ${isKnown ? 'known' : 'refused'}`, async () => {
        const { status, headers } = await ask(method, fill(path), isForOperators(path) ? { token: 'secret' } : {})
        assert.equal(status === 405, !isKnown)
        if (!isKnown)
          assert.deepEqual(
            new Set(headers.allow?.split(', ')),
            new Set([...known, ...(known.has('GET') ? ['HEAD'] : [])].filter(m => m !== 'OPTIONS')),
          )
      })
    }
  }

  test('has every code of docs/errors.md with its statuses, and no other', async () => {
    const { text } = await readDocument('docs/errors.md')
    const rows = text.matchAll(/^\| `(\w+)` \| (\d{3})(?:, (\d{3}))? \|/gm)
    const documented = [...rows].flatMap(([, code, ...statuses]) =>
      statuses.filter(Boolean).map(status => `${status} ${code}`),
    )
    // Only where the hub is in an application, which openapi.yaml is not about.
    const embedded = '500 configuration_invalid'
    assert.ok(documented.includes(embedded))
    const described = [...operations.flatMap(({ operation }) => describedCodes(operation)), embedded]
    assert.deepEqual([...new Set(described)].toSorted(), documented.toSorted())
  })
})

const describedCodes = ({ responses }: Operation): string[] =>
  Object.entries(responses).flatMap(([status, response]) => response['x-codes'].map(code => `${status} ${code}`))
