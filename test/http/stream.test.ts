import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { suite, test } from 'node:test'
import type { EndReason } from '../../src/hub/subscriber.ts'
import { Connection } from '../support/connection.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { signAccessToken, signToken, subscriberToken, testIssuer } from '../support/token.ts'

const path = '/.well-known/mercure'
const topic = 'https://example.com/a'
const opening = ':\nretry: 3000\n'
const megabyte = 1_000_000

const start = (settings: Settings = {}): Promise<TestHub> =>
  startHub({ metrics_enabled: true, metrics_addr: '', issuers: [testIssuer], ...settings })

const request = ({ url }: TestHub, query = `topic=${topic}`, ...headers: string[]): string =>
  `${[`GET ${path}?${query} HTTP/1.1`, `Host: ${new URL(url).host}`, ...headers].join('\r\n')}\r\n\r\n`

const open = async (hub: TestHub, ...parameters: string[]): Promise<Connection> =>
  (await Connection.open(hub.url)).send(request(hub, ...parameters))

/** What follows the response head. */
const bodyOf = ({ received }: Connection): string => received.slice(received.indexOf('\r\n\r\n') + 4)
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const lastChunk = '0\r\n\r\n'

/** Why the first stream of a hub has ended, as the log says; the figures must agree. */
async function reasonOfEnd(hub: TestHub): Promise<unknown> {
  const { reason } = await hub.logged(({ msg }) => msg === 'subscriber left')
  assert.equal(await figure(hub, `talaria_streams_ended_total{reason="${reason}"}`), 1)
  assert.equal(await figure(hub, 'mercure_subscribers_connected'), 0)
  return reason
}

async function figure(hub: TestHub, name: string): Promise<number> {
  const text = await (await hub.fetch('/metrics')).text()
  return Number(
    text
      .split('\n')
      .find(line => line.startsWith(`${name} `))
      ?.slice(name.length + 1) ?? 0,
  )
}

suite('bytes on the wire', () => {
  test('a stream begins with a comment and the reconnection time, and each event is a chunk as it is specified', async () => {
    await using hub = await start()
    const connection = await open(hub)
    await connection.until(text => text.endsWith(chunk(opening)))
    await hub.publish({ topic, type: 'type', retry: '5', id: 'custom-id', data: 'several\nlines\rwith\r\neol' })
    const event = 'event: type\nretry: 5\nid: custom-id\ndata: several\ndata: lines\ndata: with\ndata: eol\n\n'
    await connection.until(text => text.endsWith('\n\n\r\n'))
    await hub.publish({ topic, id: 'größe' })
    await connection.until(text => text.endsWith('data: \n\n\r\n'))
    const second = Buffer.from('id: größe\ndata: \n\n').toString('latin1')
    assert.equal(bodyOf(connection), [chunk(opening), chunk(event), `14\r\n${second}\r\n`].join(''))
    connection.close()
  })

  test('a replay comes between the beginning and what is live', async () => {
    await using hub = await start()
    for (const id of ['1', '2', '3']) await hub.publish({ topic, id, data: id })
    const stream = await hub.subscribe(`topic=${topic}&last_event_id=1`)
    await stream.take(2)
    await hub.publish({ topic, id: '4', data: '4' })
    await stream.take()
    // A client that resumes keeps its reconnection time: an update may have set it.
    assert.equal(stream.text, `:\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\nid: 4\ndata: 4\n\n`)
  })

  test('updates of any size arrive whole and in order', async () => {
    await using hub = await start({ max_request_body_size: '0' })
    const stream = await hub.subscribe(`topic=${topic}`)
    const sizes = [1, 65_535, 65_536, megabyte, 2, 8 * megabyte, 3]
    for (const size of sizes) await hub.publish({ topic, data: 'x'.repeat(size) })
    await stream.take(sizes.length)
    assert.deepEqual(
      stream.data.map(({ length }) => length),
      sizes,
    )
  })
})

