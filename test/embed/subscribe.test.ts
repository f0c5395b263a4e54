import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type EmbeddedHub, HubError, type SubscribeOptions, type TopicMatcher } from '../../src/embed.ts'
import { LogDirectory } from '../support/bolt.ts'
import { embedHub } from '../support/embedding.ts'
import { subscriberToken } from '../support/token.ts'

const topic = 'https://example.com/books/1'

async function publishAll(hub: EmbeddedHub, count: number, data = ''): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, i) => `urn:${i}`)
  await Promise.all(ids.map(id => hub.publish({ topics: topic, id, data })))
  return ids
}

async function take(hub: EmbeddedHub, options: SubscribeOptions, count: number): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of await hub.subscribe(options)) if (ids.push(id) === count) break
  return ids
}

const connected = async (hub: EmbeddedHub): Promise<number> =>
  Number(/^mercure_subscribers_connected (\d+)$/m.exec(await hub.metrics.render())![1])

test('the past comes first, then what is new, each update once', async t => {
  const hub = await embedHub(t)
  const ids = await publishAll(hub, 500)
  const updates = await hub.subscribe({ topics: topic, lastEventId: 'urn:99' })
  assert.equal(updates.lastEventId, 'urn:99')
  const received: string[] = []
  for await (const { id } of updates) {
    received.push(id)
    if (received.length === 1) for (let i = 0; i < 100; i++) ids.push(await hub.publish({ topics: topic }))
    if (received.length === 500) break
  }
  assert.deepEqual(received, ids.slice(100))
  assert.equal(await connected(hub), 0)
})

test('an id that the log does not know is told', async t => {
  const hub = await embedHub(t)
  const updates = await hub.subscribe({ topics: topic, lastEventId: 'urn:unknown' })
  assert.equal(updates.lastEventId, 'earliest')
  const fresh = await hub.subscribe({ topics: topic })
  assert.equal(fresh.lastEventId, undefined)
})

test('a past that is larger than what may wait is read at the pace of the reader', async t => {
  await using directory = await LogDirectory.create()
  const settings = { max_queue_bytes: '1KiB', recent: { entries: 10 } }
  const hub = await embedHub(t, { transport_url: `bolt://${directory.file}`, ...settings })
  const ids = await publishAll(hub, 2000, 'x'.repeat(1000))
  const updates = await hub.subscribe({ topics: topic, lastEventId: 'earliest' })
  const waiting = async () => Number(/^talaria_waiting_bytes (\d+)$/m.exec(await hub.metrics.render())![1])
  const received: string[] = []
  let most = 0
  for await (const { id } of updates) {
    received.push(id)
    if (received.length % 100 === 0) most = Math.max(most, await waiting())
    if (received.length === ids.length) break
  }
  assert.deepEqual(received, ids)
  assert.ok(most > 0 && most < 256 * 1024, `${most} bytes waited`)
  assert.equal(await waiting(), 0)
})

for (const bound of ['max_queue_bytes', 'max_queue_bytes_total']) {
  test(`who leaves more than ${bound} is told so, and goes on where it was`, async t => {
    const hub = await embedHub(t, { [bound]: '256KiB' })
    const updates = await hub.subscribe({ topics: topic })
    const first = await hub.publish({ topics: topic })
    assert.equal((await updates.next()).value?.id, first)
    const data = 'x'.repeat(10_000)
    const ids: string[] = []
    while ((await connected(hub)) === 1) ids.push(await hub.publish({ topics: topic, data }))
    await assert.rejects(Array.fromAsync(updates), error => error instanceof HubError && error.code === 'overloaded')
    assert.deepEqual(await take(hub, { topics: topic, lastEventId: first }, ids.length), ids)
    assert.match(await hub.metrics.render(), /^talaria_waiting_bytes 0$/m)
  })
}

test('private updates come where they are asked for', async t => {
  const hub = await embedHub(t)
  const open = await hub.subscribe({ topics: '*' })
  const all = await hub.subscribe({ topics: '*', private: true })
  await hub.publish({ topics: topic, id: 'urn:private', private: true })
  await hub.publish({ topics: topic, id: 'urn:public' })
  assert.equal((await open.next()).value?.id, 'urn:public')
  assert.deepEqual((await all.next()).value?.private, true)
  assert.equal((await all.next()).value?.id, 'urn:public')
})

