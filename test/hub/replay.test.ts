import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogDirectory } from '../support/bolt.ts'
import { Collector } from '../support/collector.ts'
import { startNode } from '../support/node.ts'

test('a reader that the window and the log have both overtaken is ended as too slow: what it missed is gone', async () => {
  await using directory = await LogDirectory.create()
  const transport = await directory.open('?size=5&cleanup_frequency=1')
  await using node = await startNode(transport, { recent: { entries: 5, bytes: 1 << 24 } })
  // Each is more than a step of the replay: the reader stops after the first, with the next still in the window.
  for (const id of ['a', 'b', 'c', 'd']) await node.publish({ id, data: 'x'.repeat(100_000) })
  const collector = new Collector({ paused: true })
  await node.subscribe({ topics: ['*'], lastEventId: 'a', collector })
  for (let i = 0; i < 200; i++) await node.publish({ id: `later-${i}` })
  collector.resume()
  await collector.received(Number.POSITIVE_INFINITY)
  assert.equal(collector.ended, 'too slow')
  assert.deepEqual(collector.ids, ['b'])
  assert.deepEqual(node.failures, [])
})
