import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { define } from '../../../transports/postgres/definition.ts'
import { tablesOf } from '../../../transports/postgres/tables.ts'
import { startHub } from '../../support/hub.ts'
import { TestLog } from '../../support/log.ts'
import { newLog, schemaOf, through } from '../../support/postgres.ts'
import { startRelay } from '../../support/relay.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'

const names = (letter: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${letter}${i + 1}`)

describe('a log that comes back with less, under running hubs', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const server = await PostgresServer.start()
  after(() => server[Symbol.asyncDispose]())
  const admin = await server.client()

  /** What is in the log now; it puts that back as a dump does, in the place of the log that there is then. */
  async function dump(url: URL): Promise<() => Promise<void>> {
    const schema = schemaOf(url)
    await admin.query(`CREATE TABLE ${schema}_dump AS SELECT * FROM ${schema}.mercure_updates`)
    const restore = `BEGIN; DROP SCHEMA ${schema} CASCADE; CREATE SCHEMA ${schema};
      ${define(tablesOf(schema, 'mercure'))}
      INSERT INTO ${schema}.mercure_updates SELECT * FROM ${schema}_dump;
      SELECT setval('${schema}.mercure_numbers', (SELECT max(number) FROM ${schema}_dump)); COMMIT`
    return async () => void (await admin.query(restore))
  }

  async function publish(log: TestLog, ids: readonly string[]): Promise<void> {
    for (const id of ids) await log.publish({ id })
  }

  function assertTold(logs: readonly TestLog[]): void {
    for (const { logged, delivered } of logs) {
      assert.equal(logged.filter(({ message }) => /has lost updates that were stored/.test(message)).length, 1)
      assert.equal(new Set(delivered.map(({ position }) => position)).size, delivered.length)
    }
  }

  for (const [name, lost, gained] of [
    ['fewer updates than were lost', 5, 3],
    ['as many as were lost', 5, 5],
    ['more than were lost', 5, 7],
  ] as const) {
    test(`a dump is restored, and has ${name} added: each comes live, once`, async () => {
      const url = newLog(server.url)
      await using one = await TestLog.start(url)
      await using two = await TestLog.start(url)
      const kept = names('a', 5)
      await publish(one, kept)
      const restore = await dump(url)
      const gone = names('x', lost)
      await publish(two, gone)
      await Promise.all([one, two].map(log => log.delivers(gone.at(-1)!)))
      await restore()
      const added = names('b', gained)
      await publish(one, added)
      await Promise.all([one, two].map(log => log.delivers(added.at(-1)!)))
      for (const log of [one, two]) {
        assert.deepEqual(log.ids, [...kept, ...gone, ...added])
        assert.deepEqual(await log.after('a1'), [...kept.slice(1), ...added])
      }
      assertTold([one, two])
    })
  }

  test('nobody publishes before another hub has caught up with the numbers', async () => {
    const url = newLog(server.url)
    const relay = await startRelay(server)
    await using _ = relay
    await using near = await TestLog.start(url)
    await using far = await TestLog.start(through(url, relay))
    await publish(near, names('a', 2))
    const restore = await dump(url)
    await publish(near, names('x', 3))
    await far.delivers('x3')
    relay.refuses = true
    relay.cut()
    await restore()
    await publish(near, names('b', 3))
    relay.refuses = false
    // Its number is the next one for a hub that has not noticed anything.
    await far.publish({ id: 'c' })
    for (const log of [near, far]) {
      await log.delivers('c')
      assert.deepEqual(log.ids, [...names('a', 2), ...names('x', 3), ...names('b', 3), 'c'])
    }
    assertTold([near, far])
  })

  test('a hub that was not there yet when the dump was made', async () => {
    const url = newLog(server.url)
    const relay = await startRelay(server)
    await using _ = relay
    await using near = await TestLog.start(url)
    await publish(near, names('a', 5))
    const restore = await dump(url)
    await publish(near, names('x', 150))
    // It knows the newest hundred.
    await using far = await TestLog.start(through(url, relay))
    relay.refuses = true
    relay.cut()
    await restore()
    await publish(near, names('b', 3))
    relay.refuses = false
    await far.delivers('b3')
    assert.deepEqual(far.ids, [...names('x', 150).slice(50), ...names('b', 3)])
    assertTold([near, far])
  })

  test('the tables are emptied, and numbered from the beginning, under open connections', async () => {
    const url = newLog(server.url)
    await using one = await TestLog.start(url)
    await using two = await TestLog.start(url)
    await publish(one, names('a', 3))
    await two.delivers('a3')
    const schema = schemaOf(url)
    await admin.query(
      `BEGIN; TRUNCATE ${schema}.mercure_updates; SELECT setval('${schema}.mercure_numbers', 0); COMMIT`,
    )
    await publish(two, names('b', 4))
    for (const log of [one, two]) {
      await log.delivers('b4')
      assert.deepEqual(log.ids, [...names('a', 3), ...names('b', 4)])
    }
    assertTold([one, two])
  })

  test('clients of each hub go on', async () => {
    const url = newLog(server.url)
    await using a = await startHub({ transport_url: url.href })
    await using b = await startHub({ transport_url: url.href })
    await Promise.all([a.running.attached, b.running.attached])
    const topic = 'https://example.com/a'
    const live = await b.subscribe('topic=*')
    for (const id of names('a', 5)) await a.publish({ topic, id })
    const restore = await dump(url)
    for (const id of names('x', 5)) await b.publish({ topic, id })
    await live.take(10)
    await restore()
    const added = names('b', 7)
    for (const id of added) await a.publish({ topic, id })
    assert.deepEqual(
      (await live.take(7)).map(({ id }) => id),
      added,
    )
    for (const hub of [a, b]) {
      const resumed = await hub.subscribe('topic=*&last_event_id=a1')
      assert.deepEqual(
        (await resumed.take(11)).map(({ id }) => id),
        [...names('a', 5).slice(1), ...added],
      )
    }
  })

  test('the data of the server are an older copy of them', async () => {
    const url = newLog(server.url)
    await using one = await TestLog.start(url, { publishTimeoutMs: 0 })
    await using two = await TestLog.start(url, { publishTimeoutMs: 0 })
    await publish(one, names('a', 3))
    const putBack = await server.copyData()
    await publish(one, names('x', 3))
    await two.delivers('x3')
    await putBack()
    await publish(two, names('q', 9))
    for (const log of [one, two]) {
      await log.delivers('q9')
      assert.deepEqual(log.ids, [...names('a', 3), ...names('x', 3), ...names('q', 9)])
    }
    assertTold([one, two])
  })
})
