import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { TestLog } from '../../support/log.ts'
import { newLog, schemaOf } from '../../support/postgres.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'

const noLimit = spawnSync('prlimit', ['--version']).status !== 0 && 'there is no prlimit here to limit a file with'

describe('a PostgreSQL that takes no more', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const server = await PostgresServer.start()
  after(() => server[Symbol.asyncDispose]())

  const refused = { code: 'transport_unavailable', message: /^The update was not stored/ }
  const isReady = ({ transport }: TestLog) =>
    transport.ready!().then(
      () => true,
      () => false,
    )
  const unready = (reason: RegExp) => ({ code: 'transport_unavailable', message: reason })

  test('for want of space: the hub is not ready until there is some', { skip: noLimit }, async () => {
    await using log = await TestLog.start(newLog(server.url))
    // More than a segment of the server's journal has, which is as large from the beginning.
    await server.limitFiles(17 << 20)
    const publish = (id: number) => log.publish({ id: `${id}`, data: randomBytes(900).toString('hex') })
    let failures: PromiseRejectedResult[] = []
    for (let id = 0; failures.length === 0; id += 500) {
      const results = await Promise.allSettled(Array.from({ length: 500 }, (_, i) => publish(id + i)))
      failures = results.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    }
    for (const { reason } of failures) assert.match(reason.message, refused.message)
    await log.logs(/could not extend file.*File too large/)
    await assert.rejects(log.transport.ready!(), unready(/could not extend file/))
    await assert.rejects(log.transport.ready!(), unready(/could not extend file/))
    await assert.rejects(publish(-1), refused)
    await server.limitFiles('unlimited')
    await log.transport.ready!()
    await log.logs(/PostgreSQL can be used again/)
    await log.publish({ id: 'after' })
    await log.delivers('after')
  })

  test('for want of rights: the hub is not ready until it has them', async () => {
    const url = newLog(server.url)
    const schema = schemaOf(url)
    const admin = await server.client()
    await admin.query(`CREATE ROLE hub LOGIN; CREATE SCHEMA ${schema} AUTHORIZATION hub`)
    await using log = await TestLog.start(Object.assign(url, { username: 'hub' }))
    for (const [take, give] of [
      [`REVOKE INSERT ON ${schema}.mercure_updates FROM hub`, `GRANT INSERT ON ${schema}.mercure_updates TO hub`],
      [
        `REVOKE EXECUTE ON FUNCTION ${schema}.mercure_append FROM hub`,
        `GRANT EXECUTE ON FUNCTION ${schema}.mercure_append TO hub`,
      ],
      [
        `REVOKE UPDATE ON SEQUENCE ${schema}.mercure_numbers FROM hub`,
        `GRANT UPDATE ON SEQUENCE ${schema}.mercure_numbers TO hub`,
      ],
      [`REVOKE SELECT ON ${schema}.mercure_numbers FROM hub`, `GRANT SELECT ON ${schema}.mercure_numbers TO hub`],
    ] as const) {
      const logged = log.logged.length
      await admin.query(take)
      await assert.rejects(log.publish({ id: 'a' }), refused)
      await assert.rejects(log.transport.ready!(), unready(/permission denied/))
      // Messages still go; nothing is stored for all that.
      await log.send('beat').catch(() => {})
      await assert.rejects(log.transport.ready!(), unready(/permission denied/))
      assert.ok(!log.logged.slice(logged).some(({ message }) => /can be used again/.test(message)))
      await admin.query(give)
      // The reader of the log has failed as well, and tries again.
      while (!(await isReady(log))) await nextTurn()
      await log.publish({ id: 'b' })
    }
    assert.deepEqual(await log.after('earliest'), ['b', 'b', 'b', 'b'])
  })

  test('what is refused for itself alone leaves the hub ready', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    const admin = await server.client()
    await admin.query(`ALTER TABLE ${schemaOf(url)}.mercure_updates ADD CHECK (id <> 'bad')`)
    await assert.rejects(log.publish({ id: 'bad' }), refused)
    await log.transport.ready!()
    await log.publish({ id: 'good' })
  })
})
