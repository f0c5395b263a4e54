import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Answers } from '../../src/hub/answers.ts'
import { createRandom } from '../support/random.ts'

const createItems = (count: number) => Array.from({ length: count }, (_, serial) => ({ serial }))

test('an answer is what was set last, or forgotten, whatever else was set', () => {
  const { below } = createRandom(7)
  const items = createItems(4000)
  const answers = new Answers<{ serial: number }>()
  const model = new Map<string, { items: readonly { serial: number }[]; checkedTo: number }>()
  let remembered = 0
  for (let round = 0; round < 20_000; round++) {
    const topic = `topic ${below(3000)}`
    const known = answers.get(topic)
    if (known !== undefined) {
      remembered++
      assert.deepEqual(known, model.get(topic))
    }
    // Few lists that many share, and many that are alike but for one item.
    const from = below(20) * 100
    const list = items.slice(from, from + 1000)
    if (round % 3 === 0) list[below(1000)] = items[below(4000)]!
    const answer = { items: list, checkedTo: round }
    answers.set(topic, answer)
    model.set(topic, answer)
  }
  assert.ok(remembered > 1000, `${remembered} were remembered`)
})

test('topics with the same items share one list', () => {
  const items = createItems(1000)
  const answers = new Answers<{ serial: number }>()
  // As lists of their own, they would not all fit.
  const topics = Array.from({ length: 10_000 }, (_, i) => `topic ${i}`)
  for (const topic of topics) answers.set(topic, { items: [...items], checkedTo: 1 })
  for (const topic of topics) assert.equal(answers.get(topic)?.items, answers.get(topics[0]!)?.items)
  assert.deepEqual(answers.get('topic 0')?.items, items)
})

test('lists of the same hash are told apart', () => {
  const [a, b] = [
    [{ serial: 0 }, { serial: 31 }],
    [{ serial: 1 }, { serial: 0 }],
  ]
  const answers = new Answers<{ serial: number }>()
  answers.set('a', { items: a, checkedTo: 1 })
  answers.set('b', { items: b, checkedTo: 1 })
  assert.equal(answers.get('a')?.items, a)
  assert.equal(answers.get('b')?.items, b)
})
