import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createUpdateId } from '../../../src/hub/update-id.ts'
import type { Producer } from '../../../transports/pulsar/client.ts'
import { createClient } from '../../../transports/pulsar/connect.ts'
import { encodeUpdate, stamp } from '../../../transports/pulsar/entry.ts'
import { readLocation } from '../../../transports/pulsar/location.ts'
import { TestLog } from '../../support/log.ts'
import { createTestUpdate } from '../../support/node.ts'
import { newTopic } from '../../support/pulsar.ts'
import { noPulsarProgram, PulsarServer } from '../../support/services/pulsar.ts'

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)
const publishAll = (log: TestLog, ids: readonly string[], data = '') =>
  Promise.all(ids.map(id => log.publish({ id, data })))

describe('what a log in Pulsar remembers', { skip: noPulsarProgram }, async () => {
  if (noPulsarProgram !== false) return
  // As Pulsar is by default: larger frames are not taken. It is so with messages, which are larger there.
  const server = await PulsarServer.start({ settings: ['webSocketMaxTextFrameSize=1048576', 'maxMessageSize=700000'] })
  after(() => server[Symbol.asyncDispose]())
  const newLog = (options: Readonly<Record<string, string | number>> = {}) => newTopic(server.url, options)
  const pathOf = (url: URL): string => `persistent/public/default/${url.searchParams.get('topic')}`

  /** Somebody who is no hub. */
  async function openProducer(url: URL): Promise<Producer> {
    const location = readLocation(url)
    const client = await createClient(location, 5000)
    return await client.openProducer(location.topic, new AbortController().signal)
  }

  test('ids that are older than what a node was given at its start, those that come twice too', async () => {
    const url = newLog()
    const assigned = createUpdateId()
    await using first = await TestLog.start(url)
    await publishAll(first, ['twice', assigned, ...range(0, 500), 'twice', 'last'])
    await using log = await TestLog.open(url)
    await log.start(1)
    assert.deepEqual(log.ids, ['last'])
    assert.deepEqual(await log.after('twice'), [assigned, ...range(0, 500), 'twice', 'last'])
    assert.deepEqual(await log.after(assigned), [...range(0, 500), 'twice', 'last'])
    assert.deepEqual(await log.after('id-498'), ['id-499', 'twice', 'last'])
    assert.equal(await log.after('never'), undefined)
    assert.equal(await log.after(createUpdateId()), undefined)
    await log.publish({ id: 'id-3' })
    await log.delivers('id-3')
    assert.equal(log.delivered.at(-1)?.reused, true)
  })

  test('with ids that are not kept in mind, those that a hub assigned are found by their time', async () => {
    const url = newLog({ ids: 0 })
    await using log = await TestLog.start(url)
    const assigned = Array.from({ length: 50 }, createUpdateId)
    await publishAll(log, [...range(0, 50), ...assigned, 'last'])
    await log.delivers('last')
    assert.deepEqual(await log.after(assigned[20]!), [...assigned.slice(21), 'last'])
    assert.equal(await log.after('id-1'), undefined)
    assert.equal(await log.after(createUpdateId()), undefined)
  })

  test('a node that starts is given the newest, however many others have started since', async () => {
    const url = newLog()
    const first = await TestLog.start(url)
    await publishAll(first, range(0, 20))
    await first.transport.close()
    for (let i = 0; i < 60; i++) await (await TestLog.start(url)).transport.close()
    await using log = await TestLog.open(url)
    await log.start(3)
    assert.deepEqual(log.ids, range(17, 20))
    assert.ok(log.delivered.every(({ live }) => !live))
  })

  test('what Pulsar has removed is not held, not found, and not waited for', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 100))
    await log.delivers('id-99')
    const { position } = log.delivered[10]!
    // A topic that is loaded again begins a ledger, and all but that one are removed.
    await server.admin('PUT', `${pathOf(url)}/unload`)
    await log.publish({ id: 'next' })
    // What is removed before it is read cannot be delivered.
    await log.delivers('next')
    await server.admin('DELETE', `${pathOf(url)}/truncate`)
    await log.publish({ id: 'last' })
    await log.delivers('last')
    while (await log.transport.holds!(position)) await nextTurn()
    const left = await log.all()
    assert.deepEqual(left, ['next', 'last'].slice(-left.length))
    assert.equal(await log.after('id-10'), undefined)
    assert.equal(await log.after({ position }), undefined)
    assert.equal(await log.transport.holds!(log.delivered.at(-1)!.position), true)
    assert.deepEqual(log.ids, [...range(0, 100), 'next', 'last'])
  })

  test('a topic that is deleted is made again, and what was in it is unknown from then on', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 100))
    await log.delivers('id-99')
    await server.admin('DELETE', `${pathOf(url)}?force=true`)
    await log.publish({ id: 'new' })
    await log.delivers('new')
    await log.logs(/What was in the log is not there any more/)
    assert.deepEqual(log.ids, [...range(0, 100), 'new'])
    assert.deepEqual(await log.all(), ['new'])
    assert.equal(await log.after('id-50'), undefined)
  })

  test('a topic that is deleted keeps what it gets from then on as it did before, with nothing published too', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    const retention = () => server.admin('GET', `${pathOf(url)}/retention?applied=true`).catch(() => undefined)
    assert.deepEqual(await retention(), { retentionTimeInMinutes: -1, retentionSizeInMB: -1 })
    await server.admin('DELETE', `${pathOf(url)}?force=true`)
    await log.logs(/The topic did not keep what it gets any more.* Its retention is set again/)
    while (JSON.stringify(await retention()) !== '{"retentionTimeInMinutes":-1,"retentionSizeInMB":-1}')
      await nextTurn()
  })

  test('a topic that is terminated', async () => {
    const url = newLog()
    {
      await using log = await TestLog.start(url)
      await server.admin('POST', `${pathOf(url)}/terminate`)
      await assert.rejects(log.publish({ id: 'a' }), { code: 'transport_unavailable' })
      await log.logs(/the topic is terminated, and takes nothing ever again .*topic=…, or delete it/)
    }
    await using again = await TestLog.open(url)
    await assert.rejects(again.start(), { code: 'configuration_invalid', message: /the topic is terminated/ })
  })

  test('the port of the binary protocol', async () => {
    const url = newLog()
    url.port = String(server.brokerPort)
    await using log = await TestLog.open(url)
    const started = assert.rejects(log.start(), { code: 'transport_unavailable' })
    await log.logs(new RegExp(`127.0.0.1:${server.brokerPort} has hung up .*binary protocol .6650..* is 8080`))
    await log.transport.close()
    await started
  })

  test('size: clients can go back to so many of the newest, and no further', async () => {
    const url = newLog({ size: 10 })
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 1000))
    await log.delivers('id-999')
    const kept = await log.all()
    assert.deepEqual(kept, range(1000 - kept.length, 1000))
    assert.equal(kept.length, 10)
    assert.equal(await log.after('id-100'), undefined)
    assert.equal(await log.transport.holds!(log.delivered[100]!.position), false)
    await using later = await TestLog.start(url)
    assert.equal(await later.after('id-100'), undefined)
    assert.deepEqual(await later.after('id-990'), range(991, 1000))
  })

  test('the topic keeps what it gets: all of it, or as the URL says, or as it was told before', async () => {
    const retentionOf = async (url: URL) => {
      await using _ = await TestLog.start(url)
      for (;;) {
        const retention = await server.admin('GET', `${pathOf(url)}/retention`)
        if (retention !== undefined && retention !== null) return retention
        await nextTurn()
      }
    }
    assert.deepEqual(await retentionOf(newLog()), { retentionTimeInMinutes: -1, retentionSizeInMB: -1 })
    const url = newLog({ max_age: '90s', size_bytes: '3MiB' })
    assert.deepEqual(await retentionOf(url), { retentionTimeInMinutes: 2, retentionSizeInMB: 3 })
    url.searchParams.delete('max_age')
    url.searchParams.delete('size_bytes')
    assert.deepEqual(await retentionOf(url), { retentionTimeInMinutes: 2, retentionSizeInMB: 3 })
  })

  test('messages of others are passed over, with a warning', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    const producer = await openProducer(url)
    await log.publish({ id: 'a' })
    for (const properties of [{}, { id: 'b' }, { id: 'b', topics: '[]' }, { id: 'b', topics: '{' }]) {
      await producer.send({ payload: Buffer.from('not an update'), properties })
    }
    await log.publish({ id: 'c' })
    await log.delivers('c')
    await log.logs(/messages that no hub has stored; they are passed over/)
    assert.deepEqual(log.ids, ['a', 'c'])
    assert.deepEqual(await log.all(), ['a', 'c'])
    assert.deepEqual(await log.after('a'), ['c'])
    await producer.end()
  })

  test('what Pulsar has stored twice comes once', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    const producer = await openProducer(url)
    const send = (id: string, updates: number) => {
      const sent = { node: 'another', updates, messages: 0 }
      return producer.send(stamp(encodeUpdate(createTestUpdate({ id })), sent))
    }
    // As a client does that has lost its connection to the broker: in order, from the first one that was not answered on.
    for (const [id, updates] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['b', 2],
      ['c', 3],
      ['d', 4],
    ] as const) {
      await send(id, updates)
    }
    await log.delivers('d')
    assert.deepEqual(log.ids, ['a', 'b', 'c', 'd'])
    assert.ok(log.delivered.every(({ reused }) => reused !== true))
    assert.deepEqual(await log.all(), ['a', 'b', 'c', 'd'])
    await using later = await TestLog.start(url)
    assert.deepEqual(later.ids, ['a', 'b', 'c', 'd'])
    await producer.end()
  })

  test('an update waits for messages that were sent before it, and not for ever', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    const producer = await openProducer(url)
    const update = (id: string) => encodeUpdate(createTestUpdate({ id }))
    await producer.send(stamp(update('a'), { node: 'another', updates: 1, messages: 5 }))
    await log.publish({ id: 'b' })
    await log.delivers('b')
    assert.deepEqual(log.ids, ['a', 'b'])
    await producer.end()
  })

  test('an update that is larger than Pulsar takes is refused for that, and nothing else is', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    for (const [bytes, limit] of [
      // A frame has it as base64.
      [1_000_000, 1_048_576],
      [720_000, 700_000],
    ] as const) {
      const [before, larger, behind] = await Promise.allSettled([
        log.publish({ id: `before-${bytes}` }),
        log.publish({ id: `larger-${bytes}`, data: 'x'.repeat(bytes) }),
        log.publish({ id: `behind-${bytes}` }),
      ])
      assert.deepEqual([before.status, behind.status], ['fulfilled', 'fulfilled'])
      assert.ok(larger.status === 'rejected')
      assert.equal(larger.reason.code, 'body_too_large')
      assert.match(
        larger.reason.message,
        new RegExp(`^The update of \\d+ bytes.* is larger than Pulsar takes: ${limit} bytes`),
      )
    }
    await log.logs(/Raise webSocketMaxTextFrameSize/)
    assert.ok(!log.logged.some(({ message }) => /cannot be used/.test(message)))
    await log.publish({ id: 'smaller', data: 'x'.repeat(650_000) })
    await log.delivers('smaller')
    const stored = ['before-1000000', 'behind-1000000', 'before-720000', 'behind-720000', 'smaller']
    assert.deepEqual(log.ids, stored)
    assert.deepEqual(await log.all(), stored)
  })

  test('a connection that ends over what is too large: what is behind that was certainly not stored, what is before it may be', async () => {
    const location = readLocation(newLog())
    const client = await createClient(location, 5000)
    // For such a topic nothing is asked beforehand.
    const topic = { ...location.topic, kind: 'non-persistent' } as const
    const open = () => client.openProducer(topic, new AbortController().signal)
    const send = (producer: Producer, bytes: number) =>
      producer.send({ payload: Buffer.alloc(bytes, 'x'), properties: {} }).then(
        () => 'stored',
        error => error.meaning,
      )
    const first = await open()
    const [before, larger, behind] = await Promise.all([1, 800_000, 1].map(bytes => send(first, bytes)))
    assert.ok(before === 'broken' || before === 'stored')
    assert.deepEqual([larger, behind], ['refused', 'passing'])
    const next = await open()
    assert.deepEqual(await Promise.all([1, 800_000, 1].map(bytes => send(next, bytes))), [
      'stored',
      'refused',
      'stored',
    ])
    await next.end()
  })

  test('a Pulsar that comes back without anything: noticed, and goes on with what it gets then', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 10))
    await log.delivers('id-9')
    await server.empty()
    await log.logs(/Pulsar has lost updates that were stored/)
    await log.logs(/can be used again/)
    await log.publish({ id: 'new' })
    await log.delivers('new')
    assert.deepEqual(log.ids, [...range(0, 10), 'new'])
    assert.deepEqual(await log.all(), ['new'])
    assert.equal(await log.after('id-3'), undefined)
    await log.publish({ id: 'id-3' })
    await log.delivers('id-3')
    assert.deepEqual(await log.after('new'), ['id-3'])
    assert.deepEqual(await log.after('id-3'), [])
  })
})
