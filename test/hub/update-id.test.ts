import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createUpdateId } from '../../src/hub/update-id.ts'

const uuid7 = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('ids of the hub are all different and sort in the order in which they were made', () => {
  const ids = Array.from({ length: 10_000 }, createUpdateId)
  for (const id of ids) assert.match(id, uuid7)
  assert.equal(new Set(ids).size, ids.length)
  assert.deepEqual(ids.toSorted(), ids)
})
