import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findIdFlaw, isCursor, maxIdBytes } from '../../src/protocol/event-id.ts'
import { encodeEvent, toSend } from '../../src/protocol/event-stream.ts'
import { anyText } from '../support/text.ts'

const utf8 = new TextEncoder()

test('what keeps an id out of a header', () => {
  for (const [id, flaw] of [
    ['', 'is empty'],
    ['a', undefined],
    ['a b', undefined],
    ['\u00a0é\u00a0', undefined],
    [' ', 'has a space at an end'],
    [' a', 'has a space at an end'],
    ['a ', 'has a space at an end'],
    ['a\tb', 'has a control character'],
    ['\x7f', 'has a control character'],
    ['\x85', undefined],
    ['é'.repeat(maxIdBytes / 2), undefined],
    [`a${'é'.repeat(maxIdBytes / 2)}`, 'is too long'],
  ] as const) {
    assert.equal(findIdFlaw(utf8.encode(id)), flaw, JSON.stringify(id))
    assert.equal(isCursor(id), flaw === undefined, JSON.stringify(id))
  }
})

test('an event is sent as it is stored, but for an id that no header brings back', () => {
  const line = anyText.map(text => text.replace(/[\r\n\0]/g, ''))
  const fields = fc.record({
    id: fc.oneof(line, fc.constantFrom('x'.repeat(1024), 'x'.repeat(1025))),
    type: line,
    data: anyText,
    retry: fc.constantFrom(0, 5),
  })
  fc.assert(
    fc.property(fields, fields => {
      const stored = encodeEvent({ ...fields, topics: ['a'], private: false })
      const expected = isCursor(fields.id)
        ? Buffer.from(stored)
        : Buffer.from(
            Buffer.from(stored)
              .toString('latin1')
              .replace(/^id: .*\n/m, ''),
            'latin1',
          )
      assert.deepEqual(Buffer.from(toSend(stored)), expected)
      assert.deepEqual(Buffer.from(toSend(toSend(stored))), expected, 'once more changes nothing')
    }),
    { numRuns: 2000 },
  )
})
