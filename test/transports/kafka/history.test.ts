import assert from 'node:assert/strict'
import { readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type Admin, Producer } from '@platformatic/kafka'
import { createUpdateId } from '../../../src/hub/update-id.ts'
import { newTopic } from '../../support/kafka.ts'
import { TestLog } from '../../support/log.ts'
import { startRelay } from '../../support/relay.ts'
import { KafkaServer, noKafkaProgram } from '../../support/services/kafka.ts'

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)
const topicOf = (url: URL): string => url.searchParams.get('topic')!
const publishAll = (log: TestLog, ids: readonly string[], data = '') =>
  Promise.all(ids.map(id => log.publish({ id, data })))
const deleteBefore = (admin: Admin, url: URL, offset: number) =>
  admin.deleteRecords({ topics: [{ name: topicOf(url), partitions: [{ partition: 0, offset: BigInt(offset) }] }] })

describe('what a log in Kafka remembers', { skip: noKafkaProgram }, async () => {
  if (noKafkaProgram !== false) return
  const server = await KafkaServer.start()
  const admin = server.admin()
  after(() => server[Symbol.asyncDispose]())
  const newLog = (options: Readonly<Record<string, string | number>> = {}) => newTopic(server.url, options)

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

  test('with ids that are not kept in mind, those that the hub assigned are found by their time', async () => {
    const url = newLog({ ids: 0 })
    await using log = await TestLog.start(url)
    const assigned = Array.from({ length: 50 }, createUpdateId)
    await publishAll(log, [...range(0, 50), ...assigned, 'last'])
    await log.delivers('last')
    assert.deepEqual(await log.after(assigned[20]!), [...assigned.slice(21), 'last'])
    assert.equal(await log.after('id-1'), undefined)
    assert.equal(await log.after(createUpdateId()), undefined)
  })

  test('a node that has read fewer ids than the log has knows the others by their time', async () => {
    const url = newLog({ ids: 10 })
    const [oldest, old] = [createUpdateId(), createUpdateId()]
    await using first = await TestLog.start(url)
    await publishAll(first, [oldest, ...range(0, 15), old, ...range(15, 40)])
    await using log = await TestLog.open(url)
    await log.start(5)
    assert.deepEqual(await log.after(old), range(15, 40))
    assert.deepEqual(await log.after(oldest), [...range(0, 15), old, ...range(15, 40)])
    assert.equal(await log.after('id-3'), undefined)
    assert.equal(await log.after(createUpdateId()), undefined)
  })

  test('of a log that is longer than what is kept in mind, the ids of before', async () => {
    const url = newLog({ ids: 1 })
    await using log = await TestLog.start(url)
    const early = createUpdateId()
    await publishAll(log, ['own', early, 'next'])
    for (let i = 0; i < 140_000; i += 20_000) await publishAll(log, range(i, i + 20_000))
    await log.until(() => log.delivered.length === 140_003)
    assert.equal(await log.after('own'), undefined)
    assert.deepEqual((await log.after(early))?.slice(0, 2), ['next', 'id-0'])
    assert.deepEqual(await log.after('id-139990'), range(139_991, 140_000))
  })

  test('what has left the topic is not held, not found, and not waited for', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 100))
    await log.delivers('id-99')
    const [at10, at60] = [log.delivered[10]!.position, log.delivered[60]!.position]
    await deleteBefore(admin, url, 50)
    assert.deepEqual(await log.all(), range(50, 100))
    assert.equal(log.transport.holds!(at10), false)
    assert.equal(log.transport.holds!(at60), true)
    assert.equal(await log.after('id-10'), undefined)
    assert.equal(await log.after({ position: at10 }), undefined)
    assert.deepEqual(await log.after({ position: at60 }), range(61, 100))
  })

  test('a reader whom the log overtakes is told', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 2000), 'x'.repeat(1000))
    await log.delivers('id-1999')
    const { pages } = await log.transport.history!('earliest', { signal: new AbortController().signal })
    const reader = pages[Symbol.asyncIterator]()
    const first = await reader.next()
    assert.ok(first.value.entries.length < 1500)
    await deleteBefore(admin, url, 1900)
    await assert.rejects(Promise.resolve(reader.next()), {
      code: 'transport_unavailable',
      message: /^Updates left the log before a slow reader came to them/,
    })
  })

  test('a consumer group shows how far a node has read', async () => {
    const url = newLog({ consumer_group: `group-${process.pid}` })
    const groupId = url.searchParams.get('consumer_group')!
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 42))
    await log.delivers('id-41')
    const topics = [{ name: topicOf(url), partitionIndexes: [0] }]
    for (;;) {
      const [group] = await admin.listConsumerGroupOffsets({ groups: [{ groupId, topics }] })
      const offset = group?.topics[0]?.partitions[0]?.committedOffset
      if (offset === 42n) break
    }
    assert.deepEqual(log.logged, [])
  })

  test('records of others are passed over, with a warning', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    await log.publish({ id: 'a' })
    const producer = new Producer({ clientId: 'other', bootstrapBrokers: [`127.0.0.1:${server.ports.plain}`] })
    const messages = [{ topic: topicOf(url), value: Buffer.from('not an update') }]
    await producer.send({ messages })
    await log.publish({ id: 'b' })
    await producer.send({ messages })
    await producer.close()
    await log.delivers('b')
    const told = /records that no hub has stored; they are passed over/
    await log.logs(told)
    const { fields } = log.logged.find(({ message }) => told.test(message))!
    assert.deepEqual(fields, { topic: topicOf(url), offset: 1 })
    assert.deepEqual(log.ids, ['a', 'b'])
    assert.deepEqual(await log.all(), ['a', 'b'])
    assert.deepEqual(await log.after('a'), ['b'])
    await using later = await TestLog.start(url)
    assert.deepEqual(later.ids, ['a', 'b'])
    assert.deepEqual(await later.all(), ['a', 'b'])
  })

  for (const compression of ['gzip', 'snappy', 'lz4', 'zstd']) {
    test(`a topic that the cluster compresses: ${compression}`, async () => {
      const url = newLog()
      const configs = [{ name: 'compression.type', value: compression }]
      await admin.createTopics({ topics: [topicOf(url)], partitions: 1, replicas: 1, configs })
      await using log = await TestLog.start(url)
      await publishAll(log, range(0, 300), 'compressible '.repeat(100))
      await log.delivers('id-299')
      assert.deepEqual(await log.all(), range(0, 300))
    })
  }

  test('a topic that is deleted is made again, and what was in it is unknown from then on', async () => {
    const url = newLog()
    await using log = await TestLog.start(url)
    await publishAll(log, range(0, 100))
    await log.delivers('id-99')
    const { position } = log.delivered[50]!
    await admin.deleteTopics({ topics: [topicOf(url)] })
    const told = /Kafka has lost updates that were stored/
    await log.logs(told)
    const { fields } = log.logged.find(({ message }) => told.test(message))!
    assert.deepEqual(fields, { topic: topicOf(url), offset: 0 })
    await log.publish({ id: 'new' })
    await log.delivers('new')
    assert.deepEqual(log.ids, [...range(0, 100), 'new'])
    assert.deepEqual(await log.all(), ['new'])
    assert.equal(await log.after('id-50'), undefined)
    assert.equal(await log.after({ position }), undefined)
    assert.equal(log.transport.holds!(position), false)
    assert.equal(log.transport.holds!(log.delivered.at(-1)!.position), true)
  })
})

