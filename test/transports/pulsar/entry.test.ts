import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeUpdate, encodeUpdate, fold, readStamp, stamp, unfold } from '../../../transports/pulsar/entry.ts'
import { createTestUpdate } from '../../support/node.ts'

const position = { ledger: 3, entry: 4, index: -1, partition: -1 }
const updates = Array.from({ length: 10 }, (_, i) =>
  createTestUpdate({
    id: `ünï ${i}`,
    data: 'x🎉'.repeat(20_000 * (i % 4)),
    type: i % 2 ? 'tÿpe' : '',
    private: i === 3,
  }),
)

test('many updates are few messages, and come back one by one, numbered as they were sent', () => {
  const folded = fold(updates.map(encodeUpdate))
  assert.ok(folded.length > 1 && folded.length < updates.length, String(folded.length))
  assert.equal(
    folded.reduce((sum, { count }) => sum + count, 0),
    updates.length,
  )
  let sent = 100
  const unfolded = folded.flatMap(({ message, count }) => {
    sent += count
    return unfold({ ...stamp(message, { node: 'a', updates: sent, messages: 7 }), position, timeMs: 5 })
  })
  assert.deepEqual(
    unfolded.map(message => decodeUpdate(message)?.update),
    updates,
  )
  assert.deepEqual(
    unfolded.map(message => readStamp(message)),
    updates.map((_, i) => ({ node: 'a', updates: 101 + i, messages: 7 })),
  )
  assert.deepEqual(
    unfolded.slice(0, folded[0]!.count).map(({ position }) => position),
    Array.from({ length: folded[0]!.count }, (_, index) => ({ ...position, index })),
  )
})

test('an update alone is a message that people can read', () => {
  const [only] = fold([encodeUpdate(createTestUpdate({ id: 'a', topics: ['t', 'u'], data: 'd', retry: 5 }))])
  assert.equal(Buffer.from(only!.message.payload).toString(), 'd')
  assert.deepEqual(only!.message.properties, { id: 'a', topics: '["t","u"]', retry: '5' })
})

test('what is not what it says is no update', () => {
  for (const [properties, payload] of [
    [{ updates: '2' }, 'neither'],
    [{ updates: '2', hub: 'a:2:0' }, ''],
    [{ updates: 'x', hub: 'a:2:0' }, ''],
    [{ updates: '1', hub: 'a:2:0' }, '\0\0\0\x01{\0\0\0\x01x'],
  ] as const) {
    const unfolded = unfold({ properties, payload: Buffer.from(payload), position, timeMs: 0 })
    assert.deepEqual(unfolded.map(decodeUpdate), [undefined])
  }
})
