import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { startHub } from '../../support/hub.ts'
import { newLog, schemaOf } from '../../support/postgres.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'
import { postgres } from '../../support/services/postgres-backend.ts'
import { testNodes } from '../nodes.ts'

const topic = 'https://example.com/a'

describe('several nodes on one PostgreSQL', { skip: postgres.skipped }, async () => {
  if (postgres.skipped !== false) return
  const server = await postgres.open()
  after(() => server[Symbol.asyncDispose]())
  testNodes(server)
})

test('hubs and SQL are one: what is published comes everywhere, with its past', {
  skip: noPostgresProgram,
}, async () => {
  await using server = await PostgresServer.start()
  const url = newLog(server.url)
  const settings = { transport_url: url.href }
  await using a = await startHub(settings)
  await using b = await startHub(settings)
  await a.running.attached
  await b.running.attached
  const client = await server.client()
  const publish = async (): Promise<string> => {
    const call = `SELECT ${schemaOf(url)}.mercure_publish(ARRAY[$1], 'from SQL') AS id`
    return (await client.query<{ id: string }>(call, [topic])).rows[0]!.id
  }
  const ids = [await a.publish({ topic, data: 'one' }), await b.publish({ topic, data: 'two' })]
  const streams = [
    await a.subscribe('topic=*&last_event_id=earliest'),
    await b.subscribe(`topic=*&last_event_id=${ids[0]}`),
  ]
  ids.push(await a.publish({ topic, data: 'three' }), await publish())
  const [atA, atB] = [await streams[0]!.take(4), await streams[1]!.take(3)]
  assert.deepEqual(
    atA.map(({ id }) => id),
    ids,
  )
  assert.deepEqual(
    atB.map(({ id }) => id),
    ids.slice(1),
  )
})

test('a row that is deleted is gone with what hubs remember', { skip: noPostgresProgram }, async () => {
  await using server = await PostgresServer.start()
  const url = newLog(server.url)
  const resume = async (hub: Awaited<ReturnType<typeof startHub>>, count: number): Promise<string[]> => {
    const stream = await hub.subscribe('topic=*&last_event_id=a')
    return (await stream.take(count)).map(({ id }) => id!)
  }
  await using remembering = await startHub({ transport_url: url.href })
  await using forgetful = await startHub({ transport_url: url.href, recent: { entries: 0 } })
  await Promise.all([remembering.running.attached, forgetful.running.attached])
  for (const id of ['a', 'b', 'c']) await remembering.publish({ topic, id })
  const client = await server.client()
  await client.query(`DELETE FROM ${schemaOf(url)}.mercure_updates WHERE id = 'b'`)
  assert.deepEqual(await resume(remembering, 2), ['b', 'c'])
  assert.deepEqual(await resume(forgetful, 1), ['c'])
  await using started = await startHub({ transport_url: url.href })
  await started.running.attached
  assert.deepEqual(await resume(started, 1), ['c'])
})
