import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ledger } from './ledger.ts'
import { LogOrder } from './log-order.ts'
import { Publications } from './publications.ts'
import type { Serial } from './selection.ts'
import { reachVerdict } from './verdict.ts'

const everything = { publishers: undefined, isAuthorized: true }

/** Updates 0 to `count` of one publisher, one each second, as a log has them. */
function publish(count: number): { publications: Publications; order: LogOrder; updates: Serial[] } {
  const [publications, order] = [new Publications(), new LogOrder()]
  const updates: Serial[] = []
  for (let i = 0; i < count; i++) {
    const update = { publisher: 0, number: publications.begin(0, i * 1000) }
    publications.settle(update, 'stored')
    order.append(update)
    updates.push(update)
  }
  return { publications, order, updates }
}

function ledgerOf(updates: readonly Serial[]): Ledger {
  const ledger = new Ledger('reader-7', everything)
  ledger.visits.push({ atMs: 100, node: 1, index: 0 }, { atMs: 5100, node: 3, index: 5 })
  for (const update of updates) ledger.enter(update)
  return ledger
}

const incidents = [
  { name: 'node kill', atMs: 4500 },
  { name: 'backend restart', atMs: 9000 },
]
const none = { lost: 0, repeated: 0, reordered: 0 }

test('nothing is wrong with readers who got everything, in this life and in those before', () => {
  const { publications, order, updates } = publish(10)
  const readers = [{ ledger: ledgerOf(updates.slice(5)), closed: [ledgerOf(updates.slice(2, 4))] }]
  assert.deepEqual(reachVerdict(readers, order, publications, incidents), { counts: none, faults: [] })
})

test('a planted loss, repeat and reorder are counted, and told with whom and when', () => {
  const { publications, order, updates } = publish(10)
  const plant = (change: (updates: Serial[]) => void) => {
    const changed = [...updates]
    change(changed)
    return reachVerdict([{ ledger: ledgerOf(changed), closed: [] }], order, publications, incidents)
  }
  assert.deepEqual(
    plant(updates => updates.splice(6, 1)),
    {
      counts: { ...none, lost: 1 },
      faults: [
        'lost: 0:6, published at 6.0 s; after node kill at 4.5 s; reader-7, after 6 updates; on its stream of 5.1 s from node 3',
      ],
    },
  )
  assert.deepEqual(
    plant(updates => updates.splice(3, 0, updates[2]!)),
    {
      counts: { ...none, repeated: 1 },
      faults: ['repeated: 0:2, published at 2.0 s; reader-7, after 3 updates; on its stream of 0.1 s from node 1'],
    },
  )
  const { counts } = plant(updates => updates.splice(3, 2, updates[4]!, updates[3]!))
  assert.deepEqual(counts, { ...none, reordered: 1 })
})

test('who is there at the end misses what comes no more; who has left does not', () => {
  const { publications, order, updates } = publish(10)
  const early = ledgerOf(updates.slice(0, 8))
  const outcome = reachVerdict([{ ledger: ledgerOf(updates), closed: [early] }], order, publications, incidents)
  assert.deepEqual(outcome.counts, none)
  assert.equal(reachVerdict([{ ledger: early, closed: [] }], order, publications, incidents).counts.lost, 2)
})

test('what the log has lost is found, though nobody has received it', () => {
  const { publications, updates } = publish(4)
  const order = new LogOrder()
  for (const update of updates.slice(0, 3)) order.append(update)
  const { counts, faults } = reachVerdict([], order, publications, incidents)
  assert.deepEqual([counts.lost, faults], [1, ['lost: 0:3, published at 3.0 s; in the log itself']])
})
