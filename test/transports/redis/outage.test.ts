import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { startHub } from '../../support/hub.ts'
import { TestLog } from '../../support/log.ts'
import { newStream } from '../../support/redis.ts'
import { noRedisProgram, RedisServer } from '../../support/services/redis.ts'
import { redis } from '../../support/services/redis-backend.ts'
import { testOutages } from '../outage.ts'

const unavailable = { code: 'transport_unavailable' }
const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

describe('Redis, and the way to it', { skip: redis.skipped }, async () => {
  if (redis.skipped !== false) return
  const server = await redis.open()
  after(() => server[Symbol.asyncDispose]())
  testOutages(server)

  test('history that loses its connection says so, and is there again', async () => {
    const { relay } = server
    await using log = await TestLog.start(server.url('history', { relayed: true }))
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
})

describe('a server that loses its data, or takes none', { skip: noRedisProgram }, () => {
  test('restarted without its data: noticed, and goes on from nothing', async () => {
    await using server = await RedisServer.start()
    const url = newStream(server.url)
    await using log = await TestLog.start(url)
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

  test('gone: that nodes do not hear each other is told without a stack', async () => {
    await using server = await RedisServer.start()
    await using hub = await startHub({ transport_url: newStream(server.url).href, subscriptions: true })
    await hub.running.attached
    await server.kill()
    const isFailure = ({ msg }: { msg?: unknown }) => msg === 'failed while sending a message to the other nodes'
    await hub.logged(isFailure)
    const { level, err, reason } = hub.logs.find(isFailure)!
    assert.equal(typeof reason, 'string')
    assert.deepEqual([level, err], [40, undefined])
  })

  test('emptied while nothing is published: noticed, and goes on', async () => {
    await using server = await RedisServer.start()
    const url = newStream(server.url)
    await using log = await TestLog.start(url)
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
      await using log = await TestLog.start(url)
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
    await using log = await TestLog.start(url)
    await log.publish({ id: 'before' })
    const client = server.client()
    await client.config('SET', 'maxmemory', '1000000')
    await assert.rejects(log.publish({ id: 'during' }), unavailable)
    await assert.rejects(log.transport.ready!(), unavailable)
    await log.logs(/its memory is full \(OOM .*'maxmemory'\); raise maxmemory, or set max_len_approx/)
    await client.config('SET', 'maxmemory', '0')
    await log.transport.ready!()
    await log.publish({ id: 'after' })
    await log.delivers('after')
    assert.deepEqual(await log.all(), ['before', 'after'])
  })

  test('a right that is taken away: not ready until it is back, and told once', async () => {
    await using server = await RedisServer.start()
    const admin = server.client()
    await admin.call('ACL', 'SETUSER', 'hub', 'on', '>secret', '~*', '+@all')
    const url = newStream(server.url)
    const stream = url.pathname.slice(1)
    url.username = 'hub'
    url.password = 'secret'
    await using log = await TestLog.start(url)
    await log.publish({ id: 'before' })
    await admin.call('ACL', 'SETUSER', 'hub', '-xadd')
    const noRight = { code: 'transport_unavailable', message: /the user lacks a right \(it may not run XADD/ }
    for (let i = 0; i < 3; i++) {
      await assert.rejects(log.publish({ id: 'during' }), unavailable)
      await assert.rejects(log.transport.ready!(), noRight)
    }
    assert.ok(!log.logged.some(({ message }) => /can be used again/.test(message)))
    assert.equal(await admin.get(`{${stream}}:count`), '1')
    await admin.call('ACL', 'SETUSER', 'hub', '+xadd')
    await log.transport.ready!()
    await log.logs(/can be used again/)
    await log.publish({ id: 'after' })
    await log.delivers('after')
    assert.deepEqual(log.ids, ['before', 'after'])
    assert.equal(log.logged.filter(({ level }) => level === 'error').length, 1)
  })

  test('a stream that can take no more: not ready until somebody has mended it', async () => {
    await using server = await RedisServer.start()
    const url = newStream(server.url)
    const stream = url.pathname.slice(1)
    await using log = await TestLog.start(url)
    await log.publish({ id: 'before' })
    const client = server.client()
    const largest = `${2n ** 64n - 1n}-${2n ** 64n - 1n}`
    await client.xadd(stream, largest, 'a', 'b')
    for (let i = 0; i < 3; i++) {
      await assert.rejects(log.publish({ id: 'during' }), unavailable)
      await assert.rejects(log.transport.ready!(), { message: /the stream can take no more/ })
    }
    assert.equal(
      log.logged.filter(({ message }) => /cannot be used: the stream can take no more/.test(message)).length,
      1,
    )
    assert.ok(!log.logged.some(({ message }) => /can be used again/.test(message)))
    await client.xdel(stream, largest)
    await client.call('XSETID', stream, log.delivered[0]!.position)
    await log.transport.ready!()
    await log.publish({ id: 'after' })
    await log.delivers('after')
    assert.deepEqual(await log.all(), ['before', 'after'])
  })

  test('a replica: publishers are refused, and stored when it is promoted', async () => {
    await using server = await RedisServer.start()
    const url = newStream(server.url)
    await using log = await TestLog.start(url)
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
