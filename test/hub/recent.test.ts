import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Recent } from '../../src/hub/recent.ts'
import { createTestUpdate } from '../support/node.ts'
import { createRandom } from '../support/random.ts'

const entry = (position: number, id: string, data = '') => ({
  position: `p${position}`,
  update: createTestUpdate({ id, data }),
})

test('agrees with a plain list, with ids that repeat', () => {
  const random = createRandom(1)
  const recent = new Recent({ entries: 50, bytes: 1 << 20 })
  const all: string[] = []
  for (let place = 0; place < 2000; place++) {
    const id = `id-${random.below(200)}`
    recent.append(entry(place, id))
    all.push(id)
    const start = Math.max(0, all.length - 50)
    assert.equal(recent.start, start)
    assert.equal(recent.end, all.length)
    const asked = `id-${random.below(200)}`
    const earliest = all.indexOf(asked, start)
    assert.equal(recent.placeOfId(asked), earliest === -1 ? undefined : earliest)
    const at = start + random.below(all.length - start)
    assert.equal(recent.at(at).update.id, all[at])
    assert.equal(recent.placeAfterPosition(`p${at}`), at + 1)
    if (start > 0) assert.equal(recent.placeAfterPosition(`p${start - 1}`), undefined)
  }
})

test('is bounded in bytes, and knows its end when it holds nothing', () => {
  const recent = new Recent({ entries: 1000, bytes: 10_000 })
  for (let place = 0; place < 100; place++) {
    recent.append(entry(place, `id-${place}`, 'x'.repeat(1000)))
    assert.ok(recent.bytes <= 10_000)
  }
  assert.ok(recent.end - recent.start >= 2)
  recent.append(entry(100, 'large', 'x'.repeat(100_000)))
  assert.deepEqual([recent.start, recent.end, recent.bytes], [101, 101, 0])
  assert.equal(recent.placeOfId('large'), undefined)
  assert.equal(recent.placeAfterPosition('p100'), 101)
})
