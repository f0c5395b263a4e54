import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openChromium } from '../support/chromium.ts'
import { startHub } from '../support/hub.ts'
import { createTestUpdate } from '../support/node.ts'
import { startProxy } from '../support/proxy.ts'
import { listenIn } from '../support/reception.ts'
import { publishAcross, retry } from '../support/reconnection.ts'
import { startSite } from '../support/site.ts'

const chromium = await openChromium()
const site = await startSite()
after(() => Promise.all([chromium.close(), site[Symbol.asyncDispose]()]))

const skip = chromium.missing
const settings = { cors_allowed_origins: [site.origin], transport_url: 'local://local?size=10000' }
const topic = 'https://example.com/books/1'
const query = `?topic=${encodeURIComponent(topic)}`

async function openPage() {
  const page = await chromium.openPage()
  await page.goto(site.origin)
  return page
}

test('EventSource in Chromium receives updates as they were published', { skip }, async t => {
  await using hub = await startHub(settings)
  await using page = await openPage()
  const received = await listenIn(page, hub.hubUrl + query, { types: ['book.created', 'größe'] })
  await received.untilOpened()

  const every = 'é 漢 🛰️ \u2028 \ufeff'
  const cases: { name: string; fields: Record<string, string>; type?: string; data: string }[] = [
    { name: 'a message', fields: { data: 'Hello' }, data: 'Hello' },
    { name: 'a typed event', fields: { data: 'new', type: 'book.created' }, type: 'book.created', data: 'new' },
    { name: 'a type beyond ASCII', fields: { data: 'XL', type: 'größe' }, type: 'größe', data: 'XL' },
    { name: 'several lines', fields: { data: '<p>\n  one\n\n</p>\n' }, data: '<p>\n  one\n\n</p>\n' },
    { name: 'line breaks of every kind, as LF', fields: { data: 'a\r\nb\rc\nd' }, data: 'a\nb\nc\nd' },
    { name: 'what looks like fields', fields: { data: '  : x\nid: y\n\nevent: z' }, data: '  : x\nid: y\n\nevent: z' },
    { name: 'every plane of Unicode', fields: { data: every }, data: every },
    { name: 'a megabyte less its field name', fields: { data: 'x'.repeat(900_000) }, data: 'x'.repeat(900_000) },
    { name: 'empty data', fields: { data: '' }, data: '' },
    { name: 'no data', fields: {}, data: '' },
  ]
  for (const { name, fields, type = 'message', data } of cases) {
    await t.test(name, async () => {
      const id = await hub.publish({ topic, ...fields })
      assert.deepEqual(await received.take(), [{ type, data, lastEventId: id }])
    })
  }
  await t.test('an id of the publisher', async () => {
    await hub.publish({ topic, data: 'one', id: 'urn:käfer:1' })
    assert.deepEqual(await received.take(), [{ type: 'message', data: 'one', lastEventId: 'urn:käfer:1' }])
  })
})

test('EventSource in Chromium subscribes to several matchers of both generations at once', { skip }, async () => {
  await using hub = await startHub(settings)
  await using page = await openPage()
  const parameters = new URLSearchParams([
    ['topic', topic],
    ['topic', 'https://example.com/authors/{id}'],
    ['match', 'https://example.com/shelves/1'],
    ['match_urlpattern', 'https://example.com/reviews/:book/*'],
  ])
  const received = await listenIn(page, `${hub.hubUrl}?${parameters}`)
  await received.untilOpened()
  const wanted = ['books/1', 'authors/7', 'shelves/1', 'reviews/1/2']
  for (const path of ['books/2', ...wanted, 'shelves/2', 'reviews/1', 'books/1']) {
    await hub.publish({ topic: `https://example.com/${path}`, data: path })
  }
  const events = await received.take(wanted.length + 1)
  assert.deepEqual(
    events.map(({ data }) => data),
    [...wanted, 'books/1'],
  )
})

test('EventSource in Chromium loses and repeats nothing across streams that the hub ends', { skip }, async () => {
  await using hub = await startHub({ ...settings, write_timeout: '300ms' })
  await using page = await openPage()
  const received = await listenIn(page, hub.hubUrl + query)
  await publishAcross(4, { hub, received, topic })
})

test('EventSource in Chromium loses and repeats nothing across broken connections', { skip }, async () => {
  await using hub = await startHub(settings)
  await using proxy = await startProxy(hub.url)
  await using page = await openPage()
  const received = await listenIn(page, `${proxy.url}/.well-known/mercure${query}`)
  const during = (count: number) => {
    if (count % 40 === 0) proxy.cut()
  }
  await publishAcross(6, { hub, received, topic, during })
})

test('EventSource in Chromium takes its own last id, not that of its URL, when it reconnects', { skip }, async () => {
  await using hub = await startHub(settings)
  await using proxy = await startProxy(hub.url)
  await using page = await openPage()
  const ids = [await hub.publish({ topic, data: 'one' }), await hub.publish({ topic, data: 'two', retry })]
  const received = await listenIn(page, `${proxy.url}/.well-known/mercure${query}&lastEventID=earliest`)
  await received.take(2)
  proxy.cut()
  await received.untilOpened(2)
  ids.push(await hub.publish({ topic, data: 'three' }))
  await received.take()
  assert.deepEqual(received.ids, ids)
})

test('EventSource in Chromium comes back after an update whose id no header could carry', { skip }, async () => {
  await using hub = await startHub(settings)
  await using proxy = await startProxy(hub.url)
  await using page = await openPage()
  const received = await listenIn(page, `${proxy.url}/.well-known/mercure${query}`)
  await received.untilOpened()
  // As another program may have written it to the log.
  const write = (id: string) => hub.running.hub.publish(createTestUpdate({ id, topics: [topic], data: 'written' }))
  const longest = `${'é'.repeat(511)}\u00a0`
  await hub.publish({ topic, data: 'one', id: longest, retry })
  await write('a\x01b')
  await write('x'.repeat(100_000))
  await received.take(3)
  proxy.cut()
  await received.untilOpened(2)
  const last = await hub.publish({ topic, data: 'two' })
  await received.take(3)
  assert.deepEqual(received.ids, [longest, longest, longest, longest, longest, last])
})

test('EventSource in Chromium comes back to a hub that was restarted', { skip }, async () => {
  const first = await startHub(settings)
  await using proxy = await startProxy(first.url)
  await using page = await openPage()
  const received = await listenIn(page, `${proxy.url}/.well-known/mercure${query}`)
  await received.untilOpened()
  await first.publish({ topic, data: 'before', retry })
  await received.take()
  await first.close()
  await using second = await startHub(settings)
  proxy.target = second.url
  await received.untilOpened(2)
  await second.publish({ topic, data: 'after' })
  assert.equal((await received.take())[0]?.data, 'after')
})

test('EventSource in Chromium gives up where the hub refuses', { skip }, async t => {
  await using hub = await startHub({ ...settings, allow_anonymous: false })
  await using page = await openPage()
  for (const { name, parameters } of [
    { name: 'subscribers without a token', parameters: query },
    { name: 'a token that is not valid', parameters: `${query}&authorization=${'x'.repeat(50)}` },
  ]) {
    await t.test(name, async () => {
      const received = await listenIn(page, hub.hubUrl + parameters)
      await received.untilClosed()
      assert.equal(received.opened, 0)
    })
  }
})
