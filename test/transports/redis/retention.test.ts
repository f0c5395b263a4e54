import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { TestLog } from '../../support/log.ts'
import { newStream } from '../../support/redis.ts'
import { noRedisProgram, RedisServer } from '../../support/services/redis.ts'

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

describe('what is kept', { skip: noRedisProgram }, async () => {
  if (noRedisProgram !== false) return
  const server = await RedisServer.start()
  after(() => server[Symbol.asyncDispose]())
  const client = server.client()

  async function start(query = '') {
    const url = newStream(server.url, query)
    const stream = url.pathname.slice(1)
    const sizes = async () => ({
      log: await client.xlen(stream),
      heads: await client.xlen(`{${stream}}:heads`),
      ids: await client.zcard(`{${stream}}:ids`),
    })
    return { url, stream, sizes, log: await TestLog.start(url) }
  }
  const publishAll = (log: TestLog, ids: readonly string[]) => Promise.all(ids.map(id => log.publish({ id })))

  test('all of it without max_len_approx', async () => {
    const { log, sizes } = await start('max_len_approx=0')
    await using _ = log
    await publishAll(log, range(0, 3000))
    assert.deepEqual(await sizes(), { log: 3000, heads: 3000, ids: 3000 })
  })

  test('the indexes are trimmed with the log', async () => {
    const { log, sizes } = await start('max_len_approx=200')
    await using _ = log
    for (let i = 0; i < 3000; i += 500) await publishAll(log, range(i, i + 500))
    await log.delivers('id-2999')
    const { log: kept, heads, ids } = await sizes()
    assert.ok(kept >= 200 && kept < 600, `${kept} are kept`)
    assert.deepEqual([heads, ids], [kept, kept])
    assert.equal(await log.after('id-0'), undefined)
    assert.deepEqual(await log.after('id-2900'), range(2901, 3000))
  })

  test('an id whose earliest update has left means the next one', async () => {
    const { log, stream } = await start()
    await using _ = log
    const ids = ['again', 'a', 'b', 'again', 'c', 'again', 'd']
    for (const id of ids) await log.publish({ id })
    await log.delivers('d')
    assert.deepEqual(await log.after('again'), ids.slice(1))
    assert.deepEqual(
      log.delivered.map(({ reused }) => reused),
      [false, false, false, true, false, true, false],
    )
    await client.xtrim(stream, 'MAXLEN', '=', 6)
    assert.deepEqual(await log.after('again'), ids.slice(4))
    await client.xtrim(stream, 'MAXLEN', '=', 2)
    assert.deepEqual(await log.after('again'), ['d'])
    await client.xtrim(stream, 'MAXLEN', '=', 1)
    assert.equal(await log.after('again'), undefined)
  })

  test('updates of very many topics, at once', async () => {
    const { log } = await start()
    await using _ = log
    const topics = Array.from({ length: 1000 }, (_, i) => `https://example.com/${i}`)
    await Promise.all(range(0, 300).map(id => log.publish({ id, topics })))
    await log.delivers('id-299')
    assert.deepEqual(log.ids, range(0, 300))
    assert.deepEqual(log.delivered[299]!.update.topics, topics)
  })

  test('ids that begin alike, or hold odd characters, are told apart', async () => {
    const { log } = await start()
    await using _ = log
    const ids = ['a', 'ab', 'a\u0001', 'a[', '(a', '[a', 'a-1', 'é', '🎉', '+', '-', '*']
    for (const id of ids) await log.publish({ id })
    await log.delivers('*')
    for (const [i, id] of ids.entries()) assert.deepEqual(await log.after(id), ids.slice(i + 1), id)
    assert.ok(log.delivered.every(({ reused }) => reused === false))
    for (const id of ['', 'b', 'a\u0001\u0001', '(', 'a ']) assert.equal(await log.after(id), undefined)
  })

  test('what an operator removes leaves the indexes too', async () => {
    const { log, stream, sizes } = await start()
    await using _ = log
    for (let i = 0; i < 5000; i += 1000) await publishAll(log, range(i, i + 1000))
    await client.xtrim(stream, 'MAXLEN', '=', 10)
    for (const id of range(5000, 5010)) await log.publish({ id })
    await log.delivers('id-5009')
    assert.deepEqual(await sizes(), { log: 20, heads: 20, ids: 20 })
    assert.equal(await log.after('id-4989'), undefined)
    assert.deepEqual(await log.after('id-4990'), range(4991, 5010))
    await client.xtrim(stream, 'MAXLEN', '=', 0)
    await log.publish({ id: 'alone' })
    await log.delivers('alone')
    assert.deepEqual(await sizes(), { log: 1, heads: 1, ids: 1 })
    assert.deepEqual(await log.all(), ['alone'])
  })

  test('an entry that an operator removes is a place in the log still', async () => {
    const { log, stream } = await start()
    await using _ = log
    for (const id of range(0, 10)) await log.publish({ id })
    await log.delivers('id-9')
    await client.xdel(stream, log.delivered[5]!.position)
    await log.publish({ id: 'id-10' })
    await log.delivers('id-10')
    const left = range(0, 11).filter(id => id !== 'id-5')
    assert.deepEqual(await log.all(), left)
    assert.deepEqual(await log.after('id-5'), range(6, 11))
    assert.ok(!log.logged.some(({ level }) => level === 'error'))
  })

  test('a log is looked through without a hub', async () => {
    const { log, url } = await start()
    await using _ = log
    for (const id of range(0, 10)) await log.publish({ id })
    await using reader = await TestLog.open(url)
    assert.deepEqual(await reader.all(), range(0, 10))
    assert.deepEqual(await reader.after('id-7'), range(8, 10))
    assert.deepEqual(reader.delivered, [])
  })

  test('entries of somebody else are passed over, and told of once', async () => {
    const { log, stream } = await start()
    await using _ = log
    await log.publish({ id: 'a' })
    await client.xadd(stream, '*', 'greeting', 'hello')
    await client.xadd(stream, '*', 'greeting', 'hello again')
    await log.publish({ id: 'b' })
    await log.delivers('b')
    assert.deepEqual(log.ids, ['a', 'b'])
    assert.deepEqual(await log.all(), ['a', 'b'])
    assert.equal(log.logged.filter(({ message }) => /no hub has stored/.test(message)).length, 1)
  })

  test('entries that somebody has made like those of a hub are passed over, and are no loss', async () => {
    const { log, stream } = await start()
    await using _ = log
    for (const id of range(0, 3)) await log.publish({ id })
    const fields = ['id', 'foreign', 'topic', 'https://example.com/a', 'data', '']
    for (const number of [[], ['number', 'x'], ['number', '1'], ['number', '9']]) {
      await client.xadd(stream, '*', ...number, ...fields)
      await log.publish({ id: `after-${number[1]}` })
    }
    await log.delivers('after-9')
    const left = [...range(0, 3), 'after-undefined', 'after-x', 'after-1', 'after-9']
    assert.deepEqual(log.ids, left)
    assert.deepEqual(await log.all(), left)
    assert.deepEqual(
      log.logged.map(({ level }) => level),
      ['warn'],
    )
  })

  test('without its heads an id is an unknown one', async () => {
    const { log, stream } = await start()
    await using _ = log
    await publishAll(log, range(0, 10))
    await log.delivers('id-9')
    await client.del(`{${stream}}:heads`)
    assert.equal(await log.after('id-5'), undefined)
    assert.deepEqual(await log.all(), [])
    await publishAll(log, range(10, 13))
    await log.delivers('id-12')
    assert.equal(await log.after('id-5'), undefined)
    assert.deepEqual(await log.all(), range(10, 13))
    assert.deepEqual(await log.after('id-10'), range(11, 13))
  })

  test('a slow reader that the log has overtaken is told so', async () => {
    const { log } = await start('max_len_approx=100')
    await using _ = log
    const data = 'x'.repeat(20_000)
    await Promise.all(range(0, 100).map(id => log.publish({ id, data })))
    await log.delivers('id-99')
    const { pages } = await log.transport.history!('earliest', { signal: new AbortController().signal })
    const reader = pages[Symbol.asyncIterator]()
    const first = await reader.next()
    assert.ok(!first.done && first.value.entries.length < 50)
    await publishAll(log, range(100, 1000))
    await assert.rejects(Promise.resolve(reader.next()), {
      code: 'transport_unavailable',
      message: /left the log before/,
    })
  })

  test('pages are bounded in bytes, whatever the sizes', async () => {
    const { log } = await start()
    await using _ = log
    const small = range(0, 1500)
    await publishAll(log, small)
    const data = 'x'.repeat(300_000)
    const large = range(1500, 1520)
    await Promise.all(large.map(id => log.publish({ id, data })))
    await log.delivers('id-1519')
    const { pages } = await log.transport.history!('earliest', { signal: new AbortController().signal })
    const ids: string[] = []
    for await (const { entries, end } of pages) {
      ids.push(...entries.map(({ update }) => update.id))
      assert.ok(entries.length <= 1000)
      const bytes = entries.reduce((sum, { update }) => sum + update.data.length, 0)
      assert.ok(bytes < 1_000_000, `${bytes} bytes in a page`)
      assert.equal(end, entries.at(-1)?.position)
    }
    assert.deepEqual(ids, [...small, ...large])
  })

  test('a start delivers the newest as past, and no more than it is asked for', async () => {
    const { log, url } = await start()
    await using _ = log
    await publishAll(log, range(0, 2500))
    for (const backfill of [1, 10, 1000, 2200, 5000]) {
      await using late = await TestLog.open(url)
      await late.start(backfill)
      assert.deepEqual(late.ids, range(Math.max(0, 2500 - backfill), 2500))
      assert.ok(late.delivered.every(({ live }) => !live))
    }
  })

  test('a reading that nobody wants any more stops', async () => {
    const { log } = await start()
    await using _ = log
    await publishAll(log, range(0, 2500))
    await log.delivers('id-2499')
    const abort = new AbortController()
    const { pages } = await log.transport.history!('earliest', { signal: abort.signal })
    const reader = pages[Symbol.asyncIterator]()
    await reader.next()
    abort.abort()
    await assert.rejects(Promise.resolve(reader.next()), { name: 'AbortError' })
  })

  test('positions that are none are not found', async () => {
    const { log } = await start()
    await using _ = log
    await log.publish({ id: 'a' })
    for (const position of ['', 'a', '1-', '-', '+', '1-1', '99999999999999999999-1']) {
      const { found } = await log.transport.history!({ position }, { signal: new AbortController().signal })
      assert.equal(found, false, position)
    }
  })
})
