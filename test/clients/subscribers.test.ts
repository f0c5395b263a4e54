import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startHub } from '../support/hub.ts'
import { signToken, subscriberToken } from '../support/token.ts'

const book = 'https://example.com/books/1'
const encodedBook = encodeURIComponent(book)
const granted = await subscriberToken(['*'])

/** A subscriber in use: what it asks for when it has seen the first of three updates, and what it then gets. */
interface Subscriber {
  readonly name: string
  /** The query; `id` is that of the update `one`. */
  readonly query: (id: string) => string
  readonly headers?: (id: string) => Record<string, string>
  /** Data of what it gets: one and two are public, three is private, four comes live. */
  readonly gets: string[]
}

const subscribers: Subscriber[] = [
  {
    name: "Twig's mercure(), with the cursor in both spellings and a cookie",
    query: id => `topic=${encodedBook}&lastEventID=${encodeURIComponent(id)}&Last-Event-ID=${encodeURIComponent(id)}`,
    headers: () => ({ Cookie: `PHPSESSID=abc; mercureAuthorization=${granted}` }),
    gets: ['two', 'three', 'four'],
  },
  {
    name: "Twig's mercure() of 0.8, with a matcher of 1.0",
    query: id => `match=${encodedBook}&lastEventID=${encodeURIComponent(id)}&Last-Event-ID=${encodeURIComponent(id)}`,
    gets: ['two', 'four'],
  },
  {
    name: "Twig's mercure() in a page that reconnects: the header goes before the address",
    query: () => `topic=${encodedBook}&lastEventID=earliest&Last-Event-ID=earliest`,
    headers: id => ({ 'Last-Event-ID': id }),
    gets: ['two', 'four'],
  },
  {
    name: 'a script of the time from 0.14 on, which puts the cursor in one spelling',
    query: id => `topic=${encodedBook}&lastEventID=${encodeURIComponent(id)}`,
    gets: ['two', 'four'],
  },
  { name: 'symfony/ux-turbo, without a cursor', query: () => `topic=${encodedBook}`, gets: ['four'] },
  { name: "API Platform's mercureUrl, a topic that is not encoded", query: () => `topic=${book}`, gets: ['four'] },
  {
    name: 'event-source-polyfill, its own spelling of the cursor',
    query: id => `topic=${encodedBook}&lastEventId=${encodeURIComponent(id)}`,
    gets: ['two', 'four'],
  },
  {
    name: 'mercure_dart on the web: token and cursor in the query',
    query: id => `topic=${encodedBook}&topic=other&authorization=${granted}&Last-Event-ID=${encodeURIComponent(id)}`,
    gets: ['two', 'three', 'four'],
  },
  {
    name: 'mercure_dart on a server: token and cursor in headers',
    query: () => `topic=${encodedBook}`,
    headers: id => ({ Authorization: `Bearer ${granted}`, 'Last-Event-ID': id, Accept: 'text/event-stream' }),
    gets: ['two', 'three', 'four'],
  },
  {
    name: 'api-platform/esa, a URL Pattern',
    query: id =>
      `match_urlpattern=${encodeURIComponent('https://example.com/books/:id')}&last_event_id=${encodeURIComponent(id)}`,
    gets: ['two', 'four'],
  },
]

for (const { name, query, headers, gets } of subscribers) {
  test(`subscribes as ${name}`, async () => {
    await using hub = await startHub()
    const id = await hub.publish({ topic: book, data: 'one' })
    await hub.publish({ topic: book, data: 'two' })
    await hub.publish({ topic: book, data: 'three', private: 'on' })
    const stream = await hub.subscribe(query(id), { headers: headers?.(id) ?? {} })
    await hub.publish({ topic: book, data: 'four' })
    await stream.take(gets.length)
    assert.deepEqual(stream.data, gets)
  })
}

test('turbo-train subscribes with a token that grants nothing, to a signed name, on a hub that wants tokens', async () => {
  await using hub = await startHub({
    publisher_jwt_key: 'test',
    subscriber_jwt_key: 'testing',
    allow_anonymous: false,
  })
  const name = 'IloybGtPaTh2WjJsa09pOHZZWEJ3TDFCdmMzUXZNUSI=--5d5a0b3c9a2b1f0e'
  const session = await signToken({ platform: 'web' }, 'testing')
  const stream = await hub.subscribe(`topic=${name}&authorization=${session}`)
  const authorization = `Bearer ${await signToken({ mercure: { publish: [name] } }, 'test')}`
  const body = new URLSearchParams({ topic: name, data: '<turbo-stream action="refresh"></turbo-stream>' })
  assert.equal((await hub.post(body, { headers: { Authorization: authorization } })).status, 200)
  assert.equal((await stream.take())[0]?.data, '<turbo-stream action="refresh"></turbo-stream>')
})

test('mercure_dart lists subscriptions, each with what its model requires', async t => {
  await using hub = await startHub({ subscriptions: true, allow_anonymous: false })
  const payload = { user: 'ada' }
  await hub.subscribe(`topic=${encodedBook}&authorization=${await subscriberToken([book], payload)}`)
  const read = async (path: string, inQuery = false) => {
    const headers: Record<string, string> = inQuery ? {} : { Authorization: `Bearer ${granted}` }
    const response = await hub.fetch(
      `/.well-known/mercure/subscriptions${path}${inQuery ? `?authorization=${granted}` : ''}`,
      { headers },
    )
    assert.equal(response.status, 200)
    return (await response.json()) as Record<string, unknown>
  }
  const { lastEventId: lastEventID } = hub.running.hub
  const all = await read('')
  const [item] = all.subscriptions as { subscriber: string; id: string }[]
  const subscription = {
    type: 'Subscription',
    topic: book,
    active: true,
    payload,
    id: item?.id,
    subscriber: item?.subscriber,
  }

  await t.test('all of them', () => {
    const id = '/.well-known/mercure/subscriptions'
    assert.deepEqual(all, {
      '@context': 'https://mercure.rocks/',
      id,
      type: 'Subscriptions',
      lastEventID,
      subscriptions: [subscription],
    })
  })
  await t.test('those of a topic, with the token in the query', async () => {
    assert.deepEqual((await read(`/${encodedBook}`, true)).subscriptions, [subscription])
  })
  await t.test('one', async () => {
    const one = await read(`/${encodedBook}/${encodeURIComponent(item?.subscriber ?? '')}`)
    assert.deepEqual(one, { '@context': 'https://mercure.rocks/', ...subscription, lastEventID })
  })
})
