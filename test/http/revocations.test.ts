import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openTransport } from '../../transports/index.ts'
import { LogDirectory } from '../support/bolt.ts'
import type { EventStream } from '../support/event-stream.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { subscriptionsPath } from '../support/subscriptions.ts'
import { signAccessToken, signToken, testIssuer } from '../support/token.ts'

const secret = 'a-secret-for-operators-of-tests-alone'
const topic = 'https://example.com/1'
/** As the log writes it. */
const infoLevel = 30
const elsewhere = 'https://example.com/2'

const start = (settings: Settings = {}): Promise<TestHub> =>
  startHub({
    admin_addr: '127.0.0.1:0',
    admin_secret: secret,
    issuers: [testIssuer],
    subscriptions: true,
    metrics_enabled: true,
    metrics_addr: '',
    ...settings,
  })

async function ask(
  hub: TestHub,
  method: string,
  path: string,
  { body, bearer = secret, type = 'application/json' }: { body?: unknown; bearer?: string; type?: string } = {},
) {
  const response = await fetch(hub.running.adminUrl + path, {
    method,
    headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': type },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text }
}

async function revoke(hub: TestHub, body: object) {
  const { status, text } = await ask(hub, 'POST', '/revocations', { body })
  assert.equal(status, 200, text)
  return JSON.parse(text)
}

const list = async (hub: TestHub) => JSON.parse((await ask(hub, 'GET', '/revocations')).text).revocations

const seconds = () => Math.floor(Date.now() / 1000)
const grants = { mercure: { publish: ['*'], subscribe: ['*'] } }
const headersOf = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })
const tokenOf = (claims: Record<string, unknown>) => signToken({ ...grants, ...claims })

/** A stream that the hub has, since an update has come on it. */
async function streamWith(hub: TestHub, token?: string): Promise<EventStream> {
  const mark = `https://example.com/${crypto.randomUUID()}`
  const query = `topic=${encodeURIComponent(topic)}&topic=${encodeURIComponent(mark)}`
  const stream = await hub.subscribe(query, token === undefined ? {} : headersOf(token))
  await hub.publish({ topic: mark })
  await stream.take()
  return stream
}

