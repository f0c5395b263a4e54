import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Rate } from '../../src/limits/rate.ts'

/** How many can be taken, one after the other, at a time. */
function takeAll(rate: Rate, key: string, now: number): number {
  let taken = 0
  while (rate.waitMs(key, now) === 0) {
    rate.take(key, 1, now)
    taken++
  }
  return taken
}

suite('a rate', () => {
  test("a second's worth may come at once, and the rest as it comes", () => {
    for (const perSecond of [1, 2, 3, 7, 10, 30, 999, 1000]) {
      const rate = new Rate(perSecond)
      // Of a clock that began long ago, with fractions.
      const start = 1e9 + 0.123
      assert.equal(takeAll(rate, 'a', start), perSecond)
      const wait = rate.waitMs('a', start)
      assert.ok(Math.abs(wait - 1000 / perSecond) < 1e-3, `${perSecond}: ${wait}`)
      assert.equal(takeAll(rate, 'a', start + wait), 1)
      assert.equal(takeAll(rate, 'a', start + 10_000), perSecond)
    }
  })

  test('over a long time no more than the rate passes, however it is asked', () => {
    const rate = new Rate(10)
    let taken = 0
    for (let now = 0; now < 60_000; now += 7) taken += takeAll(rate, 'a', now)
    assert.ok(taken >= 600 && taken <= 610, `${taken}`)
  })

  test('nobody takes from anybody else', () => {
    const rate = new Rate(5)
    assert.equal(takeAll(rate, 'a', 0), 5)
    assert.equal(takeAll(rate, 'b', 0), 5)
    assert.ok(rate.waitMs('a', 0) > 0)
  })

  test('more than there is may be taken once, and is owed', () => {
    const rate = new Rate(10)
    rate.take('a', 50, 0)
    assert.equal(rate.waitMs('a', 0), 4100)
    assert.equal(rate.waitMs('a', 4100), 0)
  })

  test('0 is any rate', () => {
    const rate = new Rate(0)
    rate.take('a', 1_000_000, 0)
    assert.equal(rate.waitMs('a', 0), 0)
    assert.equal(rate.size(0), 0)
  })

  test('remembers those only that have taken within the last second, and not too many of them', () => {
    const rate = new Rate(2)
    for (let i = 0; i < 1000; i++) rate.take(`early ${i}`, 1, i / 1000)
    assert.equal(rate.size(100), 1000)
    rate.take('late', 1, 600)
    assert.equal(rate.size(600), 1)
    assert.equal(rate.size(1101), 0)
    for (let i = 0; i < 100_100; i++) rate.take(`${i}`, 1, 2000)
    assert.equal(rate.size(2000), 100_000)
    assert.equal(rate.waitMs('100099', 2000), 0)
  })
})
