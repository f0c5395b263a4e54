import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { createCertificate } from '../support/certificate.ts'
import { openChromium } from '../support/chromium.ts'
import { type Settings, startHub } from '../support/hub.ts'
import { type FetchOptions, fetchIn } from '../support/page-fetch.ts'
import { listenIn } from '../support/reception.ts'
import { type Site, startSite } from '../support/site.ts'
import { signAccessToken, signToken, testIssuer } from '../support/token.ts'

const chromium = await openChromium()
const certificate = await createCertificate()
after(() => Promise.all([chromium.close(), certificate[Symbol.asyncDispose]()]))

const skip = chromium.missing
const topic = 'https://example.com/books/1'
const query = `?topic=${encodeURIComponent(topic)}`
const oldCookie = (token: string) =>
  `mercureAuthorization=${token}; Path=/.well-known/mercure; HttpOnly; SameSite=Strict`

async function openPage(site: Site): Promise<Page> {
  const page = await chromium.openPage()
  await page.goto(site.origin)
  return page
}

test('a page of an allowed origin subscribes with the cookie of 0.x', { skip }, async () => {
  const token = await signToken({ mercure: { subscribe: [topic] } })
  await using site = await startSite({ cookies: [oldCookie(token)] })
  await using hub = await startHub({ cors_allowed_origins: [site.origin] })
  await using page = await openPage(site)
  const withCookie = await listenIn(page, hub.hubUrl + query, { withCredentials: true })
  const without = await listenIn(page, hub.hubUrl + query)
  await Promise.all([withCookie.untilOpened(), without.untilOpened()])
  await hub.publish({ topic, data: 'private', private: 'on' })
  await hub.publish({ topic, data: 'public' })
  assert.deepEqual(
    (await withCookie.take(2)).map(({ data }) => data),
    ['private', 'public'],
  )
  assert.deepEqual(
    (await without.take()).map(({ data }) => data),
    ['public'],
  )
})

test('a page of an allowed origin subscribes with the cookie of 1.0, over TLS', { skip }, async () => {
  await using hub = await startHub({
    cert_file: certificate.certFile,
    key_file: certificate.keyFile,
    issuers: [testIssuer],
    allow_anonymous: false,
    cors_allowed_origins: ['https://127.0.0.1:*'],
  })
  const token = await signAccessToken(hub.hubUrl, [{ actions: ['subscribe'], topics: [{ match: topic }] }])
  const cookie = `__Secure-mercure_access_token=${token}; Path=/.well-known/mercure; Secure; HttpOnly; SameSite=Strict`
  await using site = await startSite({ certificate, cookies: [cookie] })
  await using page = await openPage(site)
  const url = `${hub.hubUrl}?match=${encodeURIComponent(topic)}`
  const withCookie = await listenIn(page, url, { withCredentials: true })
  const without = await listenIn(page, url)
  await Promise.all([withCookie.untilOpened(), without.untilClosed()])
  await hub.publish({ topic, data: 'private', private: 'on' })
  assert.equal((await withCookie.take())[0]?.data, 'private')
})

test('the browser withholds the stream from pages of other origins', { skip }, async t => {
  await using site = await startSite()
  const cases: { name: string; settings: Settings; withCredentials: boolean; opens: boolean }[] = [
    { name: 'none is allowed', settings: {}, withCredentials: false, opens: false },
    {
      name: 'only another one is allowed',
      settings: { cors_allowed_origins: ['https://example.com'] },
      withCredentials: false,
      opens: false,
    },
    { name: 'all are allowed', settings: { cors_allowed_origins: ['*'] }, withCredentials: false, opens: true },
    {
      name: 'all are allowed, which is without credentials',
      settings: { cors_allowed_origins: ['*'] },
      withCredentials: true,
      opens: false,
    },
    {
      name: 'every port of the host is allowed',
      settings: { cors_allowed_origins: ['http://127.0.0.1:*'] },
      withCredentials: true,
      opens: true,
    },
  ]
  for (const { name, settings, withCredentials, opens } of cases) {
    await t.test(name, async () => {
      await using hub = await startHub(settings)
      await using page = await openPage(site)
      const received = await listenIn(page, hub.hubUrl + query, { withCredentials })
      await (opens ? received.untilOpened() : received.untilClosed())
      assert.equal(received.opened, opens ? 1 : 0)
    })
  }
})