async function assertRefused(hub: TestHub, token: string): Promise<void> {
  for (const response of [
    await hub.fetch(`/.well-known/mercure?topic=${topic}`, headersOf(token)),
    await hub.post(new URLSearchParams({ topic }), headersOf(token)),
    await hub.fetch(subscriptionsPath, headersOf(token)),
  ]) {
    assert.equal(response.status, 401)
    assert.match(await response.text(), /^token_revoked: The token was revoked\./)
    assert.match(response.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
  }
}

async function assertAccepted(hub: TestHub, token: string): Promise<void> {
  const response = await hub.post(new URLSearchParams({ topic: elsewhere }), headersOf(token))
  assert.equal(response.status, 200, await response.text())
}

/** Nobody but the given one was ended: they all receive what is published now. */
async function assertOpen(hub: TestHub, ...streams: EventStream[]): Promise<void> {
  await hub.publish({ topic, data: 'still there' })
  for (const stream of streams) assert.equal((await stream.take())[0]!.data, 'still there')
}

describe('a subject is revoked', () => {
  test('its streams are closed, its tokens refused, those of others not', async () => {
    await using hub = await start()
    const [ada, adasOther, bob] = [
      await tokenOf({ sub: 'ada', iat: seconds() - 10 }),
      await tokenOf({ sub: 'ada' }),
      await tokenOf({ sub: 'bob', iat: seconds() - 10 }),
    ]
    const [first, second] = [await streamWith(hub, ada), await streamWith(hub, adasOther)]
    const others = [await streamWith(hub, bob), await streamWith(hub)]
    const answer = await revoke(hub, { subject: 'ada' })
    const { id, revoked_at: revokedAt } = answer.revoked
    assert.deepEqual(answer, {
      revoked: { id, subject: 'ada', revoked_at: revokedAt, until: null },
      streams_closed: 2,
      nodes: 1,
      nodes_silent: 0,
    })
    await Promise.all([first.end(), second.end()])
    assert.deepEqual(
      hub.logs.filter(({ msg }) => msg === 'subscriber left').map(({ reason }) => reason),
      ['revoked', 'revoked'],
    )
    await assertOpen(hub, ...others)
    for (const token of [ada, adasOther]) await assertRefused(hub, token)
    await assertAccepted(hub, bob)
    assert.match(await (await hub.fetch('/metrics')).text(), /^talaria_streams_ended_total\{reason="revoked"\} 2$/m)
    assert.deepEqual(await list(hub), [answer.revoked])
  })

  test('a token that is issued later is accepted: the user has signed in again', async () => {
    await using hub = await start()
    await revoke(hub, { subject: 'ada' })
    await assertRefused(hub, await tokenOf({ sub: 'ada', iat: seconds() - 1 }))
    // Clocks and tokens count in seconds: one of the next second is certainly later.
    await assertAccepted(hub, await tokenOf({ sub: 'ada', iat: seconds() + 1 }))
  })

  test('a token that says it will be issued is refused: an iat in milliseconds, or by a clock that is ahead', async () => {
    await using hub = await start()
    const tokens = await Promise.all([Date.now(), seconds() + 3600, 1e300].map(iat => tokenOf({ sub: 'ada', iat })))
    for (const token of tokens) await assertAccepted(hub, token)
    const stream = await streamWith(hub, tokens[0])
    await revoke(hub, { subject: 'ada' })
    await stream.end()
    for (const token of tokens) await assertRefused(hub, token)
  })

  test('the log says whose token was refused, and not the token', async () => {
    await using hub = await start()
    const token = await tokenOf({ sub: 'ada', jti: 'j1' })
    await revoke(hub, { subject: 'ada' })
    await assertRefused(hub, token)
    const { cause, level } = await hub.logged(({ code }) => code === 'token_revoked')
    assert.deepEqual([cause, level], ['Its sub is "ada", its jti "j1".', infoLevel])
    assert.ok(!JSON.stringify(hub.logs).includes(token))
  })

  test('a number is the text of it', async () => {
    await using hub = await start()
    const token = await tokenOf({ sub: 42, jti: 7 })
    const stream = await streamWith(hub, token)
    const { revoked } = await revoke(hub, { subject: '42' })
    await stream.end()
    await assertRefused(hub, token)
    assert.equal((await ask(hub, 'DELETE', `/revocations/${revoked.id}`)).status, 204)
    await assertAccepted(hub, token)
    await revoke(hub, { token_id: '7' })
    await assertRefused(hub, token)
  })

  test('access tokens of 1.0 are refused alike', async () => {
    await using hub = await start()
    const details = [{ actions: ['publish', 'subscribe'], topics: [{ match: '*' }] }]
    const token = await signAccessToken(hub.hubUrl, details, { sub: 'ada' })
    const stream = await streamWith(hub, token)
    await revoke(hub, { subject: 'ada' })
    await stream.end()
    await assertRefused(hub, token)
  })

  test('twice: it is one revocation, of the later time, and for the longer one', async () => {
    await using hub = await start()
    const { revoked: first } = await revoke(hub, { subject: 'ada', until: '2100-01-01T00:00:00Z' })
    const { revoked: second } = await revoke(hub, { subject: 'ada', until: seconds() + 3600 })
    assert.equal(second.id, first.id)
    assert.equal(second.until, '2100-01-01T00:00:00.000Z')
    const { revoked: third } = await revoke(hub, { subject: 'ada' })
    assert.equal(third.until, null)
    assert.deepEqual(await list(hub), [third])
  })
})

test('a token id is revoked: that token, and no other of its subject', async () => {
  await using hub = await start()
  const [lost, kept] = [await tokenOf({ sub: 'ada', jti: '1' }), await tokenOf({ sub: 'ada', jti: '2' })]
  const [stream, other] = [await streamWith(hub, lost), await streamWith(hub, kept)]
  const { streams_closed: closed } = await revoke(hub, { token_id: '1' })
  assert.equal(closed, 1)
  await stream.end()
  await assertRefused(hub, lost)
  await assertAccepted(hub, kept)
  await assertOpen(hub, other)
})

describe('a subscription is revoked', () => {
  /** The ids of the subscriptions to the topic. */
  async function idsOf(hub: TestHub): Promise<{ id: string; subscriber: string }[]> {
    const response = await hub.fetch(
      `${subscriptionsPath}/${encodeURIComponent(topic)}`,
      headersOf(await tokenOf({ sub: 'operator' })),
    )
    return ((await response.json()) as { subscriptions: { id: string; subscriber: string }[] }).subscriptions
  }

  test('all streams with the token of its subscriber are closed, until that token expires', async () => {
    await using hub = await start()
    const exp = seconds() + 3600
    const token = await tokenOf({ sub: 'ada', exp })
    const stream = await streamWith(hub, token)
    const [subscription] = await idsOf(hub)
    const [another, other] = [await streamWith(hub, token), await streamWith(hub, await tokenOf({ sub: 'ada' }))]
    const { revoked, streams_closed: closed } = await revoke(hub, { subscription: subscription!.id })
    assert.equal(closed, 2)
    assert.equal(revoked.subscription, subscription!.subscriber)
    assert.equal(revoked.until, new Date(exp * 1000).toISOString())
    await Promise.all([stream.end(), another.end()])
    await assertRefused(hub, token)
    await assertOpen(hub, other)
  })

  test('of a subscriber without a token: its stream is closed, and nothing is left to refuse', async () => {
    await using hub = await start()
    const stream = await streamWith(hub)
    const [subscription] = await idsOf(hub)
    const other = await streamWith(hub)
    const answer = await revoke(hub, { subscription: subscription!.subscriber })
    assert.deepEqual([answer.revoked, answer.streams_closed], [null, 1])
    await stream.end()
    await assertOpen(hub, other)
    assert.deepEqual(await list(hub), [])
  })

  test('that nobody has: there is nothing to do', async () => {
    await using hub = await start()
    const body = { subscription: `urn:uuid:${crypto.randomUUID()}` }
    const { status, text } = await ask(hub, 'POST', '/revocations', { body })
    assert.deepEqual([status, text.split(':')[0]], [404, 'not_found'])
  })

  test('another way to write the same token is refused, too', async () => {
    await using hub = await start()
    const token = await tokenOf({ sub: 'ada' })
    const stream = await streamWith(hub, token)
    await revoke(hub, { subscription: (await idsOf(hub))[0]!.id })
    await stream.end()
    // The last character of a signature of 32 bytes has two bits that mean nothing.
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = digits.indexOf(token.at(-1)!)
    for (let bits = 0; bits < 4; bits++) {
      const same = token.slice(0, -1) + digits[(last & ~3) | bits]
      const response = await hub.post(new URLSearchParams({ topic }), headersOf(same))
      assert.equal(response.status, 401, await response.text())
    }
  })
})

describe('a revocation ends', () => {
  test('when its time is over', async () => {
    await using hub = await start()
    const token = await tokenOf({ sub: 'ada' })
    await revoke(hub, { subject: 'ada', until: Date.now() / 1000 + 0.3 })
    for (;;) {
      const response = await hub.post(new URLSearchParams({ topic }), headersOf(token))
      if (response.status === 200) break
      assert.match(await response.text(), /^token_revoked/)
    }
    assert.deepEqual(await list(hub), [])
  })

  test('when it is taken back', async () => {
    await using hub = await start()
    const token = await tokenOf({ sub: 'ada' })
    const { revoked } = await revoke(hub, { subject: 'ada' })
    await assertRefused(hub, token)
    assert.equal((await ask(hub, 'DELETE', `/revocations/${revoked.id}`)).status, 204)
    await assertAccepted(hub, token)
    assert.deepEqual(await list(hub), [])
    assert.equal((await ask(hub, 'DELETE', `/revocations/${revoked.id}`)).status, 404)
    await revoke(hub, { subject: 'ada' })
    await assertRefused(hub, token)
  })
})

test('what waits for a slow reader is cut with its stream', async () => {
  await using hub = await start({
    transport_url: 'local://local?size=80',
    max_queue_bytes: '1GiB',
    recent: { bytes: '200MiB' },
  })
  const token = await tokenOf({ sub: 'ada' })
  const abort = new AbortController()
  const response = await fetch(`${hub.hubUrl}?topic=${topic}`, { ...headersOf(token), signal: abort.signal })
  const data = 'x'.repeat(1 << 19)
  for (let i = 0; i < 80; i++) await hub.publish({ topic, data })
  await revoke(hub, { subject: 'ada' })
  await assert.rejects(response.text(), { name: 'TypeError' })
  abort.abort()
})

test('a token that is revoked while the past of its subscriber is looked for opens no stream', async () => {
  const asked = Promise.withResolvers<void>()
  const found = Promise.withResolvers<void>()
  const settings = { admin_addr: '127.0.0.1:0', admin_secret: secret }
  await using hub = await startHub(settings, async (url, context) => {
    const transport = await openTransport(url, context)
    const holds = async () => {
      asked.resolve()
      await found.promise
      return true
    }
    return Object.assign(transport, { history: () => assert.fail('it is in the window'), holds })
  })
  const id = await hub.publish({ topic, data: 'x' })
  const token = await tokenOf({ sub: 'ada' })
  const url = `${hub.hubUrl}?topic=${encodeURIComponent(topic)}&last_event_id=${encodeURIComponent(id)}`
  const answered = fetch(url, headersOf(token))
  await asked.promise
  await revoke(hub, { subject: 'ada' })
  found.resolve()
  const response = await answered
  assert.equal(response.status, 401)
  assert.match(await response.text(), /^token_revoked: /)
})

test('the debugger says why the hub would refuse a token that was revoked, and nothing of one that it has not issued', async () => {
  await using hub = await start({ debugger: true })
  await revoke(hub, { subject: 'ada' })
  const explain = async (token: string) => {
    const response = await hub.fetch('/.well-known/mercure/debug/explain', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token, action: 'publish', topics: [topic] }),
    })
    const { checks, verdict } = (await response.json()) as {
      verdict: { publish: { accepted: boolean } }
      checks: { check: string; ok: boolean; says: string }[]
    }
    return { accepted: verdict.publish.accepted, ...checks.find(({ check }) => check === 'revocation') }
  }
  const refused = await explain(await tokenOf({ sub: 'ada' }))
  assert.deepEqual([refused.accepted, refused.ok, refused.says], [false, false, 'The token was revoked.'])
  const accepted = await explain(await tokenOf({ sub: 'bob' }))
  assert.deepEqual([accepted.accepted, accepted.ok], [true, true])
  const forged = await explain(await signToken({ ...grants, sub: 'ada' }, 'a-key-of-somebody-else-that-is-long-enough'))
  assert.deepEqual([forged.accepted, forged.ok], [false, undefined])
})

