import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { TestLog } from '../../support/log.ts'
import { createTestKey, createTestUpdate } from '../../support/node.ts'
import { newLog, schemaOf } from '../../support/postgres.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'

describe('keys in PostgreSQL', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const server = await PostgresServer.start()
  after(() => server[Symbol.asyncDispose]())
  const admin = await server.client()

  test('those that have ended are removed when others come', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    const publishOnce = (id: string, key: ReturnType<typeof createTestKey>) =>
      log.transport.publishOnce!(createTestUpdate({ id }), key)
    const ids = Array.from({ length: 50 }, (_, i) => `id-${i}`)
    await Promise.all(ids.map(id => publishOnce(id, createTestKey(id, { rememberMs: 1 }))))
    const count = async () => {
      const { rows } = await admin.query<{ count: string }>(`SELECT count(*) FROM ${schemaOf(url)}.mercure_keys`)
      return Number(rows[0]!.count)
    }
    let rounds = 0
    do await publishOnce(`next-${rounds}`, createTestKey(`next-${rounds++}`))
    while ((await count()) > rounds)
    assert.equal(await count(), rounds)
    assert.equal((await publishOnce('repeated', createTestKey('next-0')))?.id, 'next-0')
  })

  test('a group that is all repeated stores nothing, and its messages are heard', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    const publishAll = (mark: string) =>
      Promise.all(
        ['a', 'b'].map(key =>
          log.transport.publishOnce!(createTestUpdate({ id: `${mark}-${key}` }), createTestKey(key)),
        ),
      )
    await publishAll('first')
    const repeated = [publishAll('second'), log.send('hello')]
    assert.deepEqual(await repeated[0], [
      { id: 'first-a', fingerprint: 'same' },
      { id: 'first-b', fingerprint: 'same' },
    ])
    await log.until(() => log.messages.includes('hello'))
    await log.publish({ id: 'last' })
    await log.delivers('last')
    assert.deepEqual(log.ids, ['first-a', 'first-b', 'last'])
  })

  test('an update whose transaction fails leaves its key free', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url, { publishTimeoutMs: 300 })
    const publish = (id: string) => log.transport.publishOnce!(createTestUpdate({ id }), createTestKey('key'))
    await admin.query(`ALTER TABLE ${schemaOf(url)}.mercure_updates ADD CONSTRAINT none CHECK (id <> 'refused')`)
    await assert.rejects(publish('refused'), { code: 'transport_unavailable' })
    assert.equal(await publish('taken'), undefined)
    assert.equal((await publish('repeated'))?.id, 'taken')
  })
})