test('a page publishes with a cookie where its origin may', { skip }, async t => {
  const cookies = [oldCookie(await signToken({ mercure: { publish: ['*'] } }))]
  await using allowed = await startSite({ cookies })
  await using other = await startSite({ cookies })
  await using anonymous = await startSite()
  await using hub = await startHub({
    cors_allowed_origins: [allowed.origin, other.origin, anonymous.origin],
    publish_allowed_origins: [allowed.origin],
  })
  const stream = await hub.subscribe(query.slice(1))
  const form = { topic, data: 'from a page', private: '' }
  await t.test('an allowed origin: 200 with the id', async () => {
    await using page = await openPage(allowed)
    const answer = await fetchIn(page, hub.hubUrl, {
      method: 'POST',
      form: { topic, data: 'from a page', id: 'urn:page:1' },
    })
    assert.equal(answer?.status, 200)
    assert.equal(answer.text, 'urn:page:1')
    assert.equal((await stream.take())[0]?.data, 'from a page')
  })
  await t.test('an origin that may only subscribe: 401', async () => {
    await using page = await openPage(other)
    const answer = await fetchIn(page, hub.hubUrl, { method: 'POST', form })
    assert.equal(answer?.status, 401)
    assert.match(answer.text, /^origin_refused: .*publish_allowed_origins/)
  })
  await t.test('no cookie: 401', async () => {
    await using page = await openPage(anonymous)
    assert.equal((await fetchIn(page, hub.hubUrl, { method: 'POST', form }))?.status, 401)
  })
  await t.test('a header instead needs no allowed origin', async () => {
    await using page = await openPage(other)
    const headers = { Authorization: `Bearer ${await signToken({ mercure: { publish: [topic] } })}` }
    assert.equal((await fetchIn(page, hub.hubUrl, { method: 'POST', form, headers }))?.status, 200)
  })
})

test('a script of another origin reads where its stream begins, and sends what clients send', { skip }, async t => {
  await using site = await startSite()
  await using hub = await startHub({ cors_allowed_origins: [site.origin] })
  await using page = await openPage(site)
  const id = await hub.publish({ topic, data: 'known' })
  const Authorization = `Bearer ${await signToken({ mercure: { subscribe: ['*'] } })}`
  const headers = { Authorization, 'Cache-Control': 'no-cache', Accept: 'text/event-stream', 'Last-Event-ID': id }
  const cases: { name: string; url: string; options?: FetchOptions; cursor: string }[] = [
    { name: 'a cursor in the query', url: `${query}&lastEventID=${id}`, cursor: id },
    { name: 'an unknown cursor', url: `${query}&last_event_id=unknown`, cursor: 'earliest' },
    { name: 'a cursor in the header', url: query, options: { headers: { 'Last-Event-ID': id } }, cursor: id },
    { name: 'the headers of fetch-based clients', url: query, options: { headers }, cursor: id },
    { name: 'QUERY', url: '', options: { method: 'QUERY', form: { match: topic, last_event_id: id } }, cursor: id },
  ]
  for (const { name, url, options, cursor } of cases) {
    await t.test(name, async () => {
      const { status, headers } = (await fetchIn(page, hub.hubUrl + url, options)) ?? assert.fail('withheld')
      assert.equal(status, 200)
      assert.deepEqual([headers['last-event-id'], headers['mercure-last-event-id']], [cursor, cursor])
    })
  }
})

test('a script of another origin reads who is subscribed, and from where to follow', { skip }, async () => {
  await using site = await startSite()
  await using hub = await startHub({ cors_allowed_origins: [site.origin], subscriptions: true, issuers: [testIssuer] })
  await using page = await openPage(site)
  const token = await signAccessToken(hub.hubUrl, [{ actions: ['subscribe'], topics: [{ match: '*' }] }])
  const headers = { Authorization: `Bearer ${token}` }
  const answer = (await fetchIn(page, `${hub.hubUrl}/subscriptions`, { headers })) ?? assert.fail('withheld')
  assert.deepEqual(JSON.parse(answer.text).subscriptions, [])
  assert.match(answer.headers.link ?? '', /rel="mercure"; last-event-id="earliest"/)
  assert.equal(answer.headers.etag, '"earliest"')
})
