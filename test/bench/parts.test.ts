import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parts, select } from './parts.ts'

const rows = async () => []
const some = { hub: { publish: rows, log: rows }, backends: { redis: rows, postgres: rows } }
const namesOf = (...names: string[]) => [...select(names, some)].map(([part, of]) => [part, ...Object.keys(of)])

test('all parts are measured where none is named', () => {
  assert.deepEqual(namesOf(), [
    ['hub', 'publish', 'log'],
    ['backends', 'redis', 'postgres'],
  ])
})

test('a name chooses a part or some rows, in the order of the page', () => {
  assert.deepEqual(namesOf('backends'), [['backends', 'redis', 'postgres']])
  assert.deepEqual(namesOf('postgres', 'log'), [
    ['hub', 'log'],
    ['backends', 'postgres'],
  ])
  assert.deepEqual(namesOf('backends', 'redis'), [['backends', 'redis', 'postgres']])
})

test('a name that there is not is refused', () => {
  assert.throws(() => namesOf('redis', 'toString'), /no rows "toString"/)
})

test('no two rows have one name, nor a part and a row', () => {
  const names = Object.entries(parts).flatMap(([part, of]) => [part, ...Object.keys(of)])
  assert.deepEqual(names, [...new Set(names)])
})
