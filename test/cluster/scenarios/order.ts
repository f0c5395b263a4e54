import assert from 'node:assert/strict'
import type { BackendServer } from '../../support/backends.ts'
import { type ClusterHub, TestCluster, tokens } from '../../support/cluster.ts'
import { Follower } from '../../support/follower.ts'

const updates = 20_000
/** Publishers of each generation at each node: each publishes its next update when the one before is answered. */
const publishers = 8
const topic = 'https://example.com/orders'

/** Everybody publishes everywhere: every subscriber of every node gets each update once, and all get them in the same order. */
export async function oneOrder(server: BackendServer): Promise<void> {
  await using cluster = await TestCluster.start(server.url('order'))
  const [one, two, three] = cluster.hubs
  const open = (hub: ClusterHub, matcher: 'topic' | 'match', token?: string) =>
    Follower.open(hub, `${matcher}=${encodeURIComponent(topic)}`, token)
  const granted = [
    await open(one, 'topic', tokens.subscribe['0.x']),
    await open(two, 'match', tokens.subscribe['1.0']),
    await open(three, 'topic', tokens.subscribe['0.x']),
    await open(three, 'match', tokens.subscribe['1.0']),
  ]
  const anonymous = [await open(one, 'match'), await open(two, 'topic')]

  let next = 0
  /** The id of each update that was published, by its data. */
  const ids = new Map<string, string>()
  const runPublisher = async (name: string, hub: ClusterHub, generation: '0.x' | '1.0') => {
    for (let i = 0; next < updates; i++) {
      const number = next++
      const data = `${number % 3 === 0 ? 'private' : 'public'} ${name} ${i}`
      const { status, text } = await hub.publish(
        {
          topic,
          data,
          ...(number % 3 === 0 && { private: 'on' }),
          ...(number % 4 === 0 && { id: `update ${number}` }),
        },
        generation,
      )
      assert.equal(status, 200, text)
      ids.set(data, text)
    }
  }
  await Promise.all(
    cluster.hubs.flatMap((hub, node) =>
      Array.from({ length: publishers }, (_, i) => [
        runPublisher(`${node}-${i}-0.x`, hub, '0.x'),
        runPublisher(`${node}-${i}-1.0`, hub, '1.0'),
      ]).flat(),
    ),
  )
  assert.equal((await one.publish({ topic, data: 'end' })).status, 200)
  const late = await Follower.open(two, `topic=${topic}&last_event_id=earliest`, tokens.subscribe['0.x'])
  const all = [...granted, late]
  await Promise.all([...all, ...anonymous].map(follower => follower.receives('end')))

  const order = granted[0]!.data.slice(0, -1)
  assert.equal(order.length, updates)
  assert.deepEqual(new Set(order), new Set(ids.keys()), 'each update once')
  assert.deepEqual(
    granted[0]!.ids.slice(0, -1),
    order.map(data => ids.get(data)),
    'the ids are those that the publishers were told',
  )
  for (const follower of all) assert.ok(follower.data.join() === granted[0]!.data.join(), 'one order for all')
  const seen = order.filter(data => data.startsWith('public'))
  for (const follower of anonymous) assert.ok(follower.data.join() === [...seen, 'end'].join(), 'public ones for all')
  assertPublishersOrder(order)
}

/** What one publisher published one after the other is in that order. */
function assertPublishersOrder(order: readonly string[]): void {
  const latest = new Map<string, number>()
  for (const data of order) {
    const [, name = '', i] = data.split(' ')
    assert.equal(Number(i), (latest.get(name) ?? -1) + 1, `the order of ${name}`)
    latest.set(name, Number(i))
  }
}
