import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { suite, test } from 'node:test'
import { createCertificate } from '../support/certificate.ts'
import { Connection } from '../support/connection.ts'
import { openSession } from '../support/http2.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { bearer } from '../support/subscriptions.ts'
import { signAccessToken, signToken, testIssuer } from '../support/token.ts'

const path = '/.well-known/mercure'

const start = (limits: Record<string, number>, settings: Settings = {}): Promise<TestHub> =>
  startHub({ limits, issuers: [testIssuer], metrics_enabled: true, metrics_addr: '', ...settings })

const ask = ({ hubUrl }: TestHub, headers: Record<string, string> = {}, query = 'topic=a'): Promise<Response> =>
  fetch(`${hubUrl}?${query}`, { headers })

/** A request that may be sent on any connection. */
const request = ({ url }: TestHub, ...headers: string[]): string =>
  `${[`GET ${path}?topic=a HTTP/1.1`, `Host: ${new URL(url).host}`, ...headers].join('\r\n')}\r\n\r\n`

const from = (address: string): Record<string, string> => ({ 'X-Forwarded-For': address })

async function assertRefused(answer: Response, status: number, code: string, setting: string): Promise<void> {
  const text = await answer.text()
  assert.equal(answer.status, status, text)
  assert.ok(text.startsWith(`${code}: `) && text.includes(`(${setting})`), text)
  const seconds = Number(answer.headers.get('Retry-After'))
  assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 30, `${seconds}`)
}

/** Resolves when so many streams of a hub have ended. */
async function ended(hub: TestHub, count: number): Promise<void> {
  await hub.logged(() => hub.logs.filter(({ msg }) => msg === 'subscriber left').length >= count)
}

/** Opens a stream as soon as there is room for it. */
async function openWhenRoom(hub: TestHub): Promise<void> {
  for (;;) {
    const stream = await hub.subscribe('topic=a').catch(error => assert.match(error.message, /^503: /))
    if (stream !== undefined) return
  }
}

suite('streams in all', () => {
  test('beyond the limit the node is full; it serves those that it has, and the next one when one has left', async () => {
    await using hub = await start({ connections: 3 })
    const streams = await Promise.all(['a', 'b', 'c'].map(() => hub.subscribe('topic=a')))
    for (let i = 0; i < 5; i++) await assertRefused(await ask(hub), 503, 'connections_too_many', 'limits.connections')
    const id = await hub.publish({ topic: 'a' })
    for (const stream of streams) assert.equal((await stream.take())[0]?.id, id)
    assert.equal((await hub.fetch('/readyz')).status, 200)
    const figures = await (await hub.fetch('/metrics')).text()
    assert.match(figures, /^talaria_requests_refused_total\{code="connections_too_many"\} 5$/m)

    streams[0]!.close()
    await ended(hub, 1)
    await hub.subscribe('topic=a')
    await assertRefused(await ask(hub), 503, 'connections_too_many', 'limits.connections')
  })

  test('requests that are no streams, or are refused, take no place', async () => {
    await using hub = await start({ connections: 1 })
    for (let i = 0; i < 3; i++) {
      assert.equal((await fetch(`${hub.hubUrl}?topic=a`, { method: 'HEAD' })).status, 200)
      assert.equal((await ask(hub, {}, '')).status, 400)
      assert.equal((await ask(hub, { Authorization: 'Bearer x' })).status, 401)
    }
    await hub.subscribe('topic=a')
    await assertRefused(await ask(hub), 503, 'connections_too_many', 'limits.connections')
  })

  test('every request of a pipeline is a stream, and all end with their connection', async () => {
    await using hub = await start({ connections: 3 })
    const connection = await Connection.open(hub.url)
    connection.send(request(hub).repeat(4))
    const { code } = await hub.logged(({ msg }) => msg === 'request refused')
    assert.equal(code, 'connections_too_many')
    connection.close()
    await ended(hub, 3)
    for (let i = 0; i < 3; i++) await hub.subscribe('topic=a')
  })

  test('clients that are gone at once leave nothing behind, wherever their request was', async () => {
    await using hub = await start({ connections: 2 })
    await hub.publish({ topic: 'a' })
    const rounds = 60
    await Promise.all(
      Array.from({ length: rounds }, async (_, i) => {
        const connection = await Connection.open(hub.url)
        connection.send(request(hub, ...(i % 2 === 0 ? [] : ['Last-Event-ID: earliest'])))
        if (i % 3 === 0) await connection.until(text => text.length > 0)
        connection.abort()
      }),
    )
    for (let i = 0; i < 2; i++) await openWhenRoom(hub)
    await assertRefused(await ask(hub), 503, 'connections_too_many', 'limits.connections')
  })

  test('a stream that the hub ends makes room', async () => {
    await using hub = await start({ connections: 1 }, { write_timeout: '300ms' })
    const stream = await hub.subscribe('topic=a')
    await stream.end()
    await ended(hub, 1)
    await hub.subscribe('topic=a')
  })

  test('each stream of a session of HTTP/2 counts', async () => {
    await using certificate = await createCertificate()
    const { certFile, keyFile } = certificate
    await using hub = await start({ connections: 2 }, { cert_file: certFile, key_file: keyFile })
    await using client = await openSession(hub)
    const open = async () => {
      const stream = client.request().read()
      return await stream.until(() => stream.text.length > 0)
    }
    const [first] = await Promise.all([open(), open()])
    assert.equal((await open()).status, 503)
    first.stream.close()
    await ended(hub, 1)
    assert.equal((await open()).status, 200)
  })
})

