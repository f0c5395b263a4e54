import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Generation } from '../../src/protocol/generation.ts'
import type { EventStream } from '../support/event-stream.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import {
  bearer,
  cursorOf,
  documentOf,
  readerTokens,
  readSubscriptions,
  subscriptionsPath,
} from '../support/subscriptions.ts'
import { testIssuer } from '../support/token.ts'

suite('the entity tag', () => {
  let hub: TestHub
  let tokens: Record<Generation, string>
  before(async () => {
    hub = await startHub({ subscriptions: true, issuers: [testIssuer] })
    tokens = await readerTokens(hub)
  })
  after(() => hub.close())

  /** Closes a stream of the hub; its end is an event of the log, too, and has been stored when this resolves. */
  let closed = 0
  async function leave(stream: EventStream): Promise<void> {
    stream.close()
    closed++
    let left = 0
    await hub.logged(({ msg }) => msg === 'subscriber left' && ++left === closed)
  }

  test('before the first event it is that of "earliest"', async () => {
    await using young = await startHub({ subscriptions: true, issuers: [testIssuer] })
    const current = await readSubscriptions(young, subscriptionsPath, (await readerTokens(young))['1.0'])
    assert.equal(current.headers.get('etag'), '"earliest"')
    assert.equal(cursorOf(current.response), 'earliest')
    const old = await readSubscriptions(young, subscriptionsPath, (await readerTokens(young))['0.x'])
    assert.equal(old.headers.get('etag'), 'earliest')
    assert.equal(old.document.lastEventID, 'earliest')
  })

  const ids: { name: string; id: string; tag: string }[] = [
    { name: 'a plain id', id: 'urn:1', tag: '"urn:1"' },
    { name: 'a space', id: 'a b', tag: '"a%20b"' },
    { name: 'a quotation mark', id: 'a"b', tag: '"a%22b"' },
    { name: 'a percent sign', id: 'a%20b', tag: '"a%2520b"' },
    { name: 'a backslash', id: 'a\\b', tag: '"a\\b"' },
    { name: 'both of those', id: '\\"\\', tag: '"\\%22\\"' },
    { name: 'commas and semicolons', id: 'a,b;c="d"', tag: '"a,b;c=%22d%22"' },
    { name: 'UTF-8', id: 'é☃😀', tag: `"${Buffer.from('é☃😀').toString('latin1')}"` },
  ]
  for (const { name, id, tag } of ids) {
    test(`${name}: tag and cursor of 1.0, and the cursor leads on`, async () => {
      await hub.publish({ topic: 'https://example.com/1', id })
      const { response, headers, status } = await readSubscriptions(hub, subscriptionsPath, tokens['1.0'])
      assert.equal(status, 200)
      assert.equal(headers.get('etag'), tag)
      assert.equal(cursorOf(response), id)
      const quoted = Buffer.from(id.replace(/["\\]/g, '\\$&')).toString('latin1')
      assert.equal(
        headers.get('link'),
        `</.well-known/mercure>; rel="mercure"; last-event-id="${quoted}"; type="mercure"; content-type="application/json"`,
      )
      const next = await hub.publish({ topic: 'https://example.com/2' })
      const query = new URLSearchParams({ match: 'https://example.com/2', last_event_id: cursorOf(response) })
      const stream = await hub.subscribe(`${query}`)
      assert.equal((await stream.take())[0]?.id, next)
      assert.notEqual(stream.response.headers.get('mercure-last-event-id'), 'earliest')
      await leave(stream)
    })
    test(`${name}: tag and cursor of 0.x, and the cursor leads on`, async () => {
      await hub.publish({ topic: 'https://example.com/1', id: `${id}0` })
      const { headers, document } = await readSubscriptions(hub, subscriptionsPath, tokens['0.x'])
      assert.equal(headers.get('etag'), Buffer.from(`${id}0`).toString('latin1'))
      assert.equal(headers.get('link'), null)
      assert.equal(document.lastEventID, `${id}0`)
      const next = await hub.publish({ topic: 'https://example.com/2' })
      const query = new URLSearchParams({ topic: 'https://example.com/2', lastEventID: document.lastEventID })
      const stream = await hub.subscribe(`${query}`)
      assert.equal((await stream.take())[0]?.id, next)
      assert.notEqual(stream.response.headers.get('last-event-id'), 'earliest')
      await leave(stream)
    })
    for (const generation of ['0.x', '1.0'] satisfies Generation[]) {
      test(`${name}: ${generation}, unchanged`, async () => {
        await hub.publish({ topic: 'https://example.com/1', id: `${id}1` })
        const { headers } = await readSubscriptions(hub, subscriptionsPath, tokens[generation])
        const ETag = headers.get('etag')!
        const again = await readSubscriptions(hub, subscriptionsPath, tokens[generation], { 'If-None-Match': ETag })
        assert.equal(again.status, 304)
        assert.equal(again.text, '')
        assert.equal(again.headers.get('etag'), ETag)
        await hub.publish({ topic: 'https://example.com/1' })
        assert.equal(
          (await readSubscriptions(hub, subscriptionsPath, tokens[generation], { 'If-None-Match': ETag })).status,
          200,
        )
      })
    }
  }

  const conditions: { name: string; condition: (tag: string) => string; status: number }[] = [
    { name: 'the tag', condition: tag => tag, status: 304 },
    { name: 'the tag made weak by a proxy that compresses', condition: tag => `W/${tag}`, status: 304 },
    { name: 'one of several', condition: tag => `"other", ${tag}`, status: 304 },
    { name: 'one of several, among them one with a comma', condition: tag => `"a,b",W/"c" , ${tag}`, status: 304 },
    { name: 'anything', condition: () => '*', status: 304 },
    { name: 'another tag', condition: () => '"other"', status: 200 },
    { name: 'the tag without its quotation marks', condition: tag => tag.slice(1, -1), status: 200 },
    { name: 'a tag that holds the tag', condition: tag => `"x${tag.slice(1)}`, status: 200 },
    { name: 'nothing', condition: () => '', status: 200 },
  ]
  for (const { name, condition, status } of conditions) {
    test(`1.0: If-None-Match with ${name}: ${status}`, async () => {
      await hub.publish({ topic: 'https://example.com/1' })
      const tag = (await readSubscriptions(hub, subscriptionsPath, tokens['1.0'])).headers.get('etag')!
      for (const path of [subscriptionsPath, `${subscriptionsPath}/exact/a`]) {
        assert.equal(
          (await readSubscriptions(hub, path, tokens['1.0'], { 'If-None-Match': condition(tag) })).status,
          status,
        )
      }
    })
  }

  test('it stands for one subscription, too', async () => {
    const stream = await hub.subscribe('match=alone&topic=alone')
    for (const generation of ['0.x', '1.0'] satisfies Generation[]) {
      const { document, headers } = await readSubscriptions(hub, subscriptionsPath, tokens[generation])
      const { id } = document.subscriptions.at(-1)
      const one = await readSubscriptions(hub, id, tokens[generation])
      assert.equal(one.headers.get('etag'), headers.get('etag'))
      assert.equal(
        (await readSubscriptions(hub, id, tokens[generation], { 'If-None-Match': headers.get('etag')! })).status,
        304,
      )
    }
    await leave(stream)
  })

  test('one who may not read learns nothing from a condition', async () => {
    const tag = (await readSubscriptions(hub, subscriptionsPath, tokens['1.0'])).headers.get('etag')!
    assert.equal((await readSubscriptions(hub, subscriptionsPath, undefined, { 'If-None-Match': tag })).status, 401)
    const somebody = `${subscriptionsPath}/exact/a/nobody`
    assert.equal((await readSubscriptions(hub, somebody, tokens['1.0'], { 'If-None-Match': '*' })).status, 404)
  })

  test('it moves when a subscription comes and when it goes', async () => {
    const watcher = await hub.subscribe('topic=*', { headers: bearer(tokens['0.x']) })
    await watcher.take()
    const seen = new Set<string | null>()
    const tag = async () =>
      seen.add((await readSubscriptions(hub, subscriptionsPath, tokens['1.0'])).headers.get('etag'))
    await tag()
    const stream = await hub.subscribe('match=come-and-go')
    await watcher.take()
    await tag()
    stream.close()
    await watcher.take()
    await tag()
    assert.equal(seen.size, 3)
    watcher.close()
  })
})

suite('from the list to the events', () => {
  for (const generation of ['0.x', '1.0'] satisfies Generation[]) {
    test(`${generation}: whoever follows the cursor of a list misses nothing`, async () => {
      await using hub = await startHub({ subscriptions: true, issuers: [testIssuer] })
      const token = (await readerTokens(hub))[generation]
      const kind = generation === '0.x' ? 'topic' : 'match'
      const open = new Set<EventStream>()
      for (let round = 0; round < 10; round++) {
        // Subscribers come and go while the list is read.
        const coming = Array.from({ length: 5 }, (_, i) => hub.subscribe(`${kind}=room-${round % 3}-${i}`))
        for (const stream of [...open].slice(0, 3)) {
          stream.close()
          open.delete(stream)
        }
        const { response, document } = await readSubscriptions(hub, subscriptionsPath, token)
        for (const stream of await Promise.all(coming)) open.add(stream)
        const members = new Set<string>(document.subscriptions.map(({ id }: { id: string }) => id))

        const marker = `https://example.com/marker/${round}`
        const cursor = generation === '0.x' ? document.lastEventID : cursorOf(response)
        const query = new URLSearchParams([
          [kind, '*'],
          [generation === '0.x' ? 'lastEventID' : 'last_event_id', cursor],
        ])
        const follower = await hub.subscribe(`${query}`, { headers: bearer(token) })
        const last = await hub.publish({ topic: marker })
        for (;;) {
          const [event] = await follower.take()
          if (event!.id === last) break
          const { id, active } = documentOf(event)
          if (active) members.add(id)
          else members.delete(id)
        }
        const { document: now } = await readSubscriptions(hub, subscriptionsPath, token)
        assert.deepEqual([...members].sort(), now.subscriptions.map(({ id }: { id: string }) => id).sort())
        open.add(follower)
      }
      for (const stream of open) stream.close()
    })
  }
})
