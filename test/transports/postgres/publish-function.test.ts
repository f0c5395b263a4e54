import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { Client } from 'pg'
import { TestLog } from '../../support/log.ts'
import { newLog, schemaOf } from '../../support/postgres.ts'
import { createRandom } from '../../support/random.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'

const topic = 'https://example.com/a'

describe('publishing in SQL', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const server = await PostgresServer.start()
  after(() => server[Symbol.asyncDispose]())

  /** Publishes an update by its id. */
  const publisher = (url: URL) => (client: Client, id: string) =>
    client.query(`SELECT ${schemaOf(url)}.mercure_publish(ARRAY[$1], data => $2, id => $2)`, [topic, id])

  test('an update comes as it was published, with the id that the function gives', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    const client = await server.client()
    const call = `SELECT ${schemaOf(url)}.mercure_publish`
    await client.query(`${call}(ARRAY[$1, $2], 'línea 1\nline 2 🎉', true, 'an id', 'a type', 1234)`, [topic, 'b'])
    const { rows } = await client.query<{ id: string }>(`${call}(ARRAY[$1]) AS id`, [topic])
    assert.match(rows[0]!.id, /^urn:uuid:[\da-f-]{36}$/)
    await log.delivers(rows[0]!.id)
    assert.deepEqual(
      log.delivered.map(({ update, live, reused }) => ({ ...update, live, reused })),
      [
        {
          ...{ id: 'an id', topics: [topic, 'b'], data: 'línea 1\nline 2 🎉', type: 'a type', retry: 1234 },
          ...{ private: true, live: true, reused: false },
        },
        {
          ...{ id: rows[0]!.id, topics: [topic], data: '', type: '', retry: 0 },
          ...{ private: false, live: true, reused: false },
        },
      ],
    )
  })

  test('an update comes with its transaction, or not at all', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    const publish = publisher(url)
    const client = await server.client()
    await client.query('BEGIN')
    await publish(client, 'undone')
    await client.query('ROLLBACK')
    await client.query('BEGIN')
    await publish(client, 'done')
    await client.query('SAVEPOINT here')
    await publish(client, 'partly undone')
    await client.query('ROLLBACK TO here')
    // It waits for nobody, and nobody waits for it.
    await publish(await server.client(), 'at once')
    await log.publish({ id: 'by the hub' })
    await log.delivers('at once')
    await log.delivers('by the hub')
    assert.ok(!log.ids.includes('done'))
    await client.query('COMMIT')
    await log.delivers('done')
    await log.publish({ id: 'last' })
    await log.delivers('last')
    assert.deepEqual(log.ids.toSorted(), ['at once', 'by the hub', 'done', 'last'])
    assert.deepEqual(await log.after('earliest'), log.ids)
  })

  test('many transactions, some undone, and two hubs: all that was committed, once, in one order', async () => {
    const url = newLog(server.url)
    await using one = await TestLog.start(url)
    await using two = await TestLog.start(url)
    const publish = publisher(url)
    const committed: string[][] = []
    const work = async (seed: number): Promise<void> => {
      const random = createRandom(seed)
      const client = await server.client()
      for (let i = 0; i < 40; i++) {
        await client.query(random.next() < 0.3 ? 'BEGIN ISOLATION LEVEL SERIALIZABLE' : 'BEGIN')
        const ids = Array.from({ length: 1 + random.below(4) }, (_, j) => `sql-${seed}-${i}-${j}`)
        for (const id of ids) {
          await publish(client, id)
          if (random.next() < 0.2) await client.query('SELECT pg_sleep(0.002)')
        }
        const isKept = random.next() < 0.7
        await client.query(isKept ? 'COMMIT' : 'ROLLBACK')
        if (isKept) committed.push(ids)
      }
    }
    const publishAll = async (log: TestLog, name: string): Promise<void> => {
      for (let i = 0; i < 200; i++) {
        const ids = [`${name}-${i}`]
        await log.publish({ id: ids[0]! })
        committed.push(ids)
      }
    }
    await Promise.all([
      ...Array.from({ length: 8 }, (_, seed) => work(seed)),
      publishAll(one, 'one'),
      publishAll(two, 'two'),
    ])
    const expected = committed.flat()
    for (const log of [one, two]) await log.until(() => log.delivered.length >= expected.length)
    assert.deepEqual(one.ids.toSorted(), expected.toSorted())
    assert.deepEqual(two.ids, one.ids)
    assert.deepEqual(await one.after('earliest'), one.ids)
    // What one session or hub has published is in the order in which it did.
    for (const name of [...Array.from({ length: 8 }, (_, seed) => `sql-${seed}-`), 'one-', 'two-']) {
      const isOf = (id: string) => id.startsWith(name)
      assert.deepEqual(one.ids.filter(isOf), expected.filter(isOf), name)
    }
  })

  test('what was published while no hub was there comes when there is one', async () => {
    const url = newLog(server.url)
    const first = await TestLog.start(url)
    await first.publish({ id: 'before' })
    await first.transport.close()
    const client = await server.client()
    const ids = Array.from({ length: 1200 }, (_, i) => `alone-${i}`)
    await client.query(`SELECT ${schemaOf(url)}.mercure_publish(ARRAY['a'], id => id) FROM unnest($1::text[]) AS id`, [
      ids,
    ])
    await using log = await TestLog.start(url)
    await log.delivers('alone-1199')
    assert.deepEqual(log.ids, ['before', ...ids])
    const { rows } = await client.query(`SELECT count(*)::int AS left FROM ${schemaOf(url)}.mercure_inbox`)
    assert.deepEqual(rows, [{ left: 0 }])
  })

  test('an id that was used before is told from a new one', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    const publish = publisher(url)
    const client = await server.client()
    await log.publish({ id: 'x' })
    await client.query('BEGIN')
    await publish(client, 'x')
    await publish(client, 'y')
    await publish(client, 'y')
    await client.query('COMMIT')
    await log.until(() => log.delivered.length === 4)
    assert.deepEqual(
      log.delivered.map(({ reused }) => reused),
      [false, true, false, true],
    )
    assert.deepEqual(await log.after({ id: 'x' }), ['x', 'y', 'y'])
  })

  test('what no subscriber could be sent is refused, with what to mend', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    const client = await server.client()
    const schema = schemaOf(url)
    const refused: readonly (readonly [args: string, message: RegExp])[] = [
      ['NULL', /needs a topic/],
      [`'{}'`, /needs a topic/],
      [`ARRAY['a', NULL]`, /a topic is NULL/],
      [`ARRAY[ARRAY['a']]`, /array of arrays/],
      [`array_fill('a'::text, ARRAY[1001])`, /too many topics: 1001, at most 1000/],
      [`ARRAY['a', '*']`, /"\*" is the matcher/],
      [`ARRAY[E'a\\nb']`, /"a\\nb" has a control character/],
      [`ARRAY[U&'a\\200Bb']`, /has a control character/],
      [`ARRAY['https://hub.example/.well-known/mercure/subscriptions/a']`, /namespace, which is the hub's own/],
      [`ARRAY['/.well-known/%6dercure']`, /namespace/],
      [`ARRAY['https://hub.example/x/../%2ewell-known/mercure']`, /namespace/],
      [`ARRAY['/.well-known/x/../mercure?a']`, /namespace/],
      [`ARRAY['\\.well-known\\mercure']`, /namespace/],
      [`ARRAY['mercure/a']`, /namespace/],
      [`ARRAY['./%2e/mercure']`, /namespace/],
      [`ARRAY['']`, /a topic is empty, which resolves to the hub's own address, in .* namespace/],
      [`ARRAY['?a']`, /namespace/],
      [`ARRAY['a'], id => '#a'`, /starts with "#"/],
      [`ARRAY['a'], id => 'earliest'`, /cursor of the whole history/],
      [`ARRAY['a'], id => E'a\\rb'`, /the id has a control character/],
      [`ARRAY['a'], id => ' a'`, /the id has a space at an end/],
      [`ARRAY['a'], id => 'a '`, /the id has a space at an end/],
      [`ARRAY['a'], id => repeat('é', 513)`, /the id is too long \(at most 1024 bytes\)/],
      [`ARRAY['a'], type => 'mercure'`, /keeps for subscription events/],
      [`ARRAY['a'], type => E'a\\nb'`, /the type has a control character/],
      [`ARRAY['a'], retry => -1`, /retry is -1; .* from 0 to 9007199254740991/],
      [`ARRAY['a'], retry => 9007199254740992`, /retry is 9007199254740992; .* from 0 to 9007199254740991/],
      [`ARRAY['a'], data => repeat('x', 17000000)`, /too large/],
    ]
    for (const [args, message] of refused) {
      await assert.rejects(client.query(`SELECT ${schema}.mercure_publish(${args})`), { code: '22023', message }, args)
    }
    const taken = [
      'https://mercure.example/a',
      '/mercure',
      'https://example.com/mercure',
      'a/mercurex',
      'urn:a',
      'é%2a',
      'é'.repeat(512),
    ]
    for (const name of taken) await client.query(`SELECT ${schema}.mercure_publish(ARRAY[$1], id => $1)`, [name])
    await log.delivers(taken.at(-1)!)
    assert.deepEqual(log.ids, taken)
  })

  test('a role with nothing but the right to execute it publishes, another does not', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url)
    const schema = schemaOf(url)
    const admin = await server.client()
    await admin.query(`CREATE ROLE shop LOGIN; GRANT USAGE ON SCHEMA ${schema} TO shop`)
    const shop = await server.client('shop')
    const publish = publisher(url)
    await assert.rejects(publish(shop, 'refused'), { code: '42501' })
    await admin.query(`GRANT EXECUTE ON FUNCTION ${schema}.mercure_publish TO shop`)
    await shop.query(`SET search_path TO ${schema}, pg_temp`)
    await publish(shop, 'published')
    await log.delivers('published')
    await assert.rejects(shop.query('SELECT * FROM mercure_updates'), { code: '42501' })
  })
})
