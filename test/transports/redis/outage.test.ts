import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { startHub } from '../../support/hub.ts'
import { newStream, RedisLog } from '../../support/redis.ts'
import { startRelay } from '../../support/relay.ts'
import { noRedisProgram, RedisServer } from '../../support/services/redis.ts'

const unavailable = { code: 'transport_unavailable' }
const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

describe('connections that break', { skip: noRedisProgram }, async () => {
  if (noRedisProgram !== false) return
  const server = await RedisServer.start()
  after(() => server[Symbol.asyncDispose]())

  /** A log through a relay, and the URL without. */
  async function relayed(options: { publishTimeoutMs?: number } = {}) {
    const stack = new AsyncDisposableStack()
    const relay = stack.use(await startRelay(server))
    const direct = newStream(server.url)
    const url = new URL(direct)
    url.port = String(relay.port)
    const log = stack.use(await RedisLog.start(url, options))
    return { relay, log, direct, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  }

  test('the tail goes on after the last entry: nothing missed, nothing twice', async () => {
    await using parts = await relayed()
    const { relay, log, direct } = parts
    await using other = await RedisLog.start(direct)
    for (let i = 0; i < 500; i++) {
      await other.publish({ id: `id-${i}` })
      if (i % 50 === 25) relay.cut()
      // It is cut while it reads, while it connects again, and while it is connected.
      if (i % 100 === 75) await log.delivers(`id-${i}`)
    }
    await log.delivers('id-499')
    assert.deepEqual(log.ids, range(0, 500))
    assert.ok(relay.connections > 4)
  })

  test('what is published while there is no connection is stored when there is one', async () => {
    await using parts = await relayed()
    const { relay, log } = parts
    relay.refuses = true
    relay.cut()
    await log.logs(/Redis cannot be used/)
    const published = range(0, 50).map(id => log.publish({ id }))
    await assert.rejects(log.transport.ready!(), unavailable)
    await assert.rejects(log.send('to nobody'), unavailable)
    relay.refuses = false
    await Promise.all(published)
    await log.delivers('id-49')
    assert.deepEqual(log.ids, range(0, 50))
    await log.logs(/Redis can be used again/)
    await log.transport.ready!()
  })

  test('a publish that was sent and not answered is refused as unknown, and not sent again', async () => {
    await using parts = await relayed()
    const { relay, log, direct } = parts
    await using other = await RedisLog.start(direct)
    relay.holdAnswers()
    const published = assert.rejects(log.publish({ id: 'unknown' }), error => {
      assert.match(String(error), /It is not known whether the update was stored/)
      return (error as { code: string }).code === 'transport_unavailable'
    })
    await other.delivers('unknown')
    relay.cut()
    await published
    relay.releaseAnswers()
    await log.publish({ id: 'next' })
    await log.delivers('next')
    assert.deepEqual(log.ids, ['unknown', 'next'])
    assert.deepEqual(await other.all(), ['unknown', 'next'])
  })

  test('a publish that cannot be sent is refused in time', async () => {
    await using parts = await relayed({ publishTimeoutMs: 200 })
    const { relay, log } = parts
    relay.refuses = true
    relay.cut()
    await log.logs(/Redis cannot be used/)
    await assert.rejects(log.publish({ id: 'a' }), { ...unavailable, message: /^The update was not stored/ })
    relay.refuses = false
    await log.logs(/Redis can be used again/)
    await log.publish({ id: 'b' })
    await log.delivers('b')
    assert.deepEqual(log.ids, ['b'])
  })

  test('more than can wait is refused at once', async () => {
    await using parts = await relayed()
    const { relay, log } = parts
    relay.refuses = true
    relay.cut()
    await log.logs(/Redis cannot be used/)
    const data = 'x'.repeat(1 << 20)
    const waiting = range(0, 64).map(id => log.publish({ id, data }))
    for (const published of waiting) published.catch(() => {})
    await assert.rejects(log.publish({ id: 'one too many' }), unavailable)
    relay.refuses = false
    await Promise.all(waiting)
    await log.publish({ id: 'last' })
    await log.delivers('last')
    assert.deepEqual(await log.all(), [...range(0, 64), 'last'])
  })

  test('history that loses its connection says so, and is there again', async () => {
    await using parts = await relayed()
    const { relay, log } = parts
    const data = 'x'.repeat(1000)
    await Promise.all(range(0, 2000).map(id => log.publish({ id, data })))
    await log.delivers('id-1999')
    const { pages } = await log.transport.history!('earliest', { signal: new AbortController().signal })
    const reader = pages[Symbol.asyncIterator]()
    await reader.next()
    relay.holdAnswers()
    const second = assert.rejects(Promise.resolve(reader.next()), unavailable)
    relay.cut()
    await second
    relay.releaseAnswers()
    await log.logs(/Redis can be used again/)
    assert.deepEqual(await log.all(), range(0, 2000))
  })

  test('closed without a connection: what waits is refused, and it ends', async () => {
    await using parts = await relayed({ publishTimeoutMs: 0 })
    const { relay, log } = parts
    relay.refuses = true
    relay.cut()
    await log.logs(/Redis cannot be used/)
    const published = assert.rejects(log.publish({ id: 'a' }), unavailable)
    await log.transport.close()
    await published
    await assert.rejects(log.publish({ id: 'b' }), unavailable)
    await assert.rejects(log.transport.ready!(), unavailable)
  })
})

describe('a server that stands still, dies, or loses its data', { skip: noRedisProgram }, () => {
  test('paused: publishers are refused in time, and the tail goes on when it goes on', async () => {
    await using server = await RedisServer.start()
    const url = newStream(server.url)
    await using log = await RedisLog.start(url, { publishTimeoutMs: 300 })
    await log.publish({ id: 'before' })
    server.pause()
    await assert.rejects(log.publish({ id: 'during' }), unavailable)
    await assert.rejects(log.transport.ready!(), unavailable)
    server.resume()
    await log.logs(/Redis can be used again/)
    await log.publish({ id: 'after' })
    await log.delivers('after')
    // Redis has read it, and answers to nobody: one that is refused as unknown may be stored.
    assert.deepEqual(
      log.ids.filter(id => id !== 'during'),
      ['before', 'after'],
    )
    assert.deepEqual(await log.all(), log.ids)
  })

  test('restarted with its data: all is there, and goes on', async () => {
    await using server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always')
    const url = newStream(server.url)
    await using log = await RedisLog.start(url)
    for (const id of range(0, 100)) await log.publish({ id })
    await server.kill()
    await log.logs(/Redis cannot be used/)
    const waiting = log.publish({ id: 'id-100' })
    await server.run()
    await waiting
    await log.delivers('id-100')
    assert.deepEqual(log.ids, range(0, 101))
    assert.deepEqual(await log.after('id-50'), range(51, 101))
    assert.ok(!log.logged.some(({ message }) => /has lost/.test(message)))
  })

  test('seen from outside: 503 with Retry-After, streams that stay, and nothing missed on them', async () => {
    await using server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always')
    const transport_url = newStream(server.url).href
    await using publishing = await startHub({ transport_url, publish_timeout: '200ms' })
    await using other = await startHub({ transport_url })
    const stream = await other.subscribe('topic=*')
    const update = (data: string) => new URLSearchParams({ topic: 'https://example.com/a', data })
    await publishing.publish({ topic: 'https://example.com/a', data: 'before' })
    await stream.take()
    await server.kill()
    await other.logged(({ msg }) => /Redis cannot be used/.test(String(msg)))
    await publishing.logged(({ msg }) => /Redis cannot be used/.test(String(msg)))
    const refused = await publishing.post(update('during'))
    assert.equal(refused.status, 503)
    assert.equal(refused.headers.get('Retry-After'), '1')
    assert.equal((await publishing.fetch('/readyz')).status, 503)
    assert.equal((await publishing.fetch('/healthz')).status, 200)
    await server.run()
    await publishing.logged(({ msg }) => /Redis can be used again/.test(String(msg)))
    for (const data of ['one', 'two', 'three']) await publishing.publish({ topic: 'https://example.com/a', data })
    assert.deepEqual(
      (await stream.take(3)).map(({ data }) => data),
      ['one', 'two', 'three'],
    )
  })

  test('restarted without its data: noticed, and goes on from nothing', async () => {
    await using server = await RedisServer.start()
    const url = newStream(server.url)
    await using log = await RedisLog.start(url)
    for (const id of range(0, 10)) await log.publish({ id })
    await log.delivers('id-9')
    await server.kill()
    await server.run()
    await log.publish({ id: 'new' })
    await log.delivers('new')
    await log.logs(/Redis has lost updates/)
    assert.deepEqual(log.ids, [...range(0, 10), 'new'])
    assert.deepEqual(await log.all(), ['new'])
    assert.equal(await log.after('id-3'), undefined)
  })

  test('emptied while nothing is published: noticed, and goes on', async () => {
    await using server = await RedisServer.start()
    const url = newStream(server.url)
    await using log = await RedisLog.start(url)
    await log.publish({ id: 'old' })
    await log.delivers('old')
    await server.client().flushall()
    await log.logs(/Redis has lost updates/)
    await log.publish({ id: 'new' })
    await log.delivers('new')
    assert.deepEqual(log.ids, ['old', 'new'])
  })

  for (const [what, count] of [
    ['fewer', 3],
    ['more', 9],
  ] as const) {
    test(`replaced by an older copy whose clock is behind, that has counted ${what}: noticed, and does not hang`, async () => {
      await using server = await RedisServer.start()
      const url = newStream(server.url)
      const stream = url.pathname.slice(1)
      await using log = await RedisLog.start(url)
      for (const id of range(0, 5)) await log.publish({ id })
      await log.delivers('id-4')
      const client = server.client()
      // As a copy would be that has the first three, and counts a time that is hours behind.
      const entries = await client.xrange(stream, '-', '+')
      await client.flushall()
      for (const [i, [, fields]] of entries.slice(0, 3).entries()) await client.xadd(stream, `1000-${i + 1}`, ...fields)
      await client.set(`{${stream}}:count`, count)
      await log.logs(/Redis has lost updates/)
      const fields = ['number', `${count + 1}`, 'id', 'other', 'topic', 'https://example.com/a', 'data', '']
      await client.xadd(stream, '1000-4', ...fields)
      await log.delivers('other')
      assert.deepEqual(log.ids, [...range(0, 5), 'other'])
    })
  }

  test('full: publishers are refused with what was stored before intact, until there is room', async () => {
    await using server = await RedisServer.start('--maxmemory-policy', 'noeviction')
    const url = newStream(server.url)
    await using log = await RedisLog.start(url)
    await log.publish({ id: 'before' })
    const client = server.client()
    await client.config('SET', 'maxmemory', '1000000')
    await assert.rejects(log.publish({ id: 'during' }), unavailable)
    await assert.rejects(log.transport.ready!(), unavailable)
    await log.logs(/OOM/)
    await client.config('SET', 'maxmemory', '0')
    await log.transport.ready!()
    await log.publish({ id: 'after' })
    await log.delivers('after')
    assert.deepEqual(await log.all(), ['before', 'after'])
  })

  test('a replica: publishers are refused, and stored when it is promoted', async () => {
    await using server = await RedisServer.start()
    const url = newStream(server.url)
    await using log = await RedisLog.start(url)
    await log.publish({ id: 'before' })
    const client = server.client()
    await client.replicaof('127.0.0.1', '1')
    const published = log.publish({ id: 'after' })
    await log.logs(/READONLY/)
    await client.replicaof('NO', 'ONE')
    await published
    await log.delivers('after')
    assert.deepEqual(log.ids, ['before', 'after'])
  })
})
