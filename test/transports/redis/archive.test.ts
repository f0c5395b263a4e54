import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { openArchive } from '../../../transports/redis.ts'
import { idsOf, linesOf, runHistory } from '../../support/history.ts'
import { TestLog } from '../../support/log.ts'
import { createTestUpdate } from '../../support/node.ts'
import { newStream } from '../../support/redis.ts'
import { startRelay } from '../../support/relay.ts'
import { noRedisProgram, RedisServer } from '../../support/services/redis.ts'

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

describe('a log in Redis without a hub', { skip: noRedisProgram }, async () => {
  if (noRedisProgram !== false) return
  const server = await RedisServer.start()
  after(() => server[Symbol.asyncDispose]())
  const redis = server.client()

  const fill = async (ids: readonly string[]): Promise<URL> => {
    const url = newStream(server.url)
    const archive = await openArchive(url, { writable: true })
    await archive.append!(ids.map(id => ({ update: createTestUpdate({ id }) })))
    await archive.close()
    return url
  }

  test('what leaves it before it is read is passed over', async () => {
    const url = await fill(range(0, 2500))
    const archive = await openArchive(url, { writable: false })
    assert.equal(archive.size, 2500)
    const read: string[] = []
    for await (const page of archive.read()) {
      if (read.length === 0) await redis.xtrim(url.pathname.slice(1), 'MAXLEN', 100)
      read.push(...page.map(({ update }) => update.id))
    }
    await archive.close()
    assert.deepEqual(read.slice(0, 1000), range(0, 1000))
    assert.deepEqual(read.slice(1000), range(2400, 2500))
  })

  test('a connection that is cut is told', async () => {
    await using relay = await startRelay(server)
    const url = await fill(range(0, 2500))
    url.port = String(relay.port)
    const archive = await openArchive(url, { writable: true })
    const pages = archive.read()[Symbol.asyncIterator]()
    await pages.next()
    relay.cut()
    await assert.rejects(pages.next(), { code: 'transport_unavailable', message: /^Redis cannot be used: / })
    await assert.rejects(archive.append!([{ update: createTestUpdate({ id: 'a' }) }]), {
      code: 'transport_unavailable',
      message: /^Redis cannot be used: /,
    })
    await archive.close()
  })

  test('an import of older updates gets later times, and says so', async () => {
    const url = (await fill(range(0, 2))).href
    const lines = ['2020-01-01T00:00:00Z', '2020-01-01T00:00:01Z', '2999-01-01T00:00:00Z', undefined]
      .map((time, i) => JSON.stringify({ id: `more-${i}`, topics: ['t'], time }))
      .join('\n')
    assert.equal(
      await runHistory([url, '--import', '-'], lines),
      'Imported: 4 updates.\nAnother time than in the file: 3 updates. The times of this log do not go back, nor ahead of its clock.\n',
    )
    const output = await runHistory([url, '--json'])
    assert.deepEqual(idsOf(output), ['id-0', 'id-1', 'more-0', 'more-1', 'more-2', 'more-3'])
    const times = linesOf(output).map(line => Date.parse(JSON.parse(line).time))
    assert.deepEqual(times, times.toSorted())
    assert.ok(times.at(-1)! <= Date.now() + 60_000)
    await using log = await TestLog.start(new URL(url))
    await log.publish({ id: 'after' })
    await log.delivers('after')
    assert.deepEqual(await log.after('more-1'), ['more-2', 'more-3', 'after'])
  })

  test('is there when a hub has used it, though it is empty', async () => {
    const url = newStream(server.url)
    await (await TestLog.start(url)).transport.close()
    assert.equal(await runHistory([url.href, '--count']), '0\n')
    assert.equal(await runHistory([url.href]), '')
  })

  test('a look changes nothing', async () => {
    const url = newStream(server.url)
    await assert.rejects(runHistory([url.href]), { message: /^There is no log in the stream "test-/ })
    assert.deepEqual(await redis.keys(`*${url.pathname.slice(1)}*`), [])
    await redis.set(url.pathname.slice(1), 'mine')
    await assert.rejects(runHistory([url.href]), { message: /is taken: it holds a string, not a stream/ })
  })
})