test('topics are selected in the ways of both generations', async t => {
  const hub = await embedHub(t, { public_urls: ['https://hub.example'] })
  for (const options of [
    { topics: topic },
    { topics: ['https://example.com/none', 'https://example.com/books/{id}'] },
    { matchers: [{ match: topic }] },
    { matchers: [{ match: 'https://example.com/books/:id', match_type: 'urlpattern' }] },
    { matchers: [{ match: '*' }] },
    { topics: 'https://example.com/none', matchers: [{ match: topic }] },
  ] satisfies SubscribeOptions[]) {
    const updates = await hub.subscribe(options)
    await hub.publish({ topics: 'https://example.com/other/1', id: 'urn:other' })
    await hub.publish({ topics: topic, id: 'urn:wanted' })
    const ids = [(await updates.next()).value?.id, ...('*' === options.matchers?.[0]?.match ? ['urn:wanted'] : [])]
    assert.equal(ids.at(-1), 'urn:wanted', JSON.stringify(options))
    await updates.return()
  }
  const relative = await hub.subscribe({ matchers: [{ match: '/books/:id', match_type: 'urlpattern' }] })
  await hub.publish({ topics: 'https://hub.example/books/1', id: 'urn:relative' })
  assert.equal((await relative.next()).value?.id, 'urn:relative')
})

for (const { options, code } of [
  { options: {}, code: 'matcher_missing' },
  { options: { topics: '*', lastEventID: 'earliest' } as SubscribeOptions, code: 'body_malformed' },
  { options: { matchers: [{ match: '/:id', type: 'urlpattern' } as TopicMatcher] }, code: 'body_malformed' },
  { options: undefined as unknown as SubscribeOptions, code: 'body_malformed' },
  { options: { topics: [1] as unknown as string[] }, code: 'matcher_invalid' },
  { options: { matchers: [{ match: '{', match_type: 'regexp' as 'exact' }] }, code: 'matcher_unknown' },
  { options: { matchers: [{ match: '/(', match_type: 'urlpattern' as const }] }, code: 'matcher_invalid' },
]) {
  test(`${JSON.stringify(options)} is refused: ${code}`, async t => {
    const hub = await embedHub(t)
    await assert.rejects(hub.subscribe(options), error => error instanceof HubError && error.code === code)
    assert.equal(await connected(hub), 0)
  })
}

test('a signal ends a subscription, whatever it is doing', async t => {
  const hub = await embedHub(t)
  await assert.rejects(
    hub.subscribe({ topics: topic, signal: AbortSignal.abort('before') }),
    reason => reason === 'before',
  )
  const leaving = new AbortController()
  const updates = await hub.subscribe({ topics: topic, signal: leaving.signal })
  const waiting = updates.next()
  leaving.abort('enough')
  await assert.rejects(waiting, reason => reason === 'enough')
  assert.equal(await connected(hub), 0)
})

test('who leaves the loop has left the hub, and may say so again', async t => {
  const hub = await embedHub(t)
  await publishAll(hub, 10)
  assert.equal((await take(hub, { topics: topic, lastEventId: 'earliest' }, 3)).length, 3)
  assert.equal(await connected(hub), 0)
  {
    await using updates = await hub.subscribe({ topics: topic, lastEventId: 'earliest' })
    const pending = [updates.next(), updates.next()]
    assert.deepEqual(
      (await Promise.all(pending)).map(({ value }) => value?.id),
      ['urn:0', 'urn:1'],
    )
    assert.equal(await connected(hub), 1)
    await updates.return()
    assert.deepEqual(await updates.next(), { value: undefined, done: true })
  }
  assert.equal(await connected(hub), 0)
})

test('the application is in no list of subscriptions', async (t: TestContext) => {
  const hub = await embedHub(t, { subscriptions: true })
  const announcements = await hub.subscribe({ topics: '*', private: true })
  const path = '/.well-known/mercure/subscriptions'
  const token = await subscriberToken([path, `${path}{/topic,subscriber}`])
  const request = new Request(`http://hub.example${path}`, { headers: { Authorization: `Bearer ${token}` } })
  const listed = (await (await hub.fetch(request)).json()) as { subscriptions: unknown[] }
  assert.deepEqual(listed.subscriptions, [])
  await hub.publish({ topics: topic, id: 'urn:first' })
  assert.equal((await announcements.next()).value?.id, 'urn:first')
})
