import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { createUpdateId } from '../../../src/hub/update-id.ts'
import { startHub, type TestHub } from '../../support/hub.ts'
import { newTopic } from '../../support/kafka.ts'
import { TestLog } from '../../support/log.ts'
import { KafkaServer, noKafkaProgram } from '../../support/services/kafka.ts'

const topic = 'https://example.com/books/1'
const unavailable = { code: 'transport_unavailable' }
const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

/** Without a bound of its own, who waits for a broker that says nothing would wait for a minute, or for ever. */
const bounded = { timeout: 60_000 }

describe('who resumes while Kafka does not answer', { skip: noKafkaProgram }, async () => {
  if (noKafkaProgram !== false) return
  const server = await KafkaServer.start()
  after(() => server[Symbol.asyncDispose]())

  /** A log of ids 0 to 99, of which the URL's next node is given the end. */
  async function newLog(): Promise<URL> {
    const url = newTopic(server.url)
    await using log = await TestLog.start(url)
    await Promise.all(range(0, 100).map(id => log.publish({ id, topics: [topic] })))
    return url
  }

  const resume = (hub: TestHub, id: string) =>
    fetch(`${hub.hubUrl}?topic=*`, { headers: { 'Last-Event-ID': id }, signal: AbortSignal.timeout(20_000) })

  async function idsAfter(hub: TestHub, id: string, count: number): Promise<(string | undefined)[]> {
    const stream = await hub.subscribe('topic=*', { headers: { 'Last-Event-ID': id } })
    return (await stream.take(count)).map(event => event.id)
  }

  const troubles = [
    { name: 'it is silent', begin: async () => server.pause(), end: async () => server.resume() },
    { name: 'it is away', begin: () => server.kill(), end: () => server.run() },
  ] as const

  for (const { name, begin, end } of troubles) {
    test(`${name}: from memory what is remembered, after a restart too, and 503 for the others`, bounded, async () => {
      const transport_url = (await newLog()).href
      await using hub = await startHub({ transport_url, publish_timeout: '1s', recent: { entries: 10 } })
      await hub.running.attached
      // The ids of before are read.
      assert.deepEqual(await idsAfter(hub, 'id-50', 49), range(51, 100))
      await begin()
      try {
        const others = ['id-5', 'never', createUpdateId()]
        const isRefused = async (id: string) => {
          const answer = await resume(hub, id)
          assert.equal(answer.status, 503, id)
          assert.equal(answer.headers.get('Retry-After'), '1')
        }
        await Promise.all(others.map(isRefused))
        assert.deepEqual(await idsAfter(hub, 'id-93', 6), range(94, 100))
        await hub.logged(({ msg }) => /Kafka cannot be used/.test(String(msg)))
        // More than are read at a time.
        await Promise.all([...others, ...others, ...others].map(isRefused))
        assert.deepEqual(await idsAfter(hub, 'id-97', 2), ['id-98', 'id-99'])
      } finally {
        await end()
      }
      await hub.logged(({ msg }) => /can be used again/.test(String(msg)))
      assert.deepEqual(await idsAfter(hub, 'id-5', 94), range(6, 100))
      const id = await hub.publish({ topic, data: 'x', id: 'id-100' })
      assert.deepEqual(await idsAfter(hub, 'id-99', 1), [id])
    })
  }

  test('an id that an older update has too is not answered from memory', bounded, async () => {
    const url = await newLog()
    {
      await using log = await TestLog.start(url)
      await log.publish({ id: 'id-7' })
      await log.publish({ id: 'last' })
    }
    await using log = await TestLog.open(url, { publishTimeoutMs: 1000 })
    await log.start(10)
    assert.equal((await log.after('id-7'))?.length, 94)
    server.pause()
    try {
      const { signal } = new AbortController()
      await assert.rejects(log.transport.history!({ id: 'id-7' }, { signal }), unavailable)
      assert.equal((await log.transport.history!({ id: 'last' }, { signal })).found, true)
    } finally {
      server.resume()
    }
    assert.equal((await log.after('id-7'))?.length, 94)
  })
})