suite('heartbeats', () => {
  test('are comments, sent for as long as there is nothing else', async () => {
    await using hub = await start({ heartbeat_interval: '20ms' })
    const stream = await hub.subscribe(`topic=${topic}`)
    await stream.until(text => text.length >= opening.length + 10)
    assert.match(stream.text, /^:\nretry: 3000\n(:\n){5,}$/)
    const id = await hub.publish({ topic })
    await stream.until(text => text.endsWith('\n\n:\n:\n'))
    assert.match(stream.text, new RegExp(`^:\nretry: 3000\n(:\n)+id: ${id}\ndata: \n\n(:\n)+$`))
  })

  test('are put off by every update', async () => {
    const heartbeatMs = 100
    await using hub = await start({ heartbeat_interval: `${heartbeatMs}ms` })
    const busy = await hub.subscribe('topic=busy')
    const silent = await hub.subscribe('topic=silent')
    const heartbeats = (text: string) =>
      text
        .slice(opening.length)
        .split('\n')
        .filter(line => line === ':').length
    // Between two updates there may be as many as their distance has room for: none, unless this machine was busy.
    let room = heartbeats(busy.text)
    let published = 0
    for (let last = performance.now(); heartbeats(silent.text) < 10; last = published) {
      published = performance.now()
      await hub.publish({ topic: 'busy' })
      await busy.take()
      room += Math.floor((performance.now() - last) / heartbeatMs)
    }
    assert.ok(heartbeats(busy.text) <= room, `${heartbeats(busy.text)} heartbeats where ${room} had room`)
    await busy.until(text => text.endsWith('\n\n:\n'))
  })
})

suite('the life of a stream', { concurrency: true }, () => {
  /** Signed as the test runs: it expires so many milliseconds later. */
  const expiring = async (hub: TestHub, generation: '0.x' | '1.0', ms: number) => {
    const exp = (Date.now() + ms) / 1000
    const token = generation === '0.x' ? await signToken({ exp }) : await signAccessToken(hub.hubUrl, [], { exp })
    return `Authorization: Bearer ${token}`
  }
  interface Row {
    readonly name: string
    readonly settings: Settings
    readonly token?: { readonly generation: '0.x' | '1.0'; readonly ms: number }
    readonly reason: EndReason
    /** What it lasts at least: 80 % of the bound. */
    readonly atLeastMs: number
  }
  const rows: readonly Row[] = [
    {
      name: 'is bounded by write_timeout',
      settings: { write_timeout: '300ms', dispatch_timeout: '0s' },
      reason: 'write timeout',
      atLeastMs: 240,
    },
    {
      name: 'is as long as write_timeout where that is shorter than dispatch_timeout',
      settings: { write_timeout: '300ms', dispatch_timeout: '5s' },
      reason: 'write timeout',
      atLeastMs: 240,
    },
    ...(['0.x', '1.0'] as const).flatMap(generation => [
      {
        name: `ends before its token of ${generation} expires`,
        settings: { write_timeout: '600s', dispatch_timeout: '0s' },
        token: { generation, ms: 500 },
        reason: 'token expired' as const,
        atLeastMs: 400,
      },
      {
        name: `ends before its token of ${generation} expires, without a write_timeout`,
        settings: { write_timeout: '0s', dispatch_timeout: '5s' },
        token: { generation, ms: 500 },
        reason: 'token expired' as const,
        atLeastMs: 400,
      },
      {
        name: `is bounded by write_timeout where its token of ${generation} expires later`,
        settings: { write_timeout: '300ms', dispatch_timeout: '0s' },
        token: { generation, ms: 3_600_000 },
        reason: 'write timeout' as const,
        atLeastMs: 240,
      },
    ]),
  ]
  for (const { name, settings, token, reason, atLeastMs } of rows) {
    test(`${name}: ends as ${reason}, cleanly, and the connection is free for another`, async () => {
      await using hub = await start(settings)
      const began = performance.now()
      const headers = token === undefined ? [] : [await expiring(hub, token.generation, token.ms)]
      const connection = await open(hub, `topic=${topic}`, ...headers)
      await connection.until(text => text.endsWith(lastChunk))
      assert.ok(performance.now() - began >= atLeastMs)
      assert.equal(bodyOf(connection), chunk(opening) + lastChunk)
      assert.equal(await reasonOfEnd(hub), reason)
      connection.send(request(hub, 'topic='))
      await connection.until(text => text.split('HTTP/1.1 200 OK').length === 3)
      connection.close()
    })
  }

  test('ends early enough for its last write: by dispatch_timeout', async () => {
    await using hub = await start({ write_timeout: '10s', dispatch_timeout: '7900ms' })
    const began = performance.now()
    await (await hub.subscribe(`topic=${topic}`)).end()
    const lasted = performance.now() - began
    assert.ok(lasted >= 100 && lasted < 8000, `between 0.1 and 2.1 s, not 8 s and more: ${lasted}`)
    assert.equal(await reasonOfEnd(hub), 'write timeout')
  })

  test('is of random length: those that begin together end in another order', async () => {
    await using hub = await start({ write_timeout: '1s', dispatch_timeout: '0s' })
    const began = performance.now()
    const streams = await Promise.all(Array.from({ length: 40 }, () => hub.subscribe(`topic=${topic}`)))
    const ended = streams.map(async stream => {
      await stream.end()
      assert.ok(performance.now() - began >= 800, 'at least 80 %')
    })
    await Promise.all(ended)
    const inOrderOf = (message: string) =>
      hub.logs.filter(({ msg }) => msg === message).map(({ subscriber }) => subscriber)
    const [came, left] = [inOrderOf('new subscriber'), inOrderOf('subscriber left')]
    assert.deepEqual(new Set(left), new Set(came))
    assert.equal(left.length, 40)
    assert.notDeepEqual(left, came)
  })

  test('has no end where nothing bounds it', async () => {
    await using hub = await start({ write_timeout: '0s', heartbeat_interval: '20ms' })
    const stream = await hub.subscribe(`topic=${topic}`)
    await stream.until(text => text.split('\n:').length > 20)
    stream.close()
    assert.equal(await reasonOfEnd(hub), 'client closed')
  })
})

