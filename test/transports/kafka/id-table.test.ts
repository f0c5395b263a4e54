import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { IdTable } from '../../../transports/kafka/id-table.ts'
import { createRandom } from '../../support/random.ts'

const places = 65_536

describe('a table of ids', () => {
  test('knows the lowest place of each id, whatever the order in which it is told', () => {
    const random = createRandom(3)
    const ids = Array.from({ length: 4000 }, () => `id-${random.below(2000)}`)
    const earliest = new Map<string, number>()
    for (const [offset, id] of ids.entries()) if (!earliest.has(id)) earliest.set(id, offset * 50)
    const order = [...ids.keys()].sort(() => random.next() - 0.5)
    const table = new IdTable(1_000_000)
    for (const offset of order) table.add(ids[offset]!, offset * 50)
    for (const [id, offset] of earliest) assert.equal(table.find(id), offset)
    assert.equal(table.find('never'), undefined)
  })

  test('tells whether an id was known at a lower place', () => {
    const table = new IdTable(1_000_000)
    assert.equal(table.add('a', 10), false)
    assert.equal(table.add('a', 10), false)
    assert.equal(table.add('a', 200_000), true)
    assert.equal(table.add('a', 5), false)
    assert.equal(table.add('a', 10), true)
  })

  test('forgets what is older than its span, and is full all the same', () => {
    const table = new IdTable(2 * places)
    const end = 5 * places
    for (let offset = 0; offset < end; offset++) assert.equal(table.add(`id-${offset}`, offset), false)
    assert.equal(table.floor, 2 * places)
    for (let offset = 0; offset < end; offset++) {
      const known = offset < table.floor ? undefined : offset
      if (table.find(`id-${offset}`) !== known) assert.fail(`id-${offset}`)
    }
    assert.equal(table.add('id-0', end), false)
    assert.equal(table.find('id-0'), end)
    assert.equal(table.add('late', 0), false)
    assert.equal(table.find('late'), undefined)
    table.clear()
    assert.equal(table.find('id-0'), undefined)
  })
})
