import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ledger } from '../../../src/cli/bench/ledger.ts'
import { createRandom } from '../../support/random.ts'

test('counts what is lost, doubled and out of order as keeping all of it would', () => {
  const random = createRandom(4)
  for (let round = 0; round < 200; round++) {
    const counts = { publishers: 1 + random.below(3), topics: 1 + random.below(3), streams: random.below(6) }
    const ledger = new Ledger(counts)
    const streams = Array.from({ length: counts.streams }, (_, index) => ({
      index,
      topic: index % counts.topics,
      isOpen: random.next() < 0.8,
    }))
    const published: { publisher: number; topic: number; number: number; isStored: boolean }[] = []
    for (let n = 0; n < 60; n++) {
      const publisher = random.below(counts.publishers)
      const topic = random.below(counts.topics)
      const number = ledger.issue(publisher, topic)
      const isStored = random.next() < 0.9
      if (!isStored) ledger.notStored(publisher, topic, number)
      published.push({ publisher, topic, number, isStored })
    }
    const expected = { lost: 0, received: 0, duplicated: 0, outOfOrder: 0 }
    for (const { index, topic, isOpen } of streams) {
      const mine = published.filter(update => update.topic === topic)
      const arriving = mine.filter(update => random.next() < (update.isStored ? 0.9 : 0.5))
      for (let swaps = random.below(4); swaps > 0 && arriving.length > 0; swaps--) {
        const [moved] = arriving.splice(random.below(arriving.length), 1)
        arriving.splice(random.below(arriving.length + 1), 0, moved!)
      }
      for (let doubles = random.below(3); doubles > 0 && arriving.length > 0; doubles--) {
        const at = random.below(arriving.length)
        arriving.splice(at + random.below(arriving.length - at) + 1, 0, arriving[at]!)
      }
      const seen = new Set<object>()
      const highest = new Map<number, number>()
      for (const update of arriving) {
        const { publisher, number } = update
        assert.equal(ledger.receive(index, publisher, number), !seen.has(update))
        if (seen.has(update)) expected.duplicated++
        else {
          expected.received++
          if (number < (highest.get(publisher) ?? -1)) expected.outOfOrder++
        }
        seen.add(update)
        highest.set(publisher, Math.max(number, highest.get(publisher) ?? -1))
      }
      expected.lost += mine.filter(update => {
        const isExpected = isOpen || update.number < (highest.get(update.publisher) ?? -1)
        return update.isStored && isExpected && !seen.has(update)
      }).length
    }
    const { received, duplicated, outOfOrder } = ledger
    assert.deepEqual({ lost: ledger.countLost(streams), received, duplicated, outOfOrder }, expected)
  }
})

test('a publisher that is none of ours is not counted', () => {
  const ledger = new Ledger({ publishers: 1, topics: 1, streams: 1 })
  assert.equal(ledger.receive(0, 1, 0), false)
  assert.equal(ledger.received, 0)
})
