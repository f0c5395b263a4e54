import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  compare,
  decodeMessageId,
  encodeMessageId,
  formatPosition,
  isAfter,
  type Position,
  parsePosition,
} from '../../../transports/pulsar/position.ts'

const at = (ledger: number, entry: number, index = -1, partition = -1): Position => ({
  ledger,
  entry,
  index,
  partition,
})

test('a message id of Pulsar is read, whatever else it has, and written', () => {
  // As a broker of 4.0 gave them: the last field is the size of a batch.
  assert.deepEqual(decodeMessageId(Buffer.from('CAMQADAA', 'base64')), at(3, 0))
  assert.deepEqual(decodeMessageId(Buffer.from('CAMQCTAA', 'base64')), at(3, 9))
  for (const position of [at(0, 0), at(3, 127), at(300, 128, 5), at(2 ** 40, 2 ** 33, 0), at(7, -1)]) {
    assert.deepEqual(decodeMessageId(encodeMessageId(position)), position)
  }
  // ledger 1, entry 2, partition -1, index -1: negative numbers take ten bytes.
  const negative = Buffer.from('0801100218ffffffffffffffffff0120ffffffffffffffffff01', 'hex')
  assert.deepEqual(decodeMessageId(negative), at(1, 2))
  assert.deepEqual(decodeMessageId(Buffer.from('080110021803', 'hex')), at(1, 2, -1, 3))
})

test('what is no message id is refused', () => {
  for (const bytes of ['', '08', '0801', '08ff', 'ff', '0d01020304', '08ffffffffffffffffffffffff01']) {
    assert.throws(() => decodeMessageId(Buffer.from(bytes, 'hex')), RangeError, bytes)
  }
})

test('a position is text, and back', () => {
  for (const [position, text] of [
    [at(3, 9), '3:9'],
    [at(3, 9, 0), '3:9:0'],
  ] as const) {
    assert.equal(formatPosition(position), text)
    assert.deepEqual(parsePosition(text), position)
  }
  for (const text of ['', '3', '3:', '3:9:', 'a:b', '-1:2', '3:9:0:1', '1e3:2'])
    assert.equal(parsePosition(text), undefined)
})

test('positions have the order of the log; an entry is none of those that are in it', () => {
  const positions = [at(1, 5), at(2, 0, 0), at(2, 0, 1), at(2, 1), at(10, 0)]
  assert.deepEqual(positions.toReversed().sort(compare), positions)
  assert.ok(!isAfter(at(2, 0, 1), at(2, 0)) && !isAfter(at(2, 0), at(2, 0, 1)))
})
