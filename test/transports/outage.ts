import assert from 'node:assert/strict'
import type { BackendServer } from '../support/backends.ts'
import { startHub } from '../support/hub.ts'
import { TestLog, type TestLogOptions } from '../support/log.ts'
import { createTestKey, createTestUpdate } from '../support/node.ts'
import { promisesExcept, type Skip } from '../support/promises.ts'
import { createRandom } from '../support/random.ts'

const topic = 'https://example.com/books/1'
const unavailable = { code: 'transport_unavailable' }
const notStored = { ...unavailable, message: /^The update was not stored/ }
const perhapsStored = { ...unavailable, message: /^It is not known whether the update was stored/ }

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

/** For a log whose keys each hub remembers by itself: what it does not know to be stored, it does not remember. */
export const remembersNoKeys: Skip = {
  reason: 'the log itself remembers no keys',
  tests: [
    'what a publisher with a key does not know to be stored it repeats, here or elsewhere, and it is stored once',
  ],
}

let logs = 0

/** What is promised while connections break and the server stops; what it stores survives that. */
export function testOutages(server: BackendServer, { skip = [] }: { skip?: readonly Skip[] } = {}): void {
  const promise = promisesExcept(skip)
  const { relay } = server
  const newName = (): string => `outage-${process.pid}-${logs++}`

  /** A log that is reached through the relay, and the same without. */
  async function startBoth(options: TestLogOptions = {}) {
    relay.refuses = false
    relay.releaseAnswers()
    const stack = new AsyncDisposableStack()
    const name = newName()
    const near = stack.use(await TestLog.start(server.url(name)))
    const far = stack.use(await TestLog.start(server.url(name, { relayed: true }), options))
    return { near, far, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  }

  async function lose(far: TestLog): Promise<void> {
    relay.refuses = true
    relay.cut()
    await far.logs(/cannot be used/)
  }

  promise('the tail goes on after the last entry, however often it is cut: nothing missed, nothing twice', async () => {
    await using parts = await startBoth()
    const { near, far } = parts
    const before = relay.connections
    for (let i = 0; i < 500; i++) {
      await near.publish({ id: `id-${i}` })
      if (i % 50 === 25) relay.cut()
      // It is cut while it reads, while it connects again, and while it is connected.
      if (i % 100 === 75) await far.delivers(`id-${i}`)
    }
    await far.delivers('id-499')
    assert.deepEqual(far.ids, range(0, 500))
    assert.ok(relay.connections > before + 4)
  })

  promise('a publisher that is cut off has its updates stored once, or is told', async () => {
    await using parts = await startBoth({ publishTimeoutMs: 60_000 })
    const { near, far } = parts
    const random = createRandom(1)
    const stored: string[] = []
    const unknown: string[] = []
    for (let i = 0; i < 300; i++) {
      if (i % 20 === 7) relay.cut()
      if (random.next() < 0.5) {
        await near.publish({ id: `near-${i}` })
        stored.push(`near-${i}`)
        continue
      }
      const result = await far.publish({ id: `far-${i}` }).then(
        () => stored,
        () => unknown,
      )
      result.push(`far-${i}`)
    }
    await near.publish({ id: 'last' })
    await Promise.all([near.delivers('last'), far.delivers('last')])
    assert.deepEqual(far.ids, near.ids)
    assert.deepEqual(
      near.ids.filter(id => !unknown.includes(id)),
      [...stored, 'last'],
    )
    assert.equal(new Set(near.ids).size, near.ids.length)
  })

  promise('what is published while there is no connection is stored when there is one; messages are lost', async () => {
    await using parts = await startBoth({ publishTimeoutMs: 60_000 })
    const { near, far } = parts
    await lose(far)
    const published = range(0, 50).map(id => far.publish({ id }))
    await assert.rejects(far.transport.ready!(), unavailable)
    await assert.rejects(far.send('to nobody'), unavailable)
    await near.publish({ id: 'meanwhile' })
    relay.refuses = false
    await Promise.all(published)
    await Promise.all([far.delivers('id-49'), near.delivers('id-49')])
    assert.deepEqual(near.ids, ['meanwhile', ...range(0, 50)])
    assert.deepEqual(far.ids, near.ids)
    await far.logs(/can be used again/)
    await far.transport.ready!()
    assert.deepEqual(near.messages, [])
  })

  promise('what cannot be sent is refused in time, and not stored later', async () => {
    await using parts = await startBoth({ publishTimeoutMs: 200 })
    const { near, far } = parts
    await lose(far)
    await assert.rejects(far.publish({ id: 'refused' }), notStored)
    relay.refuses = false
    await far.logs(/can be used again/)
    await near.publish({ id: 'last' })
    await far.delivers('last')
    assert.deepEqual(far.ids, ['last'])
  })

  promise('what was sent and is cut off is refused as unknown, and not sent again', async () => {
    await using parts = await startBoth({ publishTimeoutMs: 60_000 })
    const { near, far } = parts
    relay.holdAnswers()
    const published = assert.rejects(far.publish({ id: 'unknown' }), perhapsStored)
    await near.delivers('unknown')
    relay.cut()
    await published
    relay.releaseAnswers()
    await far.publish({ id: 'next' })
    await Promise.all([far.delivers('next'), near.delivers('next')])
    assert.deepEqual(near.ids, ['unknown', 'next'])
    assert.deepEqual(far.ids, near.ids)
  })

  promise('what was sent and is not answered in time is refused as unknown, and not sent again', async () => {
    await using parts = await startBoth({ publishTimeoutMs: 300 })
    const { near, far } = parts
    relay.holdAnswers()
    // Asked in the same turn, they go together.
    await Promise.all(['a', 'b', 'c'].map(id => assert.rejects(far.publish({ id }), perhapsStored)))
    await assert.rejects(far.transport.ready!(), unavailable)
    await near.until(() => near.delivered.length === 3)
    relay.releaseAnswers()
    await far.logs(/can be used again/)
    await near.publish({ id: 'd' })
    await Promise.all([near.delivers('d'), far.delivers('d')])
    assert.deepEqual(near.ids, ['a', 'b', 'c', 'd'])
    assert.deepEqual(far.ids, near.ids)
    await far.transport.ready!()
  })

  promise(
    'what a publisher with a key does not know to be stored it repeats, here or elsewhere, and it is stored once',
    async () => {
      await using parts = await startBoth({ publishTimeoutMs: 300 })
      const { near, far } = parts
      const ids = range(0, 5)
      const publish = (log: TestLog, id: string, key: string) =>
        log.transport.publishOnce!(createTestUpdate({ id }), createTestKey(key))
      relay.holdAnswers()
      const comesOnce = {
        ...perhapsStored,
        message: /^It is not known .* with the same Idempotency-Key: it comes once\.$/,
      }
      await Promise.all(ids.map(id => assert.rejects(publish(far, id, id), comesOnce)))
      await near.until(() => near.delivered.length === 5)
      relay.releaseAnswers()
      await far.logs(/can be used again/)
      for (const id of ids) {
        assert.equal((await publish(far, `again-${id}`, id))?.id, id)
        assert.equal((await publish(near, `again-${id}`, id))?.id, id)
      }
      const stored = [...ids]
      for (const [i, key] of range(5, 205).entries()) {
        if (i % 20 === 7) relay.cut()
        for (let attempt = 0; stored.length === ids.length + i; attempt++) {
          const id = `${key} at attempt ${attempt}`
          await publish(far, id, key).then(
            first => stored.push(first?.id ?? id),
            error => assert.equal(error.code, 'transport_unavailable'),
          )
        }
      }
      await near.delivers(stored.at(-1)!)
      assert.deepEqual(near.ids, stored)
    },
  )

  promise('closed without a connection: what waits is refused, and it ends', async () => {
    await using parts = await startBoth({ publishTimeoutMs: 0 })
    const { far } = parts
    await lose(far)
    const published = assert.rejects(far.publish({ id: 'a' }), unavailable)
    await far.transport.close()
    await published
    await assert.rejects(far.publish({ id: 'b' }), unavailable)
    await assert.rejects(far.transport.ready!(), unavailable)
    relay.refuses = false
  })

  promise(
    'a hub whose log cannot be reached lives and is not ready, refuses with 503, and keeps its streams',
    async () => {
      relay.refuses = true
      const transport_url = server.url(newName(), { relayed: true }).href
      await using hub = await startHub({ transport_url, publish_timeout: '1s' })
      const isRefused = async () => {
        const answer = await hub.post(new URLSearchParams({ topic, data: 'x' }))
        assert.equal(answer.status, 503)
        assert.equal(answer.headers.get('Retry-After'), '1')
        assert.equal((await hub.fetch('/readyz')).status, 503)
        assert.equal((await hub.fetch('/healthz')).status, 200)
      }
      await isRefused()
      relay.refuses = false
      await hub.running.attached
      assert.equal((await hub.fetch('/readyz')).status, 200)
      const stream = await hub.subscribe('topic=*')
      relay.refuses = true
      relay.cut()
      await hub.logged(({ msg }) => /cannot be used/.test(String(msg)))
      await isRefused()
      relay.refuses = false
      while ((await hub.fetch('/readyz')).status !== 200);
      const id = await hub.publish({ topic, data: 'y' })
      assert.deepEqual(
        (await stream.take(1)).map(event => event.id),
        [id],
      )
    },
  )

  promise('a server that stands still is told to publishers, and it is over when it goes on', async () => {
    const url = server.url(newName())
    await using log = await TestLog.start(url, { publishTimeoutMs: 300 })
    await using other = await TestLog.start(url)
    await log.publish({ id: 'before' })
    await server.pause()
    try {
      await assert.rejects(log.publish({ id: 'sent' }), unavailable)
      await assert.rejects(log.publish({ id: 'not sent' }), notStored)
      await assert.rejects(log.transport.ready!(), unavailable)
    } finally {
      await server.resume()
    }
    await log.logs(/can be used again/)
    await other.publish({ id: 'after' })
    await Promise.all([log.delivers('after'), other.delivers('after')])
    // The server may have read it, and answers to nobody.
    assert.deepEqual(
      log.ids.filter(id => id !== 'sent'),
      ['before', 'after'],
    )
    assert.deepEqual(other.ids, log.ids)
    assert.deepEqual(await log.all(), log.ids)
  })

  promise('a server that stops and is started again has lost nothing, and goes on', async () => {
    const url = server.url(newName())
    await using log = await TestLog.start(url, { publishTimeoutMs: 60_000 })
    const stored: string[] = []
    const publishing = Promise.allSettled(range(0, 400).map(id => log.publish({ id }).then(() => stored.push(id))))
    await log.until(() => log.delivered.length > 0)
    await server.stop()
    await log.logs(/cannot be used/)
    const waiting = log.publish({ id: 'waits' })
    await server.start()
    await Promise.all([publishing, waiting])
    await log.delivers('waits')
    assert.equal(new Set(log.ids).size, log.ids.length)
    for (const id of stored) assert.ok(log.ids.includes(id), id)
    assert.deepEqual(await log.all(), log.ids)
    assert.deepEqual(await log.after(log.ids[0]!), log.ids.slice(1))
    assert.ok(!log.logged.some(({ message }) => /has lost/.test(message)))
    await using another = await TestLog.start(url)
    assert.deepEqual(await another.all(), log.ids)
  })
}
