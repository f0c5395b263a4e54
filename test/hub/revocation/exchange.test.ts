import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ClusterNetwork, type ClusterNode } from '../../support/cluster-network.ts'
import { createRandom } from '../../support/random.ts'

const known = ({ hub }: ClusterNode) => hub.revocations.list.inForce.map(({ value }) => value).sort()
/** Of the network's time: several beats, and the lists that are asked for then. */
const aWhileMs = 60_000

describe('nodes that lose and reorder messages', () => {
  for (let seed = 0; seed < 5; seed++) {
    test(`know the same of revocations after a while (${seed})`, async () => {
      const random = createRandom(seed)
      const network = new ClusterNetwork({ seed, loss: 0.3, delayMs: 1500 })
      for (let i = 0; i < 3; i++) await network.start()
      for (let i = 0; i < 40; i++) {
        const { list } = random.pick(network.nodes).hub.revocations
        const one = random.pick(list.inForce.length === 0 ? [undefined] : list.inForce)
        if (one !== undefined && random.next() < 0.3) list.takeBack(one.id)
        else list.add({ kind: 'subject', value: `s${random.below(20)}` }, null)
        await network.pass(random.below(2000))
      }
      await network.pass(aWhileMs)
      const [first, ...others] = network.nodes.map(known)
      assert.ok(first!.length > 0)
      for (const other of others) assert.deepEqual(other, first)
      assert.deepEqual(network.failures, [])
    })
  }
})

test('who comes later learns all of it, in parts, though those who were told first have gone', async () => {
  const network = new ClusterNetwork({ maxBytes: 1024 })
  const first = await network.start()
  for (let i = 0; i < 500; i++) first.hub.revocations.list.add({ kind: 'subject', value: `s${i}` }, null)
  const second = await network.start()
  await network.pass(aWhileMs)
  first.kill()
  const third = await network.start()
  await network.pass(aWhileMs)
  assert.deepEqual(known(second).length, 500)
  assert.deepEqual(known(third), known(second))
  assert.ok(network.longest <= 1024)
  assert.deepEqual(network.failures, [])
})

test('nodes that know the same send no lists', async () => {
  const network = new ClusterNetwork()
  const [first] = [await network.start(), await network.start(), await network.start()]
  first.hub.revocations.list.add({ kind: 'subject', value: 'ada' }, null)
  await network.pass(aWhileMs)
  const before = network.sent
  await network.pass(10_000)
  // Two beats of each a second: of subscriptions, and of revocations.
  assert.ok(network.sent - before <= 3 * 2 * 10, `${network.sent - before} messages`)
})

describe('who is cut off', () => {
  test('says of a revocation that nobody was told, and of whom it knew, however long ago', async () => {
    const network = new ClusterNetwork()
    const [first, ...others] = [await network.start(), await network.start(), await network.start()]
    await network.pass(aWhileMs)
    first.isCutOff = true
    await network.pass(aWhileMs)
    const outcome = await first.hub.revocations.revoke('subject', 'ada', null)
    assert.deepEqual([outcome?.isSpread, outcome?.nodes, outcome?.silentNodes], [false, 1, 2])
    first.isCutOff = false
    await network.pass(aWhileMs)
    for (const other of others) assert.deepEqual(known(other), ['ada'])
  })

  test('takes those for gone that stay silent when it is back', async () => {
    const network = new ClusterNetwork()
    const [first, second, third] = [await network.start(), await network.start(), await network.start()]
    await network.pass(aWhileMs)
    first.isCutOff = true
    third.kill()
    await network.pass(aWhileMs)
    first.isCutOff = false
    await network.pass(aWhileMs)
    const revoking = first.hub.revocations.revoke('subject', 'ada', null)
    await network.pass(1)
    const outcome = await revoking
    assert.deepEqual([outcome?.isSpread, outcome?.nodes, outcome?.silentNodes], [true, 2, 0])
    assert.deepEqual(known(second), ['ada'])
  })
})

test('a subscriber without a token is ended by its id: no node is left out of the count', async () => {
  const network = new ClusterNetwork()
  const [first, second] = [await network.start(), await network.start()]
  await network.pass(aWhileMs)
  const subscriber = await second.join('a')
  const here = second.hub.revocations.revoke('subscription', subscriber.id, null)
  assert.equal((await here)?.nodes, 2)
  const other = await second.join('b')
  const elsewhere = first.hub.revocations.revoke('subscription', other.id, null)
  await network.pass(1)
  assert.equal((await elsewhere)?.nodes, 2)
})