describe('a hub is started again', () => {
  test('with a file: what is revoked stays so, what was taken back does not, what is over is forgotten', async () => {
    await using directory = await LogDirectory.create()
    const settings = { transport_url: `bolt://${directory.file}` }
    const tokens = { ada: await tokenOf({ sub: 'ada' }), bob: await tokenOf({ sub: 'bob' }) }
    {
      await using hub = await start(settings)
      await revoke(hub, { subject: 'ada', until: '2100-01-01T00:00:00Z' })
      await revoke(hub, { token_id: 'brief', until: Date.now() / 1000 + 0.2 })
      const { revoked } = await revoke(hub, { subject: 'bob' })
      assert.equal((await ask(hub, 'DELETE', `/revocations/${revoked.id}`)).status, 204)
      while ((await list(hub)).length > 1) await assertRefused(hub, tokens.ada)
    }
    {
      await using hub = await start(settings)
      await assertRefused(hub, tokens.ada)
      await assertAccepted(hub, tokens.bob)
      const known = await list(hub)
      assert.deepEqual(
        known.map(({ subject, until }: { subject: string; until: string }) => [subject, until]),
        [['ada', '2100-01-01T00:00:00.000Z']],
      )
      assert.equal((await ask(hub, 'DELETE', `/revocations/${known[0].id}`)).status, 204)
    }
    const log = await directory.open()
    const kept = [...(await log.records!.load()).values()].map(text => JSON.parse(text))
    assert.deepEqual(kept.map(({ value, isTakenBack }) => [value, isTakenBack]).sort(), [
      ['ada', true],
      ['bob', true],
    ])
    await log.close()
  })

  test('with a log that keeps nothing: the one that ends says what ends with it', async () => {
    const hub = await start()
    await revoke(hub, { subject: 'ada' })
    await hub.close()
    const { revocations } = await hub.logged(({ msg }) => String(msg).includes('they end with this one'))
    assert.equal(revocations, 1)
  })
})

