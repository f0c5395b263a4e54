import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PrefixTree } from '../../src/hub/prefix-tree.ts'
import { createRandom } from '../support/random.ts'

const matches = (tree: PrefixTree<string>, text: string, from = 0): string[] => {
  const found: string[] = []
  tree.match(text, from, (value, end) => {
    assert.equal(end, from + value.length)
    found.push(value)
  })
  return found
}

test('finds the keys that a text begins with, whatever keys come and go', () => {
  const random = createRandom(11)
  const tree = new PrefixTree<string>()
  const keys = new Set<string>()
  const word = (length: number) =>
    Array.from({ length: random.below(length) }, () => random.pick(['a', 'b', 'é'])).join('')
  for (let round = 0; round < 20_000; round++) {
    const key = word(6)
    if (random.next() < 0.5) {
      tree.set(key, key)
      keys.add(key)
    } else {
      tree.delete(key)
      keys.delete(key)
    }
    assert.equal(tree.get(key), keys.has(key) ? key : undefined)
    const text = word(9)
    const from = random.below(text.length + 1)
    const expected = [...keys].filter(key => text.startsWith(key, from)).sort((a, b) => a.length - b.length)
    assert.deepEqual(matches(tree, text, from), expected, text)
    assert.equal(tree.isEmpty, keys.size === 0)
  }
  for (const key of keys) tree.delete(key)
  assert.ok(tree.isEmpty)
})

test('a key in the middle of others is found before and after they leave', () => {
  const tree = new PrefixTree<string>()
  for (const key of ['abcd', 'ab', 'abxy', '']) tree.set(key, key)
  assert.deepEqual(matches(tree, 'abcde'), ['', 'ab', 'abcd'])
  assert.deepEqual(matches(tree, 'ab'), ['', 'ab'])
  assert.deepEqual(matches(tree, 'abc'), ['', 'ab'])
  tree.delete('ab')
  assert.deepEqual(matches(tree, 'abxyz'), ['', 'abxy'])
  tree.delete('abcd')
  tree.delete('abc')
  assert.deepEqual(matches(tree, 'abxyz'), ['', 'abxy'])
  tree.set('abxy', 'over')
  assert.equal(tree.get('abxy'), 'over')
})
