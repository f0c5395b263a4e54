import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { createCertificate } from '../support/certificate.ts'
import { openChromium } from '../support/chromium.ts'
import { type Settings, startHub } from '../support/hub.ts'
import { listenIn } from '../support/reception.ts'
import { type Site, startSite } from '../support/site.ts'
import { signAccessToken, signToken, testIssuer } from '../support/token.ts'

const chromium = await openChromium()
const certificate = await createCertificate()
after(() => Promise.all([chromium.close(), certificate[Symbol.asyncDispose]()]))

const skip = chromium.missing
const topic = 'https://example.com/books/1'
const query = `?topic=${encodeURIComponent(topic)}`
const oldCookie = (token: string) => `mercureAuthorization=${token}; Path=/.well-known/mercure; HttpOnly; SameSite=Strict`

async function openPage(site: Site): Promise<Page> {
  const page = await chromium.openPage()
  await page.goto(site.origin)
  return page
}

interface FetchOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly form?: Record<string, string>
}

/** A fetch with credentials by a script of the page; the body is read where it ends by itself. `null`: the browser withholds the answer. */
const fetchIn = (page: Page, url: string, options: FetchOptions = {}) =>
  page.evaluate(
    async ([url, { form, ...init }]) => {
      try {
        const body = form === undefined ? {} : { body: new URLSearchParams(form) }
        const response = await fetch(url, { credentials: 'include', ...init, ...body })
        const isStream = response.headers.get('content-type') === 'text/event-stream'
        if (isStream) await response.body?.cancel()
        const { status, headers } = response
        return { status, headers: Object.fromEntries(headers), text: isStream ? '' : await response.text() }
      } catch {
        return null
      }
    },
    [url, options] as const,
  )

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
    const answer = await fetchIn(page, hub.hubUrl, { method: 'POST', form: { topic, data: 'from a page', id: 'urn:page:1' } })
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
  await using hub = await startHub({ cors_allowed_origins: [site.origin], subscriptions: true })
  await using page = await openPage(site)
  const id = await hub.publish({ topic, data: 'known' })
  const Authorization = `Bearer ${await signToken({ mercure: { subscribe: ['*'] } })}`
  const cursor = { 'last-event-id': id, 'mercure-last-event-id': id }
  const cases: { name: string; url: string; options?: FetchOptions; answer: Record<string, string> }[] = [
    { name: 'a cursor in the query', url: `${query}&lastEventID=${id}`, answer: cursor },
    { name: 'a cursor in the header', url: query, options: { headers: { 'Last-Event-ID': id } }, answer: cursor },
    {
      name: 'an unknown cursor',
      url: `${query}&last_event_id=unknown`,
      answer: { 'last-event-id': 'earliest', 'mercure-last-event-id': 'earliest' },
    },
    {
      name: 'the headers of fetch-based clients',
      url: query,
      options: { headers: { Authorization, 'Cache-Control': 'no-cache', Accept: 'text/event-stream', 'Last-Event-ID': id } },
      answer: cursor,
    },
    {
      name: 'QUERY',
      url: '',
      options: { method: 'QUERY', form: { match: topic, last_event_id: id } },
      answer: cursor,
    },
    {
      name: 'the subscription API',
      url: '/subscriptions',
      options: { headers: { Authorization, Accept: 'application/json' } },
      answer: { etag: id },
    },
  ]
  for (const { name, url, options, answer } of cases) {
    await t.test(name, async () => {
      const { status, headers } = (await fetchIn(page, hub.hubUrl + url, options)) ?? assert.fail('withheld')
      assert.equal(status, 200)
      assert.deepEqual({ ...headers, ...answer }, headers)
    })
  }
})
