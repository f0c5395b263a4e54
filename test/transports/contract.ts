import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { LogEntry, Transport } from '../../src/transport.ts'
import { Collector } from '../support/collector.ts'
import { createTestUpdate, readUpTo, startNode, subscribeGrant } from '../support/node.ts'
import { createRandom } from '../support/random.ts'
import { promiseKeys } from './keys.ts'

/** One log of a backend, made for a test. */
export interface LogUnderTest {
  /** A transport on this log; each call is another node or, after a close, the same one started again. */
  open(): Promise<Transport>
  /** Removes what the log left behind. */
  dispose(): Promise<void>
}

export interface TransportUnderTest {
  readonly name: string
  /** A new, empty log; `size`: how many of the newest updates it keeps, at least. */
  create(options: { size?: number }): Promise<LogUnderTest>
  /** What this backend cannot do, by the names of the tests, and why. */
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[]
}

/** For a log that one process has for itself. */
export const tellsNoTime = {
  reason: 'the clock would be ours',
  tests: ['an update that comes says when it got its place, for a log that others append to as well'],
}

const topic = 'https://example.com/a'
const other = 'https://example.com/b'
const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

/** What the hub promises on top of every transport. */
export function testTransport({ name, create, skip = [] }: TransportUnderTest): void {
  const promise = (title: string, body: (context: TestContext) => Promise<void>) => {
    const reason = skip.find(({ tests }) => tests.includes(title))?.reason
    test(title, reason === undefined ? {} : { skip: reason }, body)
  }
  const logs: LogUnderTest[] = []
  const createLog = async (options: { size?: number } = {}) => {
    const log = await create(options)
    logs.push(log)
    return log
  }

  describe(name, () => {
    after(async () => {
      for (const log of logs) await log.dispose()
    })

    promise('live: every update once, in the order of one log, to every subscriber', async () => {
      await using node = await startNode(await (await createLog()).open())
      const subscribers = await Promise.all(Array.from({ length: 5 }, () => node.subscribe({ topics: [topic] })))
      await Promise.all(range(0, 200).map(id => node.publish({ id })))
      for (const { collector } of subscribers) await collector.received(200)
      // One node's updates are stored in the order in which it published them.
      for (const { collector } of subscribers) assert.deepEqual(collector.ids, range(0, 200))
    })

    promise('what is kept beside the updates is there for a hub that comes later', async context => {
      const log = await createLog()
      const first = await log.open()
      await first.start({ backfill: 1 }, () => {})
      if (first.records === undefined) {
        await first.close()
        return context.skip('this log keeps no records')
      }
      assert.deepEqual([...(await first.records.load())], [])
      const long = 'ä"\n'.repeat(500)
      await Promise.all([first.records.save('a', 'old'), first.records.save('b', '{}'), first.records.save('c', long)])
      await first.records.save('a', 'new')
      await first.records.save('b', null)
      await first.records.save('none', null)
      await first.close()
      const second = await log.open()
      await second.start({ backfill: 1 }, () => {})
      assert.deepEqual([...(await second.records!.load())].sort(), [
        ['a', 'new'],
        ['c', long],
      ])
      await second.close()
    })

    promise('an update comes back as it was published', async () => {
      const log = await createLog({ size: 10 })
      await using node = await startNode(await log.open())
      const live = await node.subscribe({ topics: [topic] })
      const data = 'línea 1\nline 2 🎉\u0000\u2028'
      await node.publish({ id: 'ünï: +%/#', topics: [topic, other], data, type: 'tÿpe', retry: 1234 })
      await node.publish({ id: 'empty', data: '' })
      await node.publish({ id: 'large', data: 'x'.repeat(1_000_000) })
      await live.collector.received(3)
      const late = await node.subscribe({ topics: [other], lastEventId: 'earliest' })
      await late.collector.received(1)
      for (const event of [live.collector.events[0], late.collector.events[0]]) {
        assert.deepEqual(event, { id: 'ünï: +%/#', event: 'tÿpe', data: 'línea 1\nline 2 🎉\u0000\u2028' })
      }
      assert.equal(live.collector.events[1]?.data, '')
      assert.equal(live.collector.events[2]?.data.length, 1_000_000)
    })

    promise('an update that comes says when it got its place, for a log that others append to as well', async () => {
      const transport = await (await createLog()).open()
      try {
        const delivered = Promise.withResolvers<LogEntry>()
        await transport.start({ backfill: 1 }, (entry, live) => {
          if (live) delivered.resolve(entry)
        })
        // Clocks of databases round.
        const from = Date.now() - 1
        await transport.publish(createTestUpdate({ id: 'a' }))
        const { storedAt } = await delivered.promise
        assert.ok(storedAt !== undefined && storedAt >= from && storedAt <= Date.now() + 1, `${storedAt}`)
      } finally {
        await transport.close()
      }
    })

    promise('history: what followed an id, then what comes', async () => {
      await using node = await startNode(await (await createLog({ size: 1000 })).open())
      for (const id of range(0, 50)) await node.publish({ id, topics: [id.endsWith('0') ? other : topic] })
      const { collector, cursor } = await node.subscribe({ topics: [topic], lastEventId: 'id-20' })
      assert.equal(cursor.lastEventId, 'id-20')
      await node.publish({ id: 'next' })
      const expected = [...range(21, 50).filter(id => !id.endsWith('0')), 'next']
      await collector.received(expected.length)
      assert.deepEqual(collector.ids, expected)
    })

    promise('history: nothing follows the newest id', async () => {
      await using node = await startNode(await (await createLog({ size: 1000 })).open())
      for (const id of range(0, 5)) await node.publish({ id })
      const { collector, cursor } = await node.subscribe({ topics: ['*'], lastEventId: 'id-4' })
      assert.equal(cursor.lastEventId, 'id-4')
      await node.publish({ id: 'next' })
      await collector.received(1)
      assert.deepEqual(collector.ids, ['next'])
    })

    promise('history: earliest is everything', async () => {
      await using node = await startNode(await (await createLog({ size: 1000 })).open())
      const none = await node.subscribe({ topics: ['*'], lastEventId: 'earliest' })
      for (const id of range(0, 30)) await node.publish({ id })
      const { collector, cursor } = await node.subscribe({ topics: [topic], lastEventId: 'earliest' })
      assert.equal(cursor.lastEventId, 'earliest')
      await collector.received(30)
      await none.collector.received(30)
      assert.deepEqual(collector.ids, range(0, 30))
      assert.deepEqual(none.collector.ids, range(0, 30))
    })

    promise('history: an unknown id replays nothing and says so', async () => {
      await using node = await startNode(await (await createLog({ size: 1000 })).open())
      const all = await node.subscribe({ topics: ['*'] })
      for (const id of range(0, 5)) await node.publish({ id })
      // A publish may be answered before its update is delivered here.
      await all.collector.received(5)
      const { collector, cursor } = await node.subscribe({ topics: ['*'], lastEventId: 'never published' })
      assert.equal(cursor.lastEventId, 'earliest')
      await node.publish({ id: 'next' })
      await collector.received(1)
      assert.deepEqual(collector.ids, ['next'])
    })

    promise('history: a reused id means its earliest update', async () => {
      await using node = await startNode(await (await createLog({ size: 1000 })).open(), {
        recent: { entries: 4, bytes: 1 << 20 },
      })
      for (const id of ['a', 'twice', 'b', 'c', 'd', 'twice', 'e']) await node.publish({ id })
      const { collector } = await node.subscribe({ topics: ['*'], lastEventId: 'twice' })
      await collector.received(5)
      assert.deepEqual(collector.ids, ['b', 'c', 'd', 'twice', 'e'])
    })

    promise('history: private updates only to those granted, by the token of now', async () => {
      await using node = await startNode(await (await createLog({ size: 1000 })).open())
      await node.publish({ id: 'public' })
      await node.publish({ id: 'private', private: true })
      await node.publish({ id: 'other', private: true, topics: [topic, other] })
      await node.publish({ id: 'last' })
      const read = async (grant?: ReturnType<typeof subscribeGrant>) => {
        const { collector } = await node.subscribe({
          topics: [topic],
          lastEventId: 'earliest',
          ...(grant === undefined ? {} : { grant }),
        })
        while (!collector.ids.includes('last')) await collector.received(collector.events.length + 1)
        return collector.ids
      }
      assert.deepEqual(await read(), ['public', 'last'])
      assert.deepEqual(await read(subscribeGrant(other)), ['public', 'other', 'last'])
      assert.deepEqual(await read(subscribeGrant('*')), ['public', 'private', 'other', 'last'])
    })

    promise('history and live meet without a gap or a repetition, at any pace', async () => {
      const log = await createLog({ size: 100_000 })
      await using node = await startNode(await log.open(), { recent: { entries: 20, bytes: 1 << 20 } })
      const published: string[] = []
      const publish = async () => {
        const id = `id-${published.length}`
        published.push(id)
        await node.publish({ id, data: 'x'.repeat(200) })
      }
      for (let i = 0; i < 30; i++) await publish()
      for (let seed = 0; seed < 300; seed++) {
        const random = createRandom(seed)
        const from = Math.max(0, published.length - 1 - random.below(60))
        const collector = new Collector({ paused: random.next() < 0.7 })
        const joined = node.subscribe({ topics: [topic], lastEventId: published[from]!, collector })
        for (let step = 0; step < 8; step++) {
          const action = random.below(4)
          if (action === 0) await publish()
          else if (action === 1) publish().catch(assert.fail)
          else if (action === 2) collector.readOne()
          else await nextTurn()
        }
        collector.resume()
        const { leave } = await joined
        await publish()
        const expected = published.slice(from + 1)
        await collector.received(expected.length)
        assert.deepEqual(collector.ids, expected, `seed ${seed}`)
        leave()
      }
      assert.deepEqual(node.failures, [])
    })

    promise('history: a reader that pauses holds few bytes, and loses nothing', async () => {
      await using node = await startNode(await (await createLog({ size: 100_000 })).open(), {
        recent: { entries: 100_000, bytes: 1 << 28 },
      })
      for (const id of range(0, 3000)) node.publish({ id, data: 'x'.repeat(500) }).catch(assert.fail)
      await node.publish({ id: 'id-3000' })
      const collector = new Collector({ paused: true })
      await node.subscribe({ topics: [topic], lastEventId: 'id-0', collector })
      for (let i = 0; i < 100; i++) {
        await nextTurn()
        if (i % 5 === 0) collector.readOne()
      }
      assert.ok(collector.mostWaiting < 256 * 1024, `${collector.mostWaiting} bytes waited`)
      collector.resume()
      await collector.received(3000)
      assert.deepEqual(collector.ids, range(1, 3001))
    })

    promise('size: the oldest updates are forgotten, the newest are kept', async () => {
      await using node = await startNode(await (await createLog({ size: 10 })).open())
      for (let i = 0; i < 5000; i += 100) await Promise.all(range(i, i + 100).map(id => node.publish({ id })))
      const kept = await readUpTo(node, 'id-4999')
      assert.deepEqual(kept, range(5000 - kept.length, 5000))
      assert.ok(kept.length < 2500, `${kept.length} updates kept of the 10 asked for`)
      const old = await node.subscribe({ topics: ['*'], lastEventId: 'id-0' })
      assert.equal(old.cursor.lastEventId, 'earliest')
    })

    promise('size: what has left the log is not resumed from, though the hub remembers it', async context => {
      const transport = await (await createLog({ size: 10 })).open()
      await using node = await startNode(transport, { recent: { entries: 10_000, bytes: 1 << 28 } })
      if (transport.holds === undefined) return context.skip('this log does not say what has left it')
      for (let i = 0; i < 5000; i += 100) await Promise.all(range(i, i + 100).map(id => node.publish({ id })))
      const kept = await readUpTo(node, 'id-4999')
      for (const id of range(0, 5000 - kept.length)) {
        const { cursor, leave } = await node.subscribe({ topics: ['*'], lastEventId: id })
        assert.equal(cursor.lastEventId, 'earliest', id)
        leave()
      }
      const newest = await node.subscribe({ topics: ['*'], lastEventId: 'id-4999' })
      assert.equal(newest.cursor.lastEventId, 'id-4999')
    })

    promise('restart: history and the last event id are there before anything is published', async () => {
      const log = await createLog({ size: 1000 })
      const first = await startNode(await log.open())
      for (const id of range(0, 20)) await first.publish({ id })
      await first.close()
      for (const entries of [0, 5, 1000]) {
        await using node = await startNode(await log.open(), { recent: { entries, bytes: 1 << 20 } })
        assert.equal(node.hub.lastEventId, 'id-19')
        const { collector, cursor } = await node.subscribe({ topics: ['*'], lastEventId: 'id-9' })
        assert.equal(cursor.lastEventId, 'id-9')
        await collector.received(10)
        assert.deepEqual(collector.ids, range(10, 20))
        const newest = await node.subscribe({ topics: ['*'], lastEventId: 'id-19' })
        assert.equal(newest.cursor.lastEventId, 'id-19')
      }
    })

    promiseKeys(promise, createLog)

    promise('close while publishing: each publish is stored or rejected, and closing twice is closing', async () => {
      const log = await createLog({ size: 10_000 })
      const node = await startNode(await log.open())
      const results = Promise.allSettled(range(0, 500).map(id => node.publish({ id })))
      await node.close()
      await node.close()
      for (const result of await results) {
        if (result.status === 'rejected') assert.match(result.reason.code, /^(transport_unavailable|shutting_down)$/)
      }
      await assert.rejects(node.publish({ id: 'late' }), { code: 'shutting_down' })
    })
  })
}