suite('a reader that does not read', () => {
  /** More than the buffers of a connection hold. */
  const flood = 40
  const update = { topic, data: 'x'.repeat(megabyte) }
  const bounds = { transport_url: `local://local?size=${flood}`, recent: { bytes: '200MiB' } }
  const byQueue = { ...bounds, max_queue_bytes: '2MiB', dispatch_timeout: '0s' }
  const byTime = { ...bounds, max_queue_bytes: '1GiB', dispatch_timeout: '300ms' }

  /** A subscriber whose head has arrived, and who reads nothing more. */
  async function openStuck(hub: TestHub, query = `topic=${topic}`): Promise<Connection> {
    const connection = await Connection.open(hub.url)
    connection.socket.once('data', () => connection.socket.pause())
    await connection.send(request(hub, query)).until(text => text.includes('\r\n\r\n'))
    return connection
  }

  for (const [bound, settings] of [
    ['max_queue_bytes', byQueue],
    ['dispatch_timeout', byTime],
  ] as const) {
    test(`is ended as too slow by ${bound}; nobody else waits for it, and it resumes where it was`, async () => {
      await using hub = await start(settings)
      const fast = await hub.subscribe(`topic=${topic}`)
      const stuck = await openStuck(hub)
      const ids: string[] = []
      for (let i = 0; i < flood; i++) ids.push(await hub.publish(update))
      await fast.take(flood)
      const { reason } = await hub.logged(({ msg }) => msg === 'subscriber left')
      assert.equal(reason, 'too slow')
      assert.equal(await figure(hub, 'talaria_streams_ended_total{reason="too slow"}'), 1)
      assert.equal(await figure(hub, 'mercure_subscribers_connected'), 1)
      stuck.socket.resume()
      const text = await stuck.end()
      assert.ok(!text.endsWith(lastChunk), 'what it has not read is not kept for it')
      const received = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id!)
      assert.deepEqual(received, ids.slice(0, received.length))
      assert.ok(received.length < flood)
      // The last one may have been cut: a reader has only what a blank line ends.
      const last = received.at(-2) ?? 'earliest'
      const resumed = await hub.subscribe(`topic=${topic}&last_event_id=${last}`)
      await resumed.take(flood - ids.indexOf(last) - 1)
      assert.deepEqual(resumed.ids, ids.slice(ids.indexOf(last) + 1))
    })
  }

  test('is ended as too slow in the middle of its replay, too', async () => {
    await using hub = await start(byTime)
    for (let i = 0; i < flood; i++) await hub.publish(update)
    const stuck = await openStuck(hub, `topic=${topic}&last_event_id=earliest`)
    assert.equal(await reasonOfEnd(hub), 'too slow')
    stuck.close()
  })

  test('does not hold up the end of its hub', async () => {
    const hub = await start({ ...bounds, max_queue_bytes: '1GiB', dispatch_timeout: '0s' })
    const stuck = await openStuck(hub)
    for (let i = 0; i < flood; i++) await hub.publish(update)
    await hub.close()
    stuck.socket.resume()
    await stuck.end()
  })
})

