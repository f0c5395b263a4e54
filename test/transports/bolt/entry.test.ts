import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeEvent } from '../../../src/protocol/event-stream.ts'
import type { Update } from '../../../src/protocol/update.ts'
import { decodeEntry, encodeEntry } from '../../../transports/bolt/entry.ts'
import { createTestUpdate } from '../../support/node.ts'

const line = fc.string({ unit: 'grapheme' }).map(text => text.replaceAll(/[\r\n\0]/g, ''))
/** Line breaks of all kinds, and what looks like fields of an event. */
const data = fc
  .array(
    fc.oneof(
      fc.constantFrom('\r', '\n', '\r\n', 'data: ', 'data:', 'id: x', '\n\n', ':'),
      fc.string({ unit: 'grapheme' }),
    ),
  )
  .map(parts => parts.join(''))
const updates: fc.Arbitrary<Update> = fc.record(
  {
    id: line.filter(id => id !== ''),
    topics: fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 5 }),
    data,
    type: line,
    retry: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    private: fc.boolean(),
  },
  { noNullPrototype: true },
)

const fieldsOf = ({ id, topics, data, type, retry, private: isPrivate }: Update): Update => ({
  id,
  topics,
  data,
  type,
  retry,
  private: isPrivate,
})

test('an update is read back as it was stored, with its bytes and its time', () => {
  fc.assert(
    fc.property(updates, fc.integer({ min: 0, max: 2 ** 48 - 1 }), (update, timeMs) => {
      const event = encodeEvent(update)
      const entry = decodeEntry(encodeEntry(update, event, timeMs))
      assert.deepEqual(fieldsOf(entry.update), update)
      assert.deepEqual(Buffer.from(entry.event), Buffer.from(event))
      assert.equal(entry.timeMs, timeMs)
    }),
  )
})

test('topics and data of any length', () => {
  for (const length of [0, 127, 128, 16_383, 16_384, 3_000_000]) {
    const update = createTestUpdate({ id: 'a', topics: ['t'.repeat(length), 'other'], data: `${'d'.repeat(length)}\r` })
    assert.deepEqual(fieldsOf(decodeEntry(encodeEntry(update, encodeEvent(update), 0)).update), update)
  }
})

test('bytes that are no entry are refused', () => {
  const update = createTestUpdate({ id: 'a' })
  const bytes = encodeEntry(update, encodeEvent(update), 0)
  const endless = Buffer.alloc(100, 0xff)
  for (const damaged of [Buffer.alloc(0), bytes.subarray(0, 7), endless]) {
    assert.throws(() => decodeEntry(damaged).update.id, RangeError)
  }
  const withoutEvent = decodeEntry(bytes.subarray(0, bytes.length - 20))
  assert.throws(() => withoutEvent.update.data, RangeError)
})
