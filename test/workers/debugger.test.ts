import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkersHub } from '../support/workers.ts'

const debug = '/.well-known/mercure/debug'

test('the debugger shows all workers, whichever answers, though /metrics is off', async () => {
  await using hub = await WorkersHub.start('debugger: true\nsubscriptions: true')
  const streams = await hub.subscribeAtEach('topic=a')
  assert.ok(await hub.publish({ topic: 'a' }))
  for (const { stream } of streams) await stream.take()
  for (const text of await hub.readAtEach(`${debug}/metrics`)) assert.match(text, /^mercure_updates_total(\{.*\})? 1$/m)

  const documents = (await hub.readAtEach(`${debug}/hub.json`)).map(text => JSON.parse(text))
  const ids = new Set<string>()
  for (const { workers, node, nodes, connections } of documents) {
    assert.equal(workers, 2)
    assert.equal(nodes.length, 2)
    assert.deepEqual([nodes[0].id, nodes[0].self, nodes[1].self], [node, true, false])
    for (const { id } of nodes) ids.add(id)
    assert.ok(nodes.every((node: { subscriptions: number }) => node.subscriptions >= 2))
    assert.ok(connections >= 2)
  }
  assert.equal(ids.size, 2)

  for (const text of await hub.readAtEach(`${debug}/subscribers.json`)) {
    const { nodes, of, complete } = JSON.parse(text)
    assert.deepEqual(new Set(nodes), ids)
    assert.deepEqual(new Set(Object.values(of)), new Set([0, 1]))
    assert.equal(complete, true)
  }
})