suite('a reader that reads', () => {
  test('is not ended for the size of an update, nor for how many come at once', async () => {
    await using hub = await start({
      max_queue_bytes: '64KiB',
      max_request_body_size: '0',
      transport_url: 'local://local',
    })
    const stream = await hub.subscribe(`topic=${topic}`)
    await hub.publish({ topic, data: 'x'.repeat(20 * megabyte) })
    await stream.take()
    await Promise.all(Array.from({ length: 20 }, () => hub.publish({ topic, data: 'x'.repeat(megabyte) })))
    await stream.take(20)
    assert.deepEqual(
      stream.data.map(({ length }) => length),
      [20 * megabyte, ...Array(20).fill(megabyte)],
    )
  })

  test('is not ended for being slow: a replay lasts as long as its reader takes', async () => {
    const settings = { transport_url: 'local://local?size=300', recent: { bytes: '100MiB' } }
    await using hub = await start({ ...settings, dispatch_timeout: '1s', heartbeat_interval: '20ms' })
    const updates = Array.from({ length: 300 }, () => ({ topic, data: 'x'.repeat(megabyte / 10) }))
    await Promise.all(updates.map(update => hub.publish(update)))
    const clock = await hub.subscribe('topic=nothing')
    const socket = connect(Number(new URL(hub.url).port), '127.0.0.1').on('readable', () => {})
    socket.write(request(hub, `topic=${topic}&last_event_id=earliest`))
    // A quarter of a megabyte with each heartbeat of another stream: longer than dispatch_timeout.
    const began = performance.now()
    for (let left = 30 * megabyte; left > 0; ) {
      const wanted = left - megabyte / 4
      while (left > wanted) {
        const bytes: Buffer | null = socket.read(Math.min(left - wanted, socket.readableLength || 1))
        if (bytes === null) await once(socket, 'readable')
        assert.ok(!socket.destroyed, `ended with ${left} bytes to come`)
        left -= bytes?.length ?? 0
      }
      const seen = clock.text.length
      await clock.until(text => text.length > seen)
    }
    assert.ok(performance.now() - began > 1000)
    assert.equal(await figure(hub, 'mercure_subscribers_connected'), 2)
    socket.destroy()
  })
})

suite('ends', () => {
  const leaves: readonly (readonly [name: string, leave: (connection: Connection) => void])[] = [
    ['closes its connection', connection => connection.close()],
    ['says that it will send no more', connection => connection.socket.end()],
    ['resets its connection', connection => connection.abort()],
  ]
  for (const [name, leave] of leaves) {
    test(`a client that ${name} is unsubscribed at once`, async () => {
      await using hub = await start({ subscriptions: true })
      const headers = { Authorization: `Bearer ${await subscriberToken(['*'])}` }
      const watcher = await hub.subscribe(`topic=${encodeURIComponent(`${path}/subscriptions/{topic}/{subscriber}`)}`, {
        headers,
      })
      await watcher.take()
      const connection = await open(hub)
      const [came] = await watcher.take()
      await connection.until(text => text.endsWith(chunk(opening)))
      leave(connection)
      const [left] = await watcher.take()
      assert.deepEqual(
        [came, left].map(event => JSON.parse(event!.data).active),
        [true, false],
      )
      const { reason } = await hub.logged(({ msg }) => msg === 'subscriber left')
      assert.equal(reason, 'client closed')
      assert.equal(await figure(hub, 'talaria_streams_ended_total{reason="client closed"}'), 1)
      assert.equal(await figure(hub, 'mercure_subscribers_connected'), 1)
      connection.close()
    })
  }

  for (const write_timeout of ['600s', '0s']) {
    test(`every stream with the hub, cleanly, write_timeout ${write_timeout}`, async () => {
      const hub = await start({ write_timeout })
      const live = await Promise.all([open(hub), open(hub), open(hub)])
      await Promise.all(live.map(connection => connection.until(text => text.endsWith(chunk(opening)))))
      // A request that is under way keeps the server answering for so long.
      const figures = (await Connection.open(hub.url)).send('GET /metrics HTTP/1.1\r\nHost: hub.example\r\n')
      const late = (await Connection.open(hub.url)).send(request(hub).slice(0, -2))
      await hub.publish({ topic, id: 'last', data: 'x' })
      const closed = hub.close()
      for (const connection of live) {
        await connection.until(text => text.endsWith(lastChunk))
        const [, end] = bodyOf(connection).split(chunk(opening) + chunk('id: last\ndata: x\n\n'))
        assert.match(end!, /^c\r\nretry: \d{4}\n\r\n0\r\n\r\n$/)
      }
      await figures.send('\r\n').until(text => text.includes('talaria_streams_ended_total{reason="shutdown"} 3\n'))
      await late
        .send('\r\n')
        .until(text => /^HTTP\/1\.1 503 .*\r\nretry-after: 1\r\n.*\r\n\r\nshutting_down: /is.test(text))
      await closed
      const reasons = hub.logs.filter(({ msg }) => msg === 'subscriber left').map(({ reason }) => reason)
      assert.deepEqual(reasons, ['shutdown', 'shutdown', 'shutdown'])
      await Promise.all([...live, figures, late].map(connection => connection.end()))
    })
  }
})