describe('the admin address', () => {
  test('is there only where it is configured', async () => {
    await using hub = await startHub()
    assert.equal(hub.running.adminUrl, undefined)
    assert.equal((await hub.fetch('/revocations')).status, 404)
  })

  test('answers nobody without the secret', async () => {
    await using hub = await start()
    for (const bearer of ['', `${secret}x`, secret.slice(1), 'x']) {
      for (const [method, path] of [
        ['GET', '/revocations'],
        ['POST', '/revocations'],
        ['DELETE', '/revocations/x'],
        ['GET', '/'],
      ] as const) {
        const { status, headers, text } = await ask(hub, method, path, { bearer })
        assert.equal(status, 401, text)
        assert.match(text, /^admin_secret_wrong: /)
        assert.equal(headers.get('www-authenticate'), 'Bearer realm="admin"')
      }
    }
    const refusals = hub.logs.filter(({ code }) => code === 'admin_secret_wrong')
    assert.ok(refusals.length > 0)
    for (const { address, level } of refusals) assert.deepEqual([address, level], ['127.0.0.1', infoLevel])
    assert.ok(!JSON.stringify(hub.logs).includes(secret))
  })

  test('knows its paths and methods', async () => {
    await using hub = await start()
    assert.equal((await ask(hub, 'GET', '/')).status, 404)
    const put = await ask(hub, 'PUT', '/revocations')
    assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, HEAD, POST'])
    const get = await ask(hub, 'GET', '/revocations/x')
    assert.deepEqual([get.status, get.headers.get('allow')], [405, 'DELETE'])
  })

  const malformed: readonly [what: string, body: unknown, fault: RegExp][] = [
    ['no JSON', '{', /not JSON/],
    ['nothing to revoke', {}, /give one of "subject", "token_id", "subscription"/],
    ['two things', { subject: 'a', token_id: 'b' }, /give one of/],
    ['an unknown member', { subject: 'a', reason: 'x' }, /reason/],
    ['an empty subject', { subject: '' }, /subject: is empty/],
    ['a subject that is no text', { subject: 1 }, /subject: is not a string/],
    ['a long token id', { token_id: 'x'.repeat(511) }, /token_id: has more than 512 bytes/],
    ['no subscription', { subscription: 'urn:uuid:1' }, /no id of a subscription/],
    ['a time without its offset', { subject: 'a', until: '2100-01-01T00:00:00' }, /until: is no date and time/],
    ['a day that is none', { subject: 'a', until: '2027-02-29T12:00:00Z' }, /until: is no date and time/],
    ['a time of milliseconds', { subject: 'a', until: 4_102_444_800_000 }, /not in milliseconds/],
    ['a time that is past', { subject: 'a', until: 1 }, /until: is past/],
    ['no time', { subject: 'a', until: true }, /until: is neither/],
  ]
  test('says what is wrong in a body', async () => {
    await using hub = await start()
    for (const [what, body, fault] of malformed) {
      const { status, text } = await ask(hub, 'POST', '/revocations', { body })
      assert.equal(status, 400, what)
      assert.match(text, /^body_malformed: /, what)
      assert.match(text, fault, what)
    }
    const form = await ask(hub, 'POST', '/revocations', {
      body: 'subject=a',
      type: 'application/x-www-form-urlencoded',
    })
    assert.match(form.text, /^body_malformed: .*application\/json/)
    assert.deepEqual(await list(hub), [])
  })
})
