import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createCertificate } from '../support/certificate.ts'
import { openChromium } from '../support/chromium.ts'
import { startHub } from '../support/hub.ts'
import { listenIn } from '../support/reception.ts'
import { publishAcross } from '../support/reconnection.ts'
import { startSite } from '../support/site.ts'
import { subscriberToken } from '../support/token.ts'

const chromium = await openChromium()
const certificate = await createCertificate()
const site = await startSite({ certificate })
after(() => Promise.all([chromium.close(), site[Symbol.asyncDispose](), certificate[Symbol.asyncDispose]()]))

const skip = chromium.missing
const settings = {
  cert_file: certificate.certFile,
  key_file: certificate.keyFile,
  cors_allowed_origins: [site.origin],
  transport_url: 'local://local?size=10000',
}
const topic = 'https://example.com/books/1'
const query = `?topic=${encodeURIComponent(topic)}`

async function openPage() {
  const page = await chromium.openPage()
  await page.goto(site.origin)
  return page
}

test('a page has many more streams over HTTP/2 than the six connections of HTTP/1.1', { skip }, async () => {
  await using hub = await startHub(settings)
  await using page = await openPage()
  const all = await Promise.all(Array.from({ length: 40 }, () => listenIn(page, hub.hubUrl + query)))
  await Promise.all(all.map(received => received.untilOpened()))
  const large = 'x'.repeat(100_000)
  const ids = [await hub.publish({ topic, data: 'small' }), await hub.publish({ topic, data: large })]
  for (const received of all) {
    const [small, big] = await received.take(2)
    assert.deepEqual([small?.lastEventId, big?.lastEventId], ids)
    assert.equal(big?.data, large)
  }
})

test('EventSource loses and repeats nothing over HTTP/2 across streams that the hub ends', { skip }, async () => {
  await using hub = await startHub({ ...settings, write_timeout: '300ms' })
  await using page = await openPage()
  const received = await listenIn(page, hub.hubUrl + query)
  await publishAcross(4, { hub, received, topic })
})

test('a page that is closed leaves no subscriber behind', { skip }, async () => {
  await using hub = await startHub({ ...settings, subscriptions: true })
  const page = await openPage()
  const all = await Promise.all(Array.from({ length: 10 }, () => listenIn(page, hub.hubUrl + query)))
  await Promise.all(all.map(received => received.untilOpened()))
  const token = await subscriberToken(['*'])
  const headers = { Authorization: `Bearer ${token}` }
  const watcher = await hub.subscribe(
    `topic=${encodeURIComponent('/.well-known/mercure/subscriptions/{topic}/{subscriber}')}`,
    { headers },
  )
  await page.close()
  await watcher.until(text => text.split('"active": false').length > 10)
  const response = await hub.fetch('/.well-known/mercure/subscriptions', { headers })
  const { subscriptions } = (await response.json()) as { subscriptions: unknown[] }
  assert.equal(subscriptions.length, 1, 'the watcher alone')
})
