import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { newLog, PostgresLog, schemaOf, through } from '../../support/postgres.ts'
import { createRandom } from '../../support/random.ts'
import { type Relay, startRelay } from '../../support/relay.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'

const unavailable = { code: 'transport_unavailable' }

describe('connections that break', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const server = await PostgresServer.start()
  after(() => server[Symbol.asyncDispose]())

  /** A log that is reached through a relay, and the same without. */
  async function startBoth(options: { publishTimeoutMs?: number } = {}): Promise<{
    relay: Relay
    far: PostgresLog
    near: PostgresLog
  }> {
    const url = newLog(server.url)
    const relay = await startRelay(server)
    const near = await PostgresLog.start(url)
    const far = await PostgresLog.start(through(url, relay), options)
    return { relay, near, far }
  }

  test('nothing is missed or repeated, however often they are cut', async () => {
    const { relay, near, far } = await startBoth()
    await using _ = relay
    await using one = near
    await using other = far
    const random = createRandom(1)
    const stored: string[] = []
    const unknown: string[] = []
    for (let i = 0; i < 300; i++) {
      if (i % 20 === 7) relay.cut()
      if (random.next() < 0.5) {
        await one.publish({ id: `near-${i}` })
        stored.push(`near-${i}`)
        continue
      }
      // What was cut off may have been stored.
      const result = await other.publish({ id: `far-${i}` }).then(
        () => stored,
        () => unknown,
      )
      result.push(`far-${i}`)
    }
    await one.publish({ id: 'last' })
    await Promise.all([one.delivers('last'), other.delivers('last')])
    assert.deepEqual(other.ids, one.ids)
    const sure = one.ids.filter(id => !unknown.includes(id))
    assert.deepEqual(sure, [...stored, 'last'])
    assert.equal(new Set(one.ids).size, one.ids.length)
  })

  test('a publisher is told in time that the server does not answer; nothing comes twice', async () => {
    const { relay, near, far } = await startBoth({ publishTimeoutMs: 300 })
    await using _ = relay
    await using one = near
    await using other = far
    relay.holdAnswers()
    const results = await Promise.allSettled(['a', 'b', 'c'].map(id => other.publish({ id })))
    for (const result of results) {
      assert.equal(result.status, 'rejected')
      assert.equal(result.reason.code, 'transport_unavailable')
    }
    const [first] = results as [PromiseRejectedResult]
    assert.match(first.reason.message, /not known whether the update was stored/)
    await assert.rejects(other.transport.ready!(), unavailable)
    // Asked in the same turn, they went together.
    await one.until(() => one.delivered.length === 3)
    relay.releaseAnswers()
    await other.logs(/can be used again/)
    await other.publish({ id: 'd' })
    await Promise.all([one.delivers('d'), other.delivers('d')])
    assert.deepEqual(one.ids, ['a', 'b', 'c', 'd'])
    assert.deepEqual(other.ids, one.ids)
    await other.transport.ready!()
  })

  test('without a connection updates wait for one', async () => {
    const { relay, near, far } = await startBoth({ publishTimeoutMs: 60_000 })
    await using _ = relay
    await using one = near
    await using other = far
    relay.refuses = true
    relay.cut()
    await other.logs(/cannot be used/)
    await assert.rejects(other.transport.ready!(), unavailable)
    const waiting = ['a', 'b'].map(id => other.publish({ id }))
    await one.publish({ id: 'meanwhile' })
    relay.refuses = false
    await Promise.all(waiting)
    await Promise.all([one.delivers('b'), other.delivers('b')])
    assert.deepEqual(one.ids, ['meanwhile', 'a', 'b'])
    assert.deepEqual(other.ids, one.ids)
  })

  test('those that wait too long are refused, and not stored later', async () => {
    const { relay, near, far } = await startBoth({ publishTimeoutMs: 200 })
    await using _ = relay
    await using one = near
    await using other = far
    relay.refuses = true
    relay.cut()
    await other.logs(/cannot be used/)
    await assert.rejects(other.publish({ id: 'refused' }), { ...unavailable, message: /was not stored/ })
    relay.refuses = false
    await other.logs(/can be used again/)
    await one.publish({ id: 'last' })
    await other.delivers('last')
    assert.deepEqual(other.ids, ['last'])
  })

  test('what the server cannot store in time it gives up, for certain', async () => {
    const url = newLog(server.url)
    await using log = await PostgresLog.start(url, { publishTimeoutMs: 3000 })
    const client = await server.client()
    await client.query(`BEGIN; LOCK TABLE ${schemaOf(url)}.mercure_updates IN SHARE MODE`)
    await assert.rejects(log.publish({ id: 'refused' }), { ...unavailable, message: /was not stored/ })
    await client.query('COMMIT')
    await log.publish({ id: 'stored' })
    await log.delivers('stored')
    assert.deepEqual(log.ids, ['stored'])
  })

  test('messages of one node come before what it publishes after them', async () => {
    const { relay, near, far } = await startBoth()
    await using _ = relay
    await using one = near
    await using other = far
    for (let i = 0; i < 50; i++) {
      const sent = one.send(`message ${i}`)
      const published = one.publish({ id: `update ${i}` })
      await Promise.all([sent, published])
      await other.delivers(`update ${i}`)
      assert.equal(other.messages.at(-1), `message ${i}`)
    }
    await one.until(() => one.messages.length === 50)
    const long = 'x'.repeat(one.transport.broadcast!.maxBytes!)
    await one.send(long)
    await other.until(() => other.messages.at(-1) === long)
    relay.refuses = true
    relay.cut()
    await other.logs(/cannot be used/)
    await assert.rejects(other.send('lost'), unavailable)
  })
})

