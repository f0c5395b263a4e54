import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom } from '../support/random.ts'
import { Ledger } from './ledger.ts'
import { matches, type Serial } from './selection.ts'

const everything = { publishers: undefined, isAuthorized: true }
const publicOnly = { publishers: undefined, isAuthorized: false }

test('a ledger tells what was entered, in that order, whatever the order', () => {
  const random = createRandom(9)
  for (const selection of [everything, publicOnly]) {
    const ledger = new Ledger('reader', selection)
    const next = [0, 100_000, 7, 0]
    const entered: Serial[] = []
    for (let i = 0; i < 5000; i++) {
      const publisher = random.below(next.length)
      const isInTurn = random.next() < 0.9
      const update = { publisher, number: isInTurn ? next[publisher]! : random.below(200_000) }
      if (isInTurn) next[publisher]!++
      entered.push(update)
      ledger.enter(update)
    }
    assert.deepEqual([...ledger], entered)
    assert.equal(ledger.received, entered.length)
  }
})

test('updates that come in turn are in turn, private ones left out where they do not match', () => {
  for (const selection of [everything, publicOnly]) {
    const ledger = new Ledger('reader', selection)
    for (let number = 5; number < 50; number++) {
      for (const publisher of [0, 1]) {
        const update = { publisher, number }
        if (matches(selection, update)) assert.equal(ledger.enter(update), true)
      }
    }
    assert.equal(ledger.outOfTurn, 0)
    assert.equal(ledger.hasReached({ publisher: 1, number: 49 }), true)
    assert.equal(ledger.hasReached({ publisher: 1, number: 60 }), false)
    assert.equal(ledger.enter({ publisher: 0, number: 49 }), false)
    assert.equal(ledger.enter({ publisher: 1, number: 53 }), false)
    assert.equal(ledger.outOfTurn, 2)
  }
})
