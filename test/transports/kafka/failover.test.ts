import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { newTopic } from '../../support/kafka.ts'
import { TestLog } from '../../support/log.ts'
import { KafkaServer, noKafkaProgram } from '../../support/services/kafka.ts'

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

describe('a log that two brokers have', { skip: noKafkaProgram }, async () => {
  if (noKafkaProgram !== false) return
  const controller = await KafkaServer.start()
  const other = await KafkaServer.start({ controller })
  const admin = controller.admin()
  after(async () => {
    await other[Symbol.asyncDispose]()
    await controller[Symbol.asyncDispose]()
  })

  /** A log that the other broker leads; the hub knows both. */
  async function newLog(leastInSync: number): Promise<URL> {
    const url = newTopic(new URL('kafka://kafka'), { addr: `127.0.0.1:${other.ports.plain}` })
    url.searchParams.append('addr', `127.0.0.1:${controller.ports.plain}`)
    const topic = url.searchParams.get('topic')!
    const configs = [{ name: 'min.insync.replicas', value: String(leastInSync) }]
    const assignments = [{ partition: 0, brokers: [other.id, controller.id] }]
    for (const name of [topic, `${topic}.presence`]) await admin.createTopics({ topics: [name], assignments, configs })
    return url
  }

  test('its leader dies: another one leads, and nothing is lost, nothing comes twice', async () => {
    await using log = await TestLog.start(await newLog(1), { publishTimeoutMs: 60_000 })
    const stored: string[] = []
    const publishing = (async () => {
      for (const id of range(0, 600)) {
        await log.publish({ id }).then(
          () => stored.push(id),
          () => {},
        )
      }
    })()
    await log.delivers('id-50')
    await other.kill()
    await publishing
    await log.delivers('id-599')
    assert.ok(stored.length >= 598, `${stored.length} were stored`)
    assert.deepEqual(
      log.ids.filter(id => stored.includes(id)),
      stored,
    )
    assert.equal(new Set(log.ids).size, log.ids.length)
    assert.deepEqual(await log.all(), log.ids)
    assert.ok(!log.logged.some(({ message }) => /has lost/.test(message)))
    await other.run()
  })

  test('too few have it: publishers are refused, and the hub is not ready, until enough have', async () => {
    await using log = await TestLog.start(await newLog(2), { publishTimeoutMs: 1500 })
    await log.publish({ id: 'before' })
    await other.kill()
    const isTold = () => log.logged.some(({ message }) => /cannot be used: NOT_ENOUGH_REPLICAS/.test(message))
    while (!isTold()) await assert.rejects(log.publish({ id: 'during' }), { code: 'transport_unavailable' })
    await assert.rejects(log.publish({ id: 'refused' }), { message: /^The update was not stored/ })
    await assert.rejects(log.transport.ready!(), { message: /NOT_ENOUGH_REPLICAS/ })
    await other.run()
    const isReady = () =>
      log.transport.ready!().then(
        () => true,
        () => false,
      )
    while (!(await isReady())) await nextTurn()
    await log.publish({ id: 'after' })
    await log.delivers('after')
    assert.deepEqual(
      log.ids.filter(id => id !== 'during'),
      ['before', 'after'],
    )
    assert.deepEqual(log.messages, [])
  })
})
