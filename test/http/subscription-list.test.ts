import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countSubscriptions, pageSubscriptions, selectSubscriptions } from '../../src/http/subscription-list.ts'
import type { Subscription } from '../../src/protocol/subscription.ts'
import { createRandom } from '../support/random.ts'

const subscription = (id: string): Subscription => ({
  generation: '1.0',
  id,
  subscriber: 's',
  kind: 'exact',
  pattern: id,
  active: true,
  payload: undefined,
})
const many = Array.from({ length: 12_345 }, (_, i) => subscription(`id-${i}`))
const everything = () => true

/** How many turns of the event loop pass, until `stop` is called. */
function countTurns(): { readonly turns: () => number; readonly stop: () => void } {
  let turns = 0
  let immediate = setImmediate(function count() {
    turns++
    immediate = setImmediate(count)
  })
  return { turns: () => turns, stop: () => clearImmediate(immediate) }
}

test('what is selected comes in small batches, each in a turn of its own', async () => {
  const { turns, stop } = countTurns()
  const found: Subscription[] = []
  let batches = 0
  for await (const batch of selectSubscriptions(many, ({ id }) => id !== 'id-7')) {
    assert.ok(batch.length <= 200)
    assert.ok(turns() >= batches)
    batches++
    found.push(...batch)
  }
  stop()
  assert.deepEqual(found, [...many.slice(0, 7), ...many.slice(8)])
  assert.equal(batches, Math.floor(12_344 / 200) + 1)
})

test('a turn does not look at all of them where few are wanted', async () => {
  const looks: number[] = []
  let looked = 0
  const isWanted = ({ id }: Subscription) => {
    looked++
    return id === 'id-12000'
  }
  const found: Subscription[] = []
  for await (const batch of selectSubscriptions(many, isWanted)) {
    looks.push(looked)
    looked = 0
    found.push(...batch)
  }
  assert.deepEqual(looks, [5000, 5000, 2345])
  assert.deepEqual(found, [many[12_000]])
})

test('a short list takes no turn', async () => {
  const { turns, stop } = countTurns()
  assert.equal((await Array.fromAsync(selectSubscriptions(many.slice(0, 199), everything)))[0]?.length, 199)
  assert.equal(await countSubscriptions(many.slice(0, 199), everything), 199)
  assert.equal(turns(), 0)
  stop()
})

test('they are counted', async () => {
  assert.equal(await countSubscriptions([], everything), 0)
  assert.equal(await countSubscriptions(many, everything), 12_345)
  assert.equal(await countSubscriptions(many, ({ id }) => id.endsWith('5')), 1234)
})

test('pages are what sorting gives, whatever the order that they are in', async () => {
  for (let seed = 0; seed < 5; seed++) {
    const random = createRandom(seed)
    const all = many
      .map(one => ({ one, place: random.next() }))
      .sort((a, b) => a.place - b.place)
      .map(({ one }) => one)
    const wanted = ({ id }: Subscription) => !id.endsWith('3')
    const expected = all.map(({ id }) => id).filter(id => wanted(subscription(id)))
    expected.sort()
    const limit = 1 + random.below(1000)
    const after = expected[random.below(expected.length)]!
    const rest = expected.slice(expected.indexOf(after) + 1)
    const { subscriptions, hasNext } = await pageSubscriptions(all, wanted, { after, limit })
    assert.deepEqual(
      subscriptions.map(({ id }) => id),
      rest.slice(0, limit),
      `seed ${seed}`,
    )
    assert.equal(hasNext, rest.length > limit)
  }
})

test('a page that is just full is the last', async () => {
  const all = many.slice(0, 10)
  assert.equal((await pageSubscriptions(all, everything, { after: '', limit: 10 })).hasNext, false)
  assert.equal((await pageSubscriptions(all, everything, { after: '', limit: 9 })).hasNext, true)
})
