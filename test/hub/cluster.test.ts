import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ClusterNetwork, type ClusterNode } from '../support/cluster-network.ts'
import { createRandom } from '../support/random.ts'

/** What all the living nodes' subscribers are subscribed to. */
const expected = (nodes: readonly ClusterNode[]): string[] =>
  nodes
    .filter(node => !node.isDead)
    .flatMap(node => node.joined)
    .sort()

function assertAgreed(nodes: readonly ClusterNode[], about: string): void {
  for (const node of nodes) if (!node.isDead) assert.deepEqual(node.listed, expected(nodes), about)
}

async function startNodes(network: ClusterNetwork, count: number): Promise<ClusterNode[]> {
  const nodes: ClusterNode[] = []
  for (let i = 0; i < count; i++) {
    nodes.push(await network.start())
    // Ids sort by time.
    await network.pass(5)
  }
  return nodes
}

suite('subscriptions of several nodes', () => {
  test('every node lists those of all, as they come and go', async () => {
    const network = new ClusterNetwork()
    const [one, two, three] = (await startNodes(network, 3)) as [ClusterNode, ClusterNode, ClusterNode]
    await one.join('a')
    await two.join('b')
    await network.pass(1)
    for (const node of network.nodes) assert.deepEqual(node.listed, ['a', 'b'])
    const found = three.hub.presence!.list().find(({ pattern }) => pattern === 'b')
    assert.deepEqual(three.hub.presence!.find(found!.subscriber, 'topic', 'b'), found)
    assert.equal(three.hub.presence!.find(found!.subscriber, 'topic', 'a'), undefined)
    one.part('a')
    await network.pass(1)
    for (const node of network.nodes) assert.deepEqual(node.listed, ['b'])
    assert.equal(network.announcements('a'), '+-')
    assert.deepEqual(network.failures, [])
  })

  test('a node that starts later asks for all lists', async () => {
    const network = new ClusterNetwork()
    const [one, two] = (await startNodes(network, 2)) as [ClusterNode, ClusterNode]
    await one.join('a')
    await two.join('b')
    await network.pass(5000)
    const three = await network.start()
    await network.pass(10)
    assert.deepEqual(three.listed, ['a', 'b'])
    assert.equal(network.announcements('a'), '+')
  })

  test('lists agree over a network that loses, delays and reorders', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = createRandom(seed)
      // What is cut to many fragments needs a network that loses few.
      const network = new ClusterNetwork(
        seed % 2 === 0 ? { seed, loss: 0.2, delayMs: 1500 } : { seed, loss: 0.002, delayMs: 1500, maxBytes: 1024 },
      )
      await startNodes(network, 2)
      const later = [10, 20].map(step => step + random.below(10))
      for (let step = 0; step < 40; step++) {
        if (later.includes(step)) await network.start()
        const node = random.pick(network.nodes)
        const leaver = random.pick(node.joined.length === 0 ? [''] : node.joined)
        if (random.next() < 0.6) await node.join(`topic-${step}-${'x'.repeat(random.below(100))}`)
        else node.part(leaver)
        await network.pass(random.below(800))
      }
      await network.pass(30_000)
      assertAgreed(network.nodes, `seed ${seed}`)
      // Nobody was taken for dead: each came once, and left once at most.
      for (const topic of new Set(network.nodes.flatMap(node => node.joined))) {
        assert.equal(network.announcements(topic), '+', `seed ${seed}`)
      }
      assert.ok(network.longest <= network.options.maxBytes)
      assert.deepEqual(network.failures, [])
    }
  })

  test('a node that vanishes is gone after the lease, and one of the others says so, once', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const network = new ClusterNetwork({ seed, loss: 0.1, delayMs: 500 })
      const nodes = await startNodes(network, 4)
      for (const [i, node] of nodes.entries()) await node.join(`topic-${i}`)
      await network.pass(10_000)
      const victim = seed % 4
      nodes[victim]!.kill()
      await network.pass(5000)
      for (const node of nodes) if (!node.isDead) assert.equal(node.listed.length, 4, `seed ${seed}`)
      await network.pass(60_000)
      assertAgreed(nodes, `seed ${seed}`)
      for (const i of nodes.keys()) {
        assert.equal(network.announcements(`topic-${i}`), i === victim ? '+-' : '+', `seed ${seed}`)
      }
    }
  })

  test('a backend that tells deaths spares the lease', async () => {
    const network = new ClusterNetwork({ knowsDeaths: true })
    const nodes = await startNodes(network, 3)
    for (const [i, node] of nodes.entries()) await node.join(`topic-${i}`)
    await network.pass(1)
    nodes[0]!.kill()
    await network.pass(1)
    assertAgreed(nodes, 'after a death')
    assert.equal(network.announcements('topic-0'), '+-')
    await network.pass(60_000)
    assert.equal(network.announcements('topic-0'), '+-')
  })

  test('the node that was to bury another dies as well: the next one does', async () => {
    for (const knowsDeaths of [true, false]) {
      const network = new ClusterNetwork({ knowsDeaths })
      const nodes = await startNodes(network, 4)
      for (const [i, node] of nodes.entries()) await node.join(`topic-${i}`)
      await network.pass(1000)
      // The lowest id first: the others count on it until they know.
      nodes[0]!.isDead = true
      nodes[3]!.kill()
      await network.pass(60_000)
      assertAgreed(nodes, 'after two deaths')
      for (const i of [0, 3]) assert.equal(network.announcements(`topic-${i}`), '+-')
      for (const i of [1, 2]) assert.equal(network.announcements(`topic-${i}`), '+')
    }
  })

  test('an announcement of very many ends that takes longer than the lease is left to the one that has begun it', async () => {
    for (const knowsDeaths of [true, false]) {
      const network = new ClusterNetwork({ knowsDeaths, publishMs: 5000 })
      const nodes = await startNodes(network, 3)
      const topics = Array.from({ length: 500 }, (_, i) => `topic-${i}`)
      for (const topic of topics) await nodes[2]!.join(topic)
      await network.pass(10_000)
      nodes[2]!.kill()
      await network.pass(90_000)
      assertAgreed(nodes, 'after a death')
      for (const topic of topics) assert.equal(network.announcements(topic), '+-')
    }
  })

  test('a node that leaves announces the end of its own subscriptions, and no other does', async () => {
    const network = new ClusterNetwork({ knowsDeaths: true })
    const nodes = await startNodes(network, 3)
    for (const [i, node] of nodes.entries()) await node.join(`topic-${i}`)
    await network.pass(1)
    await nodes[0]!.hub.close()
    await network.pass(1)
    for (const node of nodes.slice(1)) assert.deepEqual(node.listed, ['topic-1', 'topic-2'])
    await network.pass(60_000)
    assert.equal(network.announcements('topic-0'), '+-')
  })

  test('one that has left is not counted on: the next one buries who dies, at once', async () => {
    const network = new ClusterNetwork({ knowsDeaths: true })
    const nodes = await startNodes(network, 3)
    for (const [i, node] of nodes.entries()) await node.join(`topic-${i}`)
    await network.pass(1)
    await nodes[0]!.hub.close()
    await network.pass(1)
    nodes[2]!.kill()
    await network.pass(1)
    assert.equal(network.announcements('topic-2'), '+-')
  })

  test('a node that returns after it was taken for dead is listed and announced again', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const network = new ClusterNetwork({ seed, loss: 0.1, delayMs: 300 })
      const nodes = await startNodes(network, 3)
      for (const [i, node] of nodes.entries()) await node.join(`topic-${i}`)
      await network.pass(10_000)
      const lost = nodes[seed % 3]!
      lost.isCutOff = true
      await network.pass(20_000 + seed * 30_000)
      for (const node of nodes) if (node !== lost) assert.ok(!node.listed.includes(`topic-${seed % 3}`))
      // It does not take the others for dead: it knows that it hears nobody, not even itself.
      assert.equal(lost.listed.length, 3)
      lost.isCutOff = false
      await network.pass(40_000)
      assertAgreed(nodes, `seed ${seed}`)
      for (const i of nodes.keys()) {
        assert.equal(network.announcements(`topic-${i}`), i === seed % 3 ? '+-+' : '+', `seed ${seed}`)
      }
    }
  })

  test('a long list is sent in parts, and other messages go between them', async () => {
    const network = new ClusterNetwork({ maxBytes: 6000 })
    const one = await network.start()
    for (let i = 0; i < 5000; i++) await one.join(`https://example.com/${i}`)
    await network.pass(1)
    const two = await network.start()
    await network.pass(1, 2)
    const before = network.sent
    const sentPerTurn: number[] = []
    do {
      const sent = network.sent
      await nextTurn()
      sentPerTurn.push(network.sent - sent)
    } while (sentPerTurn.slice(-4).some(sent => sent > 0) || sentPerTurn.length < 4)
    assert.ok(network.sent - before > 150, `${network.sent - before} messages`)
    assert.ok(Math.max(...sentPerTurn) < 30, `${Math.max(...sentPerTurn)} messages in one turn`)
    await two.join('b')
    await network.pass(5000)
    assert.equal(two.listed.length, 5001)
    assert.equal(one.listed.length, 5001)
    assert.equal(network.longest, 6000)
  })

  test('what is no message of this version is passed over', async () => {
    const network = new ClusterNetwork()
    const [one] = (await startNodes(network, 2)) as [ClusterNode, ClusterNode]
    await one.join('a')
    for (const bytes of [[], [9, 9], [3, ...Buffer.alloc(100)]]) one.receive(Uint8Array.from(bytes))
    assert.deepEqual(network.failures, [])
    one.receive(Uint8Array.from([1, ...Buffer.alloc(43, 0x30), 1, ...Buffer.from('no JSON')]))
    await network.pass(5000)
    assertAgreed(network.nodes, 'after junk')
  })
})
