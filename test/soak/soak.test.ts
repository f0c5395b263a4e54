import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { redis } from '../support/services/redis-backend.ts'
import { openSite } from './site.ts'
import { soak } from './soak.ts'

suite('a soak', { skip: redis.skipped }, () => {
  test('of three nodes on Redis, each trouble once: nothing is lost, repeated or reordered', async t => {
    const site = await openSite('redis')
    assert.ok(typeof site !== 'string')
    await using _ = site
    const outcome = await soak({
      site,
      clients: 30,
      publishers: 4,
      perSecond: 10,
      calmMs: 100,
      print: line => t.diagnostic(line),
      isOver: ({ rounds, revocations }) => rounds >= 1 && revocations >= 1,
    })
    t.diagnostic(outcome.summary)
    assert.deepEqual(outcome.faults, [])
    assert.deepEqual(outcome.counts, { lost: 0, repeated: 0, reordered: 0 })
    assert.equal(outcome.alarms, 0)
    assert.deepEqual(outcome.troubles, ['node restart', 'backend restart', 'node kill', 'backend pause'])
    // As many as each reader got for certain: one of each of its publishers at the end.
    assert.ok(outcome.published >= 4 && outcome.deliveries >= 30)
  })
})
