import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reception } from './reception.ts'

function receive(...updates: [publisher: number, number: number][]): Reception {
  const reception = new Reception()
  for (const [publisher, number] of updates) reception.receive(publisher, number)
  return reception
}

const countsOf = (reception: Reception, published: number[]) => ({
  lost: reception.lost(published),
  duplicated: reception.duplicated,
  outOfOrder: reception.outOfOrder,
})

test('all updates, each once and in order', () => {
  const reception = receive([0, 0], [1, 0], [0, 1], [1, 1], [0, 2])
  assert.deepEqual(countsOf(reception, [3, 2]), { lost: 0, duplicated: 0, outOfOrder: 0 })
  assert.deepEqual(reception.last, { publisher: 0, number: 2 })
})

test('lost updates: at the beginning, between others, at the end, all of a publisher', () => {
  const reception = receive([0, 1], [0, 2], [0, 5])
  assert.deepEqual(countsOf(reception, [8, 4]), { lost: 1 + 2 + 2 + 4, duplicated: 0, outOfOrder: 0 })
})

test('an update that comes twice is no substitute for a lost one', () => {
  const reception = receive([0, 0], [0, 0], [0, 2])
  assert.deepEqual(countsOf(reception, [3]), { lost: 1, duplicated: 1, outOfOrder: 0 })
})

test('an update that comes late is out of order and not lost; a second time it is a duplicate', () => {
  const reception = receive([0, 1], [0, 0], [0, 0])
  assert.deepEqual(countsOf(reception, [2]), { lost: 0, duplicated: 1, outOfOrder: 1 })
})

test('two subscribers who saw publishers in different turns are told apart', () => {
  const one = receive([0, 0], [1, 0], [0, 1])
  const same = receive([0, 0], [1, 0], [0, 1])
  const other = receive([1, 0], [0, 0], [0, 1])
  assert.equal(one.order, same.order)
  assert.notEqual(one.order, other.order)
})
