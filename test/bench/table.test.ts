import assert from 'node:assert/strict'
import { test } from 'node:test'
import { perSecond, type Row } from './row.ts'
import { writeMarkdown } from './table.ts'

const cellsOf = (row: Row) =>
  writeMarkdown([row])
    .split('\n')[2]!
    .split('|')
    .slice(1, -1)
    .map(cell => cell.trim())

test('a row is judged by the median of its figures', () => {
  const row = { what: 'publishes', figures: [9000, 7000, 20_000], format: perSecond, from: 'floor' }
  assert.deepEqual(cellsOf(row), ['publishes', '', '9,000/s', '7,000/s – 20,000/s', '', 'floor'])
  assert.deepEqual(cellsOf({ ...row, target: { least: 9000 } }).slice(1, 5), [
    '≥ 9,000/s',
    '9,000/s',
    '7,000/s – 20,000/s',
    '1.00',
  ])
  assert.equal(cellsOf({ ...row, target: { least: 10_000 } })[4], '0.90 (missed)')
  assert.equal(cellsOf({ ...row, target: { most: 6000 } })[4], '1.50 (missed)')
})

test('what could not be measured says why', () => {
  const row = {
    what: 'redis://',
    figures: [],
    format: perSecond,
    target: { least: 1 },
    from: 'No redis-server runs here.',
  }
  assert.deepEqual(cellsOf(row), ['redis://', '', 'not measured', '', '', 'No redis-server runs here.'])
})
