import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findInBlock, hashOf, TopicBlock } from '../../../transports/bolt/topic-block.ts'

test('a block tells where each of its topics is', () => {
  const topics = fc.array(fc.constantFrom<string[]>('a', 'b', 'c', 'd', 'é', ''), { minLength: 1, maxLength: 4 })
  const entries = fc.array(topics, { minLength: 1, maxLength: 200 })
  const wanted = fc.array(fc.constantFrom<string[]>('a', 'b', 'c', 'never'), { maxLength: 3 })
  fc.assert(
    fc.property(entries, wanted, fc.integer({ min: 1, max: 2 ** 48 - 300 }), (entries, wanted, first) => {
      const block = new TopicBlock(first)
      for (const topics of entries) block.add(topics, 100)
      assert.equal(block.last, first + entries.length - 1)
      const expected = entries.flatMap((topics, i) => (topics.some(topic => wanted.includes(topic)) ? [first + i] : []))
      assert.deepEqual(findInBlock(block.encode(), wanted.map(hashOf)), expected)
    }),
  )
})

test('a block is complete at a number of entries, of bytes, or of topics', () => {
  const fill = (topics: readonly string[], bytes: number): number => {
    const block = new TopicBlock(1)
    while (!block.isComplete) block.add(topics, bytes)
    return block.last
  }
  const { entries, bytes, topics } = TopicBlock.bounds
  assert.equal(fill(['a'], 1), entries)
  assert.equal(fill(['a'], bytes / 4), 4)
  assert.equal(fill(Array(1000).fill('a'), 1), Math.ceil(topics / 1000))
})

test('adding to a copy leaves the block as it is', () => {
  const block = new TopicBlock(5)
  block.add(['a'], 1)
  const copy = block.copy()
  copy.add(['b'], 1)
  assert.deepEqual(findInBlock(block.encode(), [hashOf('b')]), [])
  assert.deepEqual(findInBlock(copy.encode(), ['a', 'b'].map(hashOf)), [5, 6])
  assert.deepEqual([block.last, copy.last], [5, 6])
})

test('the hash of a topic is what files of this format have', () => {
  // From the algorithm's reference.
  assert.deepEqual(['', 'a', 'foobar'].map(hashOf), [0x811c9dc5, 0xe40c292c, 0xbf9cf968])
})
