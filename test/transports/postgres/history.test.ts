import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { TestLog } from '../../support/log.ts'
import { newLog, schemaOf } from '../../support/postgres.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

describe('the past', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const server = await PostgresServer.start()
  after(() => server[Symbol.asyncDispose]())

  /** The past ends with what has been delivered: this resolves then. */
  const publishAll = async (log: TestLog, ids: readonly string[], fields: (i: number) => object = () => ({})) => {
    await Promise.all(ids.map((id, i) => log.publish({ id, ...fields(i) })))
    await log.delivers(ids.at(-1)!)
  }

  test('after an id, after a position, of all', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 3000))
    assert.deepEqual(await log.after('earliest'), range(0, 3000))
    assert.deepEqual(await log.after({ id: 'id-1499' }), range(1500, 3000))
    assert.deepEqual(await log.after({ position: log.delivered[1999]!.position }), range(2000, 3000))
    assert.equal(await log.after({ id: 'id-3000' }), undefined)
    await using unstarted = await TestLog.open(url)
    assert.deepEqual(await unstarted.after('earliest'), range(0, 3000))
    for (const position of ['3001', '1.1', '-1', 'x', '9'.repeat(30)]) {
      assert.equal(await log.after({ position }), undefined, position)
    }
  })

  test('of some topics, over parts of the log without them', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    const client = await server.client()
    await log.publish({ id: 'first', topics: ['rare', 'a'] })
    await client.query(
      `INSERT INTO ${schemaOf(url)}.mercure_updates
        SELECT n, 'id-' || n, ARRAY['often'], '', '', 0, false, false, now() FROM generate_series(2, 50000) AS n`,
    )
    await log.publish({ id: 'last', topics: ['b', 'rare'] })
    await log.publish({ id: 'other', topics: ['b'] })
    await log.delivers('other')
    assert.deepEqual(await log.after('earliest', ['rare']), ['first', 'last'])
    assert.deepEqual(await log.after({ id: 'id-30000' }, ['rare', 'none']), ['last'])
    assert.deepEqual(await log.after('earliest', ['none']), [])
    assert.equal((await log.after({ id: 'first' }, ['often', 'b']))!.length, 49_999 + 2)
  })

  test('pages and the newest entries are bounded in bytes', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    const data = 'x'.repeat(100_000)
    await publishAll(log, range(0, 40), () => ({ data }))
    const { pages } = await log.transport.history!('earliest', { signal: new AbortController().signal })
    const sizes = (await Array.fromAsync(pages)).map(page => page.entries.length)
    assert.deepEqual(sizes, [6, 6, 6, 6, 6, 6, 4])
    await using other = await TestLog.open(url)
    await other.start(25)
    assert.deepEqual(other.ids, range(15, 40))
    assert.ok(other.delivered.every(({ live }) => !live))
  })

  test('what text cannot hold is kept beside it', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    await log.publish({ id: 'a', topics: ['t\0', 'plain'], data: '\0\r\n\\x00"' })
    await log.publish({ id: 'b', data: 'lone \ud800' })
    await using other = await TestLog.start(url)
    assert.deepEqual(other.delivered[0]!.update.topics, ['t\0', 'plain'])
    assert.equal(other.delivered[0]!.update.data, '\0\r\n\\x00"')
    assert.equal(other.delivered[1]!.update.data, 'lone \ud800')
    assert.deepEqual(await other.after('earliest', ['t\0']), ['a'])
    const client = await server.client()
    const { rows } = await client.query(`SELECT data FROM ${schemaOf(url)}.mercure_updates WHERE topics @> '{plain}'`)
    assert.deepEqual(rows, [{ data: '\u2400\r\n\\x00"' }])
  })

  test('what a person deletes is not there, and all else is', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 10))
    const client = await server.client()
    await client.query(`DELETE FROM ${schemaOf(url)}.mercure_updates WHERE id IN ('id-0', 'id-4', 'id-9')`)
    assert.deepEqual(await log.after('earliest'), ['id-1', 'id-2', 'id-3', 'id-5', 'id-6', 'id-7', 'id-8'])
    assert.deepEqual(await log.after({ id: 'id-3' }), ['id-5', 'id-6', 'id-7', 'id-8'])
    assert.deepEqual(await log.after({ position: log.delivered[4]!.position }), ['id-5', 'id-6', 'id-7', 'id-8'])
    await client.query(`TRUNCATE ${schemaOf(url)}.mercure_updates`)
    await log.publish({ id: 'next' })
    await using other = await TestLog.start(url)
    assert.deepEqual(other.ids, ['next'])
    // No number is given twice.
    assert.equal(other.delivered[0]!.position, '11')
    await other.publish({ id: 'last' })
    await log.delivers('last')
    assert.deepEqual(log.ids.slice(-2), ['next', 'last'])
  })

  test('an id of any length is found, however often it is used', async () => {
    await using log = await TestLog.start(newLog(server.url))
    const long = 'ü'.repeat(100_000)
    await log.publish({ id: long, topics: ['x'.repeat(100_000)] })
    await Promise.all(Array.from({ length: 2000 }, () => log.publish({ id: 'same' })))
    assert.equal((await log.after({ id: long }))!.length, 2000)
    assert.equal((await log.after({ id: 'same' }))!.length, 1999)
    assert.deepEqual(
      log.delivered.map(({ reused }) => reused),
      [false, false, ...Array.from({ length: 1999 }, () => true)],
    )
  })

  test('a reader stops when it is told to', async () => {
    await using log = await TestLog.start(newLog(server.url))
    await publishAll(log, range(0, 2500))
    const abort = new AbortController()
    const { pages } = await log.transport.history!('earliest', { signal: abort.signal })
    const read = async () => {
      for await (const _ of pages) abort.abort()
    }
    await assert.rejects(read(), { name: 'AbortError' })
  })

  /** Resolves when no more than so many updates are left, which happens in the background. */
  async function trimmedTo(url: URL, most: number): Promise<void> {
    const client = await server.client()
    const count = `SELECT count(*)::int AS kept FROM ${schemaOf(url)}.mercure_updates`
    while ((await client.query<{ kept: number }>(count)).rows[0]!.kept > most);
  }

  test('size: the oldest leave, with their ids; a reader that they leave behind is told', async () => {
    const url = newLog(server.url, { size: '100' })
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 50))
    const { pages } = await log.transport.history!({ position: '1' }, { signal: new AbortController().signal })
    for (let from = 50; from < 12_000; from += 1195) await publishAll(log, range(from, from + 1195))
    await assert.rejects(Array.fromAsync(pages), { code: 'transport_unavailable', message: /a slow reader/ })
    await trimmedTo(url, 1000)
    const kept = (await log.after('earliest'))!
    assert.ok(kept.length >= 100)
    assert.deepEqual(kept, range(12_000 - kept.length, 12_000))
    assert.equal(await log.after({ id: 'id-0' }), undefined)
    assert.equal(log.transport.holds!('11900'), false)
    assert.equal(log.transport.holds!('11901'), true)
  })

  test('max_age: what has expired leaves, but the newest', async () => {
    const url = newLog(server.url, { max_age: '1h' })
    const client = await server.client()
    const first = await TestLog.start(url)
    await publishAll(first, range(0, 2500))
    await first.transport.close()
    await client.query(
      `UPDATE ${schemaOf(url)}.mercure_updates SET created_at = now() - interval '2 hours' WHERE number <= 2400`,
    )
    await using log = await TestLog.open(url)
    await log.start(500)
    await trimmedTo(url, 100)
    assert.deepEqual(await log.after('earliest'), range(2400, 2500))
    assert.equal(log.transport.holds!('2400'), false)
    assert.equal(log.transport.holds!('2401'), true)
    await client.query(`UPDATE ${schemaOf(url)}.mercure_updates SET created_at = now() - interval '2 hours'`)
    await using other = await TestLog.start(url)
    await trimmedTo(url, 1)
    assert.deepEqual(await other.after('earliest'), ['id-2499'])
  })
})
