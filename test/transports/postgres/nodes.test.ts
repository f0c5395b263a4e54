import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { startHub, type TestHub } from '../../support/hub.ts'
import { newLog, PostgresLog, schemaOf } from '../../support/postgres.ts'
import { createRandom } from '../../support/random.ts'
import { startRelay } from '../../support/relay.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'
import { bearer, readSubscriptions, subscriptionsPath } from '../../support/subscriptions.ts'
import { subscriberToken } from '../../support/token.ts'

const topic = 'https://example.com/a'

describe('several nodes on one PostgreSQL', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const server = await PostgresServer.start()
  after(() => server[Symbol.asyncDispose]())

  test('each delivers every update once, in one order, that of its publishers included', async () => {
    const url = newLog(server.url)
    await using a = await PostgresLog.start(url)
    await using b = await PostgresLog.start(url)
    await using c = await PostgresLog.start(url)
    const nodes = [a, b, c]
    const random = createRandom(7)
    const published: Promise<void>[] = []
    for (let i = 0; i < 6000; i++) {
      published.push(nodes[i % 3]!.publish({ id: `${i % 3}-${i}`, data: 'x'.repeat(random.below(500)) }))
      if (random.below(50) === 0) await published.at(-1)
    }
    await Promise.all(published)
    for (const node of nodes) await node.until(() => node.delivered.length === 6000)
    assert.deepEqual(b.ids, a.ids)
    assert.deepEqual(c.ids, a.ids)
    assert.equal(new Set(a.ids).size, 6000)
    for (const node of ['0', '1', '2']) {
      const numbers = a.ids.filter(id => id.startsWith(`${node}-`)).map(id => Number(id.slice(2)))
      assert.deepEqual(
        numbers,
        numbers.toSorted((x, y) => x - y),
      )
    }
    assert.deepEqual(await c.after('earliest'), a.ids)
  })

  test('a message is bytes, of any size that the transport names, and reaches its sender too', async () => {
    const url = newLog(server.url)
    await using a = await PostgresLog.start(url)
    await using b = await PostgresLog.start(url)
    const heard = [a, b].map(({ transport }) => {
      const { promise, resolve } = Promise.withResolvers<Uint8Array>()
      transport.broadcast!.receive(resolve)
      return promise
    })
    const message = Buffer.alloc(a.transport.broadcast!.maxBytes!, Buffer.from([0, 255, 13, 10, 128]))
    await a.transport.broadcast!.send(message)
    for (const bytes of await Promise.all(heard)) assert.deepEqual(Buffer.from(bytes), message)
  })

  test('hubs and SQL are one: what is published comes everywhere, with its past', async () => {
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

  test('hubs list the subscriptions of all', async () => {
    const settings = { transport_url: newLog(server.url).href, subscriptions: true }
    await using a = await startHub(settings)
    await using b = await startHub(settings)
    await a.running.attached
    await b.running.attached
    const token = await subscriberToken(['*'])
    const events = encodeURIComponent(`${subscriptionsPath}/{topic}{/subscriber}`)
    const watcher = await b.subscribe(`topic=${events}`, { headers: bearer(token) })
    const list = async (hub: TestHub): Promise<string[]> => {
      const { document } = await readSubscriptions(hub, subscriptionsPath, token)
      return document.subscriptions.map((subscription: { topic: string }) => subscription.topic)
    }
    const announced = (active: boolean) =>
      watcher.until(() =>
        watcher.events.some(({ data }) => {
          const document = JSON.parse(data)
          return document.topic === 'one' && document.active === active
        }),
      )
    const stream = await a.subscribe('topic=one')
    await announced(true)
    // A node that has just started is told the others' lists in a moment.
    for (const hub of [a, b]) while (!(await list(hub)).includes('one')) await nextTurn()
    stream.close()
    await announced(false)
    for (const hub of [a, b]) assert.ok(!(await list(hub)).includes('one'))
  })

  test('a hub whose log is not there yet lives, and is ready when it is', async () => {
    const relay = await startRelay(server)
    await using _ = relay
    relay.refuses = true
    const url = newLog(server.url)
    url.port = String(relay.port)
    await using hub = await startHub({ transport_url: url.href, publish_timeout: '200ms' })
    assert.equal((await hub.fetch('/healthz')).status, 200)
    assert.equal((await hub.fetch('/readyz')).status, 503)
    relay.refuses = false
    await hub.running.attached
    assert.equal((await hub.fetch('/readyz')).status, 200)
    const stream = await hub.subscribe('topic=*')
    relay.refuses = true
    relay.cut()
    await hub.logged(({ msg }) => /cannot be used/.test(String(msg)))
    const answer = await hub.post(new URLSearchParams({ topic, data: 'x' }))
    assert.equal(answer.status, 503)
    assert.match(await answer.text(), /was not stored/)
    assert.ok(answer.headers.has('Retry-After'))
    relay.refuses = false
    await hub.logged(({ msg }) => /can be used again/.test(String(msg)))
    const id = await hub.publish({ topic, data: 'y' })
    assert.equal((await stream.take(1))[0]!.id, id)
  })
})