suite('streams of an address', () => {
  test('one that has as many as it may costs the others nothing', async () => {
    await using hub = await start({ connections_per_ip: 2 })
    const open = async (localAddress: string): Promise<Connection> => {
      const { hostname, port } = new URL(hub.url)
      const socket = connect({ port: Number(port), host: hostname, localAddress })
      await once(socket, 'connect')
      const connection = new Connection(socket).send(request(hub))
      await connection.until(text => text.includes('\r\n\r\n'))
      return connection
    }
    const streams = await Promise.all([open('127.0.0.2'), open('127.0.0.2')])
    const { received } = await open('127.0.0.2')
    assert.match(received, /^HTTP\/1\.1 429 .*\r\nRetry-After: \d+\r\n.*connections_of_ip_too_many: /is)
    for (const other of ['127.0.0.3', '127.0.0.3', '127.0.0.4'])
      assert.match((await open(other)).received, /^HTTP\/1\.1 200 /)
    streams[0]!.close()
    await ended(hub, 1)
    assert.match((await open('127.0.0.2')).received, /^HTTP\/1\.1 200 /)
  })

  test('headers of a peer that is no trusted proxy change nothing', async () => {
    for (const settings of [{}, { use_forwarded_headers: true, trusted_proxies: ['10.0.0.0/8'] }]) {
      await using hub = await start({ connections_per_ip: 1 }, settings)
      await hub.subscribe('topic=a', { headers: from('198.51.100.1') })
      for (const made of ['198.51.100.2', '127.0.0.2', 'unknown', '10.0.0.9', '198.51.100.3, 10.0.0.9', '']) {
        const answer = await ask(hub, { ...from(made), Forwarded: 'for=192.0.2.7', 'X-Real-IP': '192.0.2.8' })
        await assertRefused(answer, 429, 'connections_of_ip_too_many', 'limits.connections_per_ip')
      }
    }
  })

  test('a trusted proxy is believed, and not what it was told', async () => {
    await using hub = await start({ connections_per_ip: 1 }, { use_forwarded_headers: true })
    const told = '198.51.100.7, 10.0.0.1'
    await hub.subscribe('topic=a', { headers: from(told) })
    for (const made of ['192.0.2.1', '127.0.0.1', 'unknown', '10.0.0.9', ',,"', '198.51.100.9, 10.0.0.1']) {
      const answer = await ask(hub, { ...from(`${made}, ${told}`), Forwarded: 'for=192.0.2.7' })
      await assertRefused(answer, 429, 'connections_of_ip_too_many', 'limits.connections_per_ip')
    }
  })

  test('behind a trusted proxy each client has its own', async () => {
    await using hub = await start({ connections_per_ip: 1 }, { use_forwarded_headers: true })
    for (const address of ['198.51.100.7', '198.51.100.8:1234', '2001:db8:0:1::1', '[2001:db8:0:2::1]:80']) {
      await hub.subscribe('topic=a', { headers: from(address) })
    }
    for (const address of ['::ffff:198.51.100.7', '198.51.100.8', '2001:db8:0:1:ffff::2', '2001:db8:0:2::3']) {
      await assertRefused(await ask(hub, from(address)), 429, 'connections_of_ip_too_many', 'limits.connections_per_ip')
    }
  })
})