describe('a log in Kafka that loses something', { skip: noKafkaProgram }, async () => {
  if (noKafkaProgram !== false) return
  const server = await KafkaServer.prepare()
  const relay = await startRelay({ port: server.ports.relayed })
  server.relayThrough(relay.port)
  await server.run()
  const admin = server.admin()
  after(async () => {
    await relay[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  test('a node that was away for longer than the topic keeps says so, and goes on', async () => {
    const url = newTopic(server.url)
    const relayed = new URL(url)
    relayed.port = String(relay.port)
    await using near = await TestLog.start(url)
    await using far = await TestLog.start(relayed)
    await publishAll(near, range(0, 10))
    await far.delivers('id-9')
    relay.refuses = true
    relay.cut()
    await far.logs(/Kafka cannot be used/)
    await publishAll(near, range(10, 100))
    await deleteBefore(admin, url, 80)
    relay.refuses = false
    await far.logs(/Updates left the log before this hub had read them/)
    await far.delivers('id-99')
    assert.deepEqual(far.ids, [...range(0, 10), ...range(80, 100)])
  })

  test('a leader that has not got the newest updates: noticed, and what has their places instead is delivered', async () => {
    const url = newTopic(server.url)
    await using log = await TestLog.start(url, { publishTimeoutMs: 60_000 })
    for (const id of range(0, 10)) await log.publish({ id })
    await log.delivers('id-9')
    await server.kill()
    const file = join(server.directory, 'logs', `${topicOf(url)}-0`, '00000000000000000000.log')
    // Kafka drops a batch of which the end is missing.
    const { length } = await readFile(file)
    await truncate(file, length - 10)
    const published = Promise.all(['new', 'newer'].map(id => log.publish({ id })))
    await server.run()
    await published
    await log.logs(/Kafka has lost updates that were stored/)
    await log.delivers('newer')
    assert.deepEqual(log.ids, [...range(0, 10), 'new', 'newer'])
    assert.deepEqual(await log.all(), [...range(0, 9), 'new', 'newer'])
    assert.equal(await log.after('id-9'), undefined)
    assert.deepEqual(await log.after('id-8'), ['new', 'newer'])
  })

  test('the topic of messages is deleted: it is made again, and they go on', async () => {
    const url = newTopic(server.url)
    await using a = await TestLog.start(url)
    await using b = await TestLog.start(url)
    await a.send('one')
    await b.until(() => b.messages.length === 1)
    await admin.deleteTopics({ topics: [`${topicOf(url)}.presence`] })
    for (const log of [a, b]) await log.logs(/Kafka can be used again/)
    await a.transport.ready!()
    // One that was sent to the old one is lost.
    while (!b.messages.includes('two')) await a.send('two').catch(() => {})
    await a.publish({ id: 'a' })
    await b.delivers('a')
  })
})
