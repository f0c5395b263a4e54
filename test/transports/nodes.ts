import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BackendServer } from '../support/backends.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { TestLog } from '../support/log.ts'
import { promisesExcept, type Skip } from '../support/promises.ts'
import { createRandom } from '../support/random.ts'
import { bearer, documentOf, readSubscriptions, subscriptionsPath } from '../support/subscriptions.ts'
import { subscriberToken } from '../support/token.ts'

const topic = 'https://example.com/books/1'

/** For a log whose keys each hub remembers by itself. */
export const remembersNoKeys: Skip = {
  reason: 'each hub remembers the keys of its own publishers',
  tests: ['two hubs get the same request with a key at the same time: one stores it, and both say which'],
}

let logs = 0

/** What several nodes on one server promise. */
export function testNodes(server: BackendServer, { skip = [] }: { skip?: readonly Skip[] } = {}): void {
  const promise = promisesExcept(skip)
  const newLog = (): URL => server.url(`nodes-${process.pid}-${logs++}`)

  promise('each delivers every update once, in one order, that of its publishers included', async () => {
    const url = newLog()
    await using a = await TestLog.start(url)
    await using b = await TestLog.start(url)
    await using c = await TestLog.start(url)
    const nodes = [a, b, c]
    const random = createRandom(7)
    const published: Promise<void>[] = []
    for (let i = 0; i < 6000; i++) {
      published.push(nodes[i % 3]!.publish({ id: `${i % 3}-${i}`, data: 'x'.repeat(random.below(500)) }))
      if (random.below(50) === 0) await published.at(-1)
    }
    await Promise.all(published)
    for (const node of nodes) await node.until(() => node.delivered.length === 6000)
    assert.deepEqual(b.ids, a.ids)
    assert.deepEqual(c.ids, a.ids)
    assert.equal(new Set(a.ids).size, 6000)
    for (const node of ['0', '1', '2']) {
      const numbers = a.ids.filter(id => id.startsWith(`${node}-`)).map(id => Number(id.slice(2)))
      assert.deepEqual(
        numbers,
        numbers.toSorted((x, y) => x - y),
      )
    }
    assert.deepEqual(await c.all(), a.ids)
  })

  promise('a message reaches every node, its sender too', async () => {
    const url = newLog()
    await using a = await TestLog.start(url)
    await using b = await TestLog.start(url)
    const all = Array.from({ length: 200 }, (_, i) => `message ${i}`)
    await Promise.all(all.map(message => a.send(message)))
    for (const node of [a, b]) await node.until(() => node.messages.length === all.length)
    assert.deepEqual([a.messages, b.messages], [all, all])
  })

  promise('a message comes before the updates that were published after it', async () => {
    const url = newLog()
    await using a = await TestLog.start(url)
    await using b = await TestLog.start(url)
    for (let i = 0; i < 200; i++) {
      a.send(`message ${i}`).catch(assert.fail)
      const stored = a.publish({ id: `update ${i}` })
      if (i % 3 === 0) await stored
      if (i % 10 > 0) continue
      await b.delivers(`update ${i}`)
      assert.ok(b.messages.includes(`message ${i}`))
    }
    await b.delivers('update 199')
    const all = Array.from({ length: 200 }, (_, i) => `message ${i}`)
    assert.deepEqual(b.messages, all)
    const many = Array.from({ length: 5000 }, (_, i) => `one of very many: ${i}`)
    for (const message of many) a.send(message).catch(assert.fail)
    await a.publish({ id: 'after them' })
    await b.delivers('after them')
    assert.deepEqual(b.messages, [...all, ...many])
  })

  promise('messages of before are not for a node that starts', async () => {
    const url = newLog()
    await using a = await TestLog.start(url)
    await a.send('old')
    await a.until(() => a.messages.length > 0)
    await using b = await TestLog.start(url)
    await a.send('new')
    await b.until(() => b.messages.length > 0)
    assert.deepEqual(b.messages, ['new'])
  })

  promise('a message is bytes, of any size that the transport names', async () => {
    const url = newLog()
    await using a = await TestLog.start(url)
    await using b = await TestLog.start(url)
    const heard = [a, b].map(({ transport }) => {
      const { promise, resolve } = Promise.withResolvers<Uint8Array>()
      transport.broadcast!.receive(resolve)
      return promise
    })
    const message = Buffer.alloc(a.transport.broadcast!.maxBytes ?? 1 << 20, Buffer.from([0, 255, 13, 10, 128]))
    await a.transport.broadcast!.send(message)
    for (const bytes of await Promise.all(heard)) assert.ok(message.equals(bytes))
  })

  promise('two hubs are one: what is published at one comes at the other, and its past', async () => {
    const settings = { transport_url: newLog().href }
    await using a = await startHub(settings)
    await using b = await startHub(settings)
    await Promise.all([a.running.attached, b.running.attached])
    const ids = [await a.publish({ topic, data: 'one' }), await b.publish({ topic, data: 'two' })]
    const streams = [
      await a.subscribe('topic=*&last_event_id=earliest'),
      await b.subscribe(`topic=*&last_event_id=${ids[0]}`),
    ]
    ids.push(await a.publish({ topic, data: 'three' }), await b.publish({ topic, data: 'four' }))
    const [atA, atB] = [await streams[0]!.take(4), await streams[1]!.take(3)]
    assert.deepEqual(
      atA.map(({ id }) => id),
      ids,
    )
    assert.deepEqual(
      atB.map(({ id }) => id),
      ids.slice(1),
    )
  })

  promise('two hubs get the same request with a key at the same time: one stores it, and both say which', async () => {
    const settings = { transport_url: newLog().href }
    await using a = await startHub(settings)
    await using b = await startHub(settings)
    await Promise.all([a.running.attached, b.running.attached])
    const stream = await a.subscribe('topic=*')
    const rounds = Array.from({ length: 100 }, (_, round) => `round ${round}`)
    const stored: string[] = []
    for (const data of rounds) {
      const headers = { 'Idempotency-Key': `"${data.replace(' ', '-')}"` }
      const answers = await Promise.all(
        [a, b, a, b].map(hub => hub.post(new URLSearchParams({ topic, data }), { headers })),
      )
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
      const ids = new Set(await Promise.all(answers.map(answer => answer.text())))
      assert.equal(ids.size, 1, data)
      assert.equal(answers.filter(answer => answer.headers.get('Idempotency-Replayed') === 'true').length, 3)
      stored.push(...ids)
    }
    stored.push(await b.publish({ topic, data: 'last' }))
    assert.deepEqual(
      (await stream.take(stored.length)).map(({ id, data }) => [id, data]),
      [...rounds, 'last'].map((data, i) => [stored[i], data]),
    )
  })

  promise('two hubs list the subscriptions of both, from the moment in which they are announced', async () => {
    const settings = { transport_url: newLog().href, subscriptions: true }
    await using a = await startHub(settings)
    await using b = await startHub(settings)
    await Promise.all([a.running.attached, b.running.attached])
    const token = await subscriberToken(['*'])
    const events = encodeURIComponent(`${subscriptionsPath}/{topic}{/subscriber}`)
    const watchers = await Promise.all([a, b].map(hub => hub.subscribe(`topic=${events}`, { headers: bearer(token) })))
    const list = async (hub: TestHub): Promise<string[]> => {
      const { document } = await readSubscriptions(hub, subscriptionsPath, token)
      return document.subscriptions.map((subscription: { topic: string }) => subscription.topic)
    }
    const announced = (name: string, active: boolean) =>
      Promise.all(
        watchers.map(watcher =>
          watcher.until(() =>
            watcher.events.map(documentOf).some(event => event.topic === name && event.active === active),
          ),
        ),
      )
    const atA = await a.subscribe('topic=one')
    await announced('one', true)
    const atB = await b.subscribe('topic=two')
    await announced('two', true)
    // A node that has just started is told the others' lists in a moment.
    for (const hub of [a, b]) {
      const listsBoth = (topics: string[]) => topics.includes('one') && topics.includes('two')
      while (!listsBoth(await list(hub))) await nextTurn()
    }
    atA.close()
    await announced('one', false)
    for (const hub of [a, b]) assert.ok(!(await list(hub)).includes('one'))
    atB.close()
    await announced('two', false)
    for (const hub of [a, b]) assert.ok(!(await list(hub)).includes('two'))
  })
}
