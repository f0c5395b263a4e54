import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { parseDsn } from '../../../src/config/dsn.ts'
import { idsOf, runHistory } from '../../support/history.ts'
import { TestLog } from '../../support/log.ts'
import { newLog } from '../../support/postgres.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'

describe('a primary and its standby', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const primary = await PostgresServer.start({ settings: ['synchronous_commit=remote_apply'] })
  after(() => primary[Symbol.asyncDispose]())
  const standby = await PostgresServer.startStandby(primary)
  after(() => standby[Symbol.asyncDispose]())
  // From now on what is committed is at both.
  const admin = await primary.client()
  await admin.query(`ALTER SYSTEM SET synchronous_standby_names TO '*'`)
  await admin.query('SELECT pg_reload_conf()')

  const log = newLog(primary.url)
  const servers = `127.0.0.1:${standby.port},127.0.0.1:${primary.port}`
  const both = parseDsn(`postgres://postgres@${servers}/postgres${log.search}&target_session_attrs=read-write`)

  test('the standby can be looked at, and not be imported into', async () => {
    {
      await using writer = await TestLog.start(both)
      await writer.publish({ id: 'before' })
    }
    const { href } = Object.assign(new URL(log), { port: String(standby.port) })
    assert.deepEqual(idsOf(await runHistory([href, '--json'])), ['before'])
    assert.equal(await runHistory([href, '--count']), '1\n')
    await assert.rejects(runHistory([href, '--import', '-'], '{"id":"b","topics":["t"]}'), {
      code: 'transport_unavailable',
      message: /^PostgreSQL cannot be used: the server is a standby, or takes no writes\.$/,
    })
  })

  test('the log is on the one that takes writes, whichever that is', async () => {
    await using writer = await TestLog.start(both, { publishTimeoutMs: 0 })
    await writer.publish({ id: 'a' })
    await writer.delivers('a')
    await primary.kill()
    const promoter = await standby.client()
    const published = writer.publish({ id: 'b' })
    await writer.logs(/cannot be used/)
    await promoter.query('SELECT pg_promote()')
    await published
    await writer.logs(/can be used again/)
    await writer.delivers('b')
    await writer.transport.ready!()
    assert.deepEqual(writer.ids, ['before', 'a', 'b'])
    assert.deepEqual(await writer.after({ id: 'a' }), ['b'])
    assert.ok(!writer.logged.some(({ message }) => /lost/.test(message)))
  })
})