test('streams of the subject of a token, whatever its generation and address; without one they are not counted', async () => {
  await using hub = await start({ connections_per_subject: 2 }, { use_forwarded_headers: true })
  const details = [{ actions: ['subscribe'], topics: [{ match: '*' }] }]
  const ann = bearer(await signToken({ sub: 'ann', mercure: { subscribe: ['*'] } }))
  const annCurrent = bearer(await signAccessToken(hub.hubUrl, details, { sub: 'ann' }))
  const bob = bearer(await signToken({ sub: 'bob' }))
  const nobody = bearer(await signToken({ mercure: { subscribe: ['*'] } }))
  const first = await hub.subscribe('topic=a', { headers: { ...ann, ...from('198.51.100.1') } })
  await hub.subscribe('match=a', { headers: { ...annCurrent, ...from('198.51.100.2') } })
  for (const headers of [ann, annCurrent]) {
    await assertRefused(
      await ask(hub, { ...headers, ...from('198.51.100.3') }, 'topic=a&match=a'),
      429,
      'connections_of_subject_too_many',
      'limits.connections_per_subject',
    )
  }
  await hub.subscribe('topic=a', { headers: bob })
  for (let i = 0; i < 5; i++) await hub.subscribe('topic=a', { headers: i % 2 === 0 ? nobody : {} })
  first.close()
  await ended(hub, 1)
  await hub.subscribe('topic=a', { headers: ann })
})

suite('the log names the sender who has too much', () => {
  test('by the address that a trusted proxy tells', async () => {
    await using hub = await start({ connections_per_ip: 1 }, { use_forwarded_headers: true })
    const headers = from('198.51.100.7')
    await hub.subscribe('topic=a', { headers })
    await (await ask(hub, headers)).text()
    const line = await hub.logged(({ code }) => code === 'connections_of_ip_too_many')
    assert.deepEqual([line.address, line.subject], ['198.51.100.7', undefined])
  })

  test('by the subject of its token, as its streams are told of', async () => {
    await using hub = await start({ connections_per_subject: 1, publishes_per_second_per_subject: 1 })
    const sub = `ann${'n'.repeat(300)}`
    const token = await signToken({ sub, mercure: { publish: ['*'] } })
    await hub.subscribe('topic=a', { headers: bearer(token) })
    const subscriber = await hub.logged(({ msg }) => msg === 'new subscriber')
    await (await ask(hub, bearer(token))).text()
    const refused = await hub.logged(({ code }) => code === 'connections_of_subject_too_many')
    while ((await hub.post('topic=a', { headers: { ...bearer(token), ...form } })).status === 200);
    const slowed = await hub.logged(({ code }) => code === 'publishes_of_subject_too_many')
    for (const line of [subscriber, refused, slowed]) {
      assert.deepEqual([line.subject, line.address], [sub.slice(0, 200), undefined])
    }
    assert.ok(!JSON.stringify(hub.logs).includes(token))
  })

  test('nobody else is named', async () => {
    await using hub = await start({ connections: 1 })
    const headers = bearer(await signToken({ sub: 'ann' }))
    await hub.subscribe('topic=a')
    await (await ask(hub, headers)).text()
    const line = await hub.logged(({ code }) => code === 'connections_too_many')
    assert.deepEqual([line.subject, line.address], [undefined, undefined])
    const { subject } = await hub.logged(({ msg }) => msg === 'new subscriber')
    assert.equal(subject, undefined)
  })

  const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
})

