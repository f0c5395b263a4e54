import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { TestLog } from '../../support/log.ts'
import { newLog, schemaOf, through } from '../../support/postgres.ts'
import { startRelay } from '../../support/relay.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'
import { postgres } from '../../support/services/postgres-backend.ts'
import { testOutages } from '../outage.ts'

const unavailable = { code: 'transport_unavailable' }

describe('PostgreSQL, and the way to it', { skip: postgres.skipped }, async () => {
  if (postgres.skipped !== false) return
  const server = await postgres.open()
  after(() => server[Symbol.asyncDispose]())
  testOutages(server)
})

describe('a server that loses its data, or takes none', { skip: noPostgresProgram }, () => {
  test('what the server cannot store in time it gives up, for certain', async () => {
    await using server = await PostgresServer.start()
    const url = newLog(server.url)
    await using log = await TestLog.start(url, { publishTimeoutMs: 3000 })
    const client = await server.client()
    await client.query(`BEGIN; LOCK TABLE ${schemaOf(url)}.mercure_updates IN SHARE MODE`)
    await assert.rejects(log.publish({ id: 'refused' }), { ...unavailable, message: /was not stored/ })
    await client.query('COMMIT')
    await log.publish({ id: 'stored' })
    await log.delivers('stored')
    assert.deepEqual(log.ids, ['stored'])
  })

  test('of a server that stands still it is told that it does not answer', async () => {
    await using server = await PostgresServer.start()
    await using log = await TestLog.start(newLog(server.url), { publishTimeoutMs: 300 })
    await server.pause()
    await assert.rejects(log.publish({ id: 'a' }), unavailable)
    await log.until(() => log.logged.length > 0)
    assert.match(log.logged[0]!.message, /^PostgreSQL cannot be used: the server has not answered for 0\.3 s\./)
    server.resume()
    await log.logs(/can be used again/)
  })

  test('a log that was put back to an older state is noticed, and followed from there', async () => {
    await using server = await PostgresServer.start()
    const url = newLog(server.url)
    const relay = await startRelay(server)
    await using _ = relay
    await using log = await TestLog.start(through(url, relay))
    for (const id of ['a', 'b', 'c']) await log.publish({ id })
    const { position } = log.delivered[0]!
    const schema = schemaOf(url)
    const client = await server.client()
    await client.query(
      `DELETE FROM ${schema}.mercure_updates WHERE number > 1; SELECT setval('${schema}.mercure_numbers', 1)`,
    )
    relay.cut()
    await log.logs(/has lost updates/)
    await log.publish({ id: 'd' })
    await log.delivers('d')
    assert.deepEqual(log.ids, ['a', 'b', 'c', 'd'])
    assert.deepEqual(await log.after('earliest'), ['a', 'd'])
    // Its position means something else now.
    assert.equal(await log.after({ position }), undefined)
  })

  test('tables that are dropped are made again', async () => {
    await using server = await PostgresServer.start()
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    await log.publish({ id: 'a' })
    const client = await server.client()
    await client.query(`DROP SCHEMA ${schemaOf(url)} CASCADE`)
    await log.publish({ id: 'b' })
    await log.logs(/has lost updates/)
    await log.publish({ id: 'c' })
    await log.delivers('c')
    assert.deepEqual(await log.after('earliest'), ['b', 'c'])
  })
})
