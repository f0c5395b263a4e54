import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeptRevocations } from '../../../src/hub/revocation/kept-revocations.ts'
import { RevocationList } from '../../../src/hub/revocation/revocation-list.ts'
import { RecordMemory } from '../../../src/workers/record-memory.ts'

/** A node that has read the records, at a time in milliseconds. */
async function start(records: RecordMemory, at = 1000) {
  const clock = { now: at }
  const list = new RevocationList(() => clock.now)
  const kept = new KeptRevocations(records, list)
  await kept.load()
  return { clock, list, kept }
}

test('what was saved is known to the next one, its end and that it was taken back included', async () => {
  const records = new RecordMemory()
  const first = await start(records)
  const ada = first.list.add({ kind: 'subject', value: 'ada' }, 5000)
  const bob = first.list.add({ kind: 'token_id', value: 'bob' }, null)
  for (const one of [ada, bob, first.list.takeBack(bob.id)!]) await first.kept.save(one)
  const second = await start(records)
  assert.deepEqual(second.list.inForce, [ada])
  assert.equal(second.list.digest, first.list.digest)
})

test('what is over is removed, when something is saved and when a node starts', async () => {
  const records = new RecordMemory()
  const { list, kept, clock } = await start(records)
  const ids = ['ada', 'bob', 'carol'].map((value, i) => list.add({ kind: 'subject', value }, 2000 + i * 1000).id)
  const keys = ids.map(id => `revocation:${id}`)
  for (const one of list.all) await kept.save(one)
  assert.deepEqual([...(await records.load()).keys()], keys)
  clock.now = 2000
  await kept.save(list.all.at(-1)!)
  assert.deepEqual([...(await records.load()).keys()], keys.slice(1))
  await start(records, 3000)
  assert.deepEqual([...(await records.load()).keys()], keys.slice(2))
})

test('what is no revocation is passed over and removed, what belongs to others stays', async () => {
  const records = new RecordMemory()
  for (const [key, text] of [
    ['revocation:a', '{'],
    ['revocation:b', 'null'],
    ['revocation:c', '{"id":"c","value":1}'],
    ['other', '{'],
  ] as const) {
    await records.save(key, text)
  }
  const { list } = await start(records)
  assert.deepEqual(list.all, [])
  assert.deepEqual([...(await records.load()).keys()], ['other'])
})