describe('a server that stops', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return

  test('its crash and return lose nothing that was stored', async () => {
    await using server = await PostgresServer.start({ settings: ['fsync=on', 'synchronous_commit=on'] })
    await using one = await PostgresLog.start(newLog(server.url), { publishTimeoutMs: 60_000 })
    const stored: string[] = []
    const results = Array.from({ length: 400 }, (_, i) => async () => {
      await one.publish({ id: `id-${i}` })
      stored.push(`id-${i}`)
    })
    const running = Promise.allSettled(results.map(publish => publish()))
    await one.until(() => one.delivered.length > 0)
    await server.kill()
    await running
    await one.logs(/cannot be used/)
    const waiting = one.publish({ id: 'waits' })
    await server.run()
    await waiting
    await one.delivers('waits')
    assert.equal(new Set(one.ids).size, one.ids.length)
    for (const id of stored) assert.ok(one.ids.includes(id), id)
    assert.deepEqual(await one.after('earliest'), one.ids)
  })

  test('its standstill is told to publishers, and over when it goes on', async () => {
    await using server = await PostgresServer.start()
    const url = newLog(server.url)
    await using log = await PostgresLog.start(url, { publishTimeoutMs: 300 })
    await log.publish({ id: 'before' })
    await server.pause()
    try {
      await assert.rejects(log.publish({ id: 'sent' }), unavailable)
      await assert.rejects(log.publish({ id: 'not sent' }), { message: /was not stored/ })
    } finally {
      server.resume()
    }
    await log.logs(/can be used again/)
    await log.publish({ id: 'after' })
    await log.delivers('after')
    assert.deepEqual(
      log.ids.filter(id => id !== 'sent'),
      ['before', 'after'],
    )
    assert.deepEqual(await log.after('earliest'), log.ids)
  })

  test('a log that was put back to an older state is noticed, and followed from there', async () => {
    await using server = await PostgresServer.start()
    const url = newLog(server.url)
    const relay = await startRelay(server)
    await using _ = relay
    await using log = await PostgresLog.start(through(url, relay))
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
    await using log = await PostgresLog.start(url)
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
