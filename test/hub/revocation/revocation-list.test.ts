import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HubError } from '../../../src/errors.ts'
import { RevocationList } from '../../../src/hub/revocation/revocation-list.ts'
import type { Grant } from '../../../src/protocol/grant.ts'
import { subscribeGrant } from '../../support/node.ts'
import { createRandom } from '../../support/random.ts'

const grantOf = (fields: Partial<Grant>): Grant => ({ ...subscribeGrant('*'), ...fields })

/** A list, and its clock. */
function open(at = 1000) {
  const clock = { now: at }
  return { clock, list: new RevocationList(() => clock.now) }
}

test('a token is refused by what it says: its subject, its id, itself', () => {
  const { list } = open()
  const [ada, first, token] = [{ subject: 'ada' }, { tokenId: '1' }, { fingerprint: 'f' }].map(grantOf)
  list.add({ kind: 'subject', value: '1' }, null)
  list.add({ kind: 'token_id', value: 'ada' }, null)
  for (const grant of [ada!, first!, token!]) list.check(grant)
  list.add({ kind: 'subject', value: 'ada' }, null)
  list.add({ kind: 'token_id', value: '1' }, null)
  list.add({ kind: 'subscription', value: 'urn:uuid:1', token: 'f' }, null)
  for (const grant of [ada!, first!, token!]) assert.throws(() => list.check(grant), { code: 'token_revoked' })
  list.check(null)
  list.check(subscribeGrant('*'))
})

test('of a subject, tokens that were issued later are accepted', () => {
  const { list } = open(5000)
  list.add({ kind: 'subject', value: 'ada' }, null)
  assert.ok(list.isRevoked(grantOf({ subject: 'ada' })))
  assert.ok(list.isRevoked(grantOf({ subject: 'ada', issuedAt: 5000 })))
  assert.ok(!list.isRevoked(grantOf({ subject: 'ada', issuedAt: 5001 })))
  assert.ok(!list.isRevoked(grantOf({ subject: 'bob', issuedAt: 9000 })))
  list.add({ kind: 'token_id', value: '1' }, null)
  assert.ok(list.isRevoked(grantOf({ tokenId: '1', issuedAt: 5001 })))
})

test('of a subject, a token that says it will be issued later is refused until then: it may be an old one', () => {
  const { list, clock } = open(5000)
  list.add({ kind: 'subject', value: 'ada' }, null)
  const [ahead, inMilliseconds] = [{ issuedAt: 65_000 }, { issuedAt: 1_700_000_000_000_000 }]
  for (const fields of [ahead, inMilliseconds]) assert.ok(list.isRevoked(grantOf({ subject: 'ada', ...fields })))
  clock.now = 65_000
  assert.ok(!list.isRevoked(grantOf({ subject: 'ada', ...ahead })))
  assert.ok(list.isRevoked(grantOf({ subject: 'ada', ...inMilliseconds })))
})

test('it ends with its time, and is forgotten then', () => {
  const { list, clock } = open(1000)
  list.add({ kind: 'subject', value: 'ada' }, 2000)
  clock.now = 1999
  assert.ok(list.isRevoked(grantOf({ subject: 'ada' })))
  clock.now = 2000
  assert.ok(!list.isRevoked(grantOf({ subject: 'ada' })))
  assert.deepEqual(list.inForce, [])
  list.prune()
  assert.deepEqual([list.all, list.digest], [[], 0])
})

test('there are 10,000 at most, and one that is over makes room', () => {
  const { list, clock } = open(1000)
  for (let i = 0; i < 10_000; i++) list.add({ kind: 'subject', value: String(i) }, i === 0 ? 2000 : null)
  const add = () => list.add({ kind: 'subject', value: 'ada' }, null)
  assert.throws(add, (error: HubError) => error.code === 'revocations_too_many')
  list.add({ kind: 'subject', value: '1' }, null)
  clock.now = 2000
  add()
  assert.throws(() => list.add({ kind: 'subject', value: 'bob' }, null), { code: 'revocations_too_many' })
})

test('one that is taken back makes room, and is in force again only where there is room', () => {
  const { list } = open()
  const [first] = Array.from({ length: 10_000 }, (_, i) => list.add({ kind: 'subject', value: String(i) }, null))
  const add = (value: string) => list.add({ kind: 'subject', value }, null)
  assert.throws(() => add('ada'), { code: 'revocations_too_many' })
  list.takeBack(first!.id)
  add('ada')
  assert.throws(() => add('0'), { code: 'revocations_too_many' })
  assert.equal(list.inForce.length, 10_000)
})

test('of those that were taken back the newest 10,000 are remembered, the same ones in whatever order they were heard of', () => {
  const { list, clock } = open()
  const all = Array.from({ length: 10_003 }, (_, i) => {
    clock.now = 2000 + i
    return list.takeBack(list.add({ kind: 'subject', value: String(i) }, null).id)!
  })
  const [one, other] = [open(20_000).list, open(20_000).list]
  one.merge(all)
  for (let end = all.length; end > 0; end -= 5000) other.merge(all.slice(Math.max(0, end - 5000), end))
  assert.equal(one.all.length, 10_000)
  assert.equal(one.digest, other.digest)
  assert.equal(Math.min(...one.all.map(({ revokedAt }) => revokedAt)), 2003)
})

test('lists that have merged the same, in any order and however often, are the same', () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = createRandom(seed)
    const nodes = Array.from({ length: 3 }, () => open(1000 + random.below(3)))
    const said = []
    for (let i = 0; i < 30; i++) {
      const { list, clock } = random.pick(nodes)
      clock.now += random.below(2)
      const value = String(random.below(4))
      const [known] = list.inForce
      if (random.next() < 0.4 && known !== undefined) said.push(list.takeBack(known.id)!)
      else said.push(list.add({ kind: 'subject', value }, random.next() < 0.5 ? null : 10_000 + random.below(2)))
      if (random.next() < 0.5) random.pick(nodes).list.merge([random.pick(said)])
    }
    for (const { list } of nodes) list.merge([...said, random.pick(said)].sort(() => random.next() - 0.5))
    const [first, ...others] = nodes.map(({ list }) => ({
      digest: list.digest,
      all: list.all.sort((a, b) => a.id.localeCompare(b.id)),
    }))
    for (const other of others) assert.deepEqual(other, first, `seed ${seed}`)
  }
})

test('one that was taken back does not come back from a node that has not heard of it', () => {
  const { list } = open()
  const revocation = list.add({ kind: 'subject', value: 'ada' }, null)
  list.takeBack(revocation.id)
  assert.equal(list.merge([revocation]), false)
  assert.deepEqual(list.inForce, [])
  assert.equal(list.takeBack(revocation.id), undefined)
})