suite('publishing', () => {
  const publish = async (hub: TestHub, sub: string | undefined): Promise<Response> =>
    await hub.post(new URLSearchParams({ topic: 'a', data: sub ?? '' }), {
      headers: bearer(await signToken({ sub, mercure: { publish: ['*'] } })),
    })

  /** Publishes, faster than once a second, until that is too fast. */
  async function flood(hub: TestHub, sub: string | undefined): Promise<Response> {
    for (;;) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => publish(hub, sub)))
      const refused = answers.find(({ status }) => status !== 200)
      if (refused !== undefined) return refused
    }
  }

  test('a subject that publishes too fast costs the others nothing, and what was refused is not delivered', async () => {
    await using hub = await start({ publishes_per_second_per_subject: 1 })
    const stream = await hub.subscribe('topic=a')
    const refused = await flood(hub, 'ann')
    await assertRefused(refused, 429, 'publishes_of_subject_too_many', 'limits.publishes_per_second_per_subject')
    assert.equal((await publish(hub, 'bob')).status, 200)
    // A token without a subject is not limited by it.
    for (let i = 0; i < 20; i++) assert.equal((await publish(hub, undefined)).status, 200)
    const accepted = hub.logs.filter(({ msg }) => msg === 'update published').length
    await stream.take(accepted)
    assert.equal(stream.data.filter(data => data === '').length, 20)
  })

  test('all together too fast is too much for the node; it is open to subscribers, and later to publishers', async () => {
    await using hub = await start({ publishes_per_second: 1 })
    await assertRefused(await flood(hub, undefined), 503, 'publishes_too_many', 'limits.publishes_per_second')
    const stream = await hub.subscribe('topic=a')
    while ((await publish(hub, undefined)).status !== 200);
    await stream.take()
  })

  test('who may not publish takes nothing from those who may', async () => {
    await using hub = await start({ publishes_per_second: 1 })
    for (let i = 0; i < 20; i++) {
      const { status } = await hub.post('topic=a', { headers: bearer(await signToken({})) })
      assert.equal(status, 401)
    }
    assert.equal((await publish(hub, undefined)).status, 200)
  })
})

suite('what a request may hold', () => {
  const cases = [
    { limits: { topics: 2 }, fits: 'topic=a&topic=b', code: 'topics_too_many', sent: 'topic=a&topic=b&topic=c' },
    { limits: { matchers: 2 }, query: 'topic=a&match=b', code: 'matchers_too_many', sent: 'topic=a&topic=b&match=c' },
    { limits: { matchers: 2 }, query: 'topic=a&topic=b', code: 'matchers_too_many', sent: 'match=a&match=b&match=c' },
    { limits: { pattern_length: 3 }, query: 'topic=%F0%9F%98%80bc', code: 'matcher_too_long', sent: 'topic=abcd' },
    { limits: { pattern_length: 3 }, query: 'match_urlpattern=/:a', code: 'matcher_too_long', sent: 'match=abcd' },
    {
      limits: { pattern_length: 9000 },
      query: `topic=${'a'.repeat(9000)}`,
      code: 'matcher_too_long',
      sent: `match=${'a'.repeat(4097)}`,
      unnamed: true,
    },
  ] as const
  for (const { limits, code, sent, ...given } of cases) {
    test(`${JSON.stringify(limits)}: ${code} for ${sent.slice(0, 50)}`, async () => {
      await using hub = await start(limits)
      const refused = 'fits' in given ? await hub.post(sent, form) : await ask(hub, {}, sent)
      assert.equal(refused.status, 400)
      const text = await refused.text()
      assert.ok(text.startsWith(`${code}: `))
      assert.equal(text.includes(`(limits.${Object.keys(limits)[0]})`), !('unnamed' in given))
      assert.equal(refused.headers.get('Retry-After'), null)
      if ('fits' in given) assert.equal((await hub.post(given.fits, form)).status, 200)
      else await hub.subscribe(given.query)
    })
  }
  const form = { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }
})

test('without limits there are none', async () => {
  await using hub = await start({})
  await Promise.all(Array.from({ length: 100 }, () => hub.subscribe('topic=a')))
  await Promise.all(Array.from({ length: 100 }, () => hub.publish({ topic: 'a' })))
})
