import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { openChromium } from '../support/chromium.ts'
import { startHub } from '../support/hub.ts'
import { startProxy } from '../support/proxy.ts'
import { type Reception, receiveFrom } from '../support/reception.ts'
import { publishAcross } from '../support/reconnection.ts'
import { startSite } from '../support/site.ts'
import { subscriberToken } from '../support/token.ts'

const chromium = await openChromium()
const site = await startSite()
after(() => Promise.all([chromium.close(), site[Symbol.asyncDispose]()]))

const skip = chromium.missing
const settings = {
  cors_allowed_origins: [site.origin],
  allow_anonymous: false,
  transport_url: 'local://local?size=10000',
}
const topic = 'https://example.com/books/1'
const query = `?topic=${encodeURIComponent(topic)}`

async function openPage(): Promise<Page> {
  const page = await chromium.openPage()
  await page.goto(site.origin)
  return page
}

/** Subscribes by @microsoft/fetch-event-source as it is delivered to browsers, with a token in the header. */
async function fetchEventSourceIn(page: Page, url: string, token: string): Promise<Reception> {
  const { reception, report } = await receiveFrom(page)
  await page.evaluate(
    async ([module, url, token, report]) => {
      const tell = Reflect.get(globalThis, report)
      const { fetchEventSource } = await import(module)
      fetchEventSource(url, {
        headers: { Authorization: `Bearer ${token}` },
        onopen: async (response: Response) => tell(response.ok ? 'open' : 'closed'),
        onmessage: ({ event, data, id }: { event: string; data: string; id: string }) =>
          tell({ type: event === '' ? 'message' : event, data, lastEventId: id }),
      })
    },
    ['/fetch-event-source/fetch', url, token, report] as const,
  )
  return reception
}

test('fetch-event-source in Chromium receives what the token in its header grants', { skip }, async () => {
  await using hub = await startHub(settings)
  await using page = await openPage()
  const received = await fetchEventSourceIn(page, hub.hubUrl + query, await subscriberToken([topic]))
  await received.untilOpened()
  const id = await hub.publish({ topic, data: 'several\nlines', type: 'book.created', private: 'on' })
  assert.deepEqual(await received.take(), [{ type: 'book.created', data: 'several\nlines', lastEventId: id }])
})

test('fetch-event-source in Chromium loses and repeats nothing across broken connections', { skip }, async () => {
  await using hub = await startHub(settings)
  await using proxy = await startProxy(hub.url)
  await using page = await openPage()
  const url = `${proxy.url}/.well-known/mercure${query}`
  const received = await fetchEventSourceIn(page, url, await subscriberToken([topic]))
  const during = (count: number) => {
    if (count % 40 === 0) proxy.cut()
  }
  await publishAcross(5, { hub, received, topic, during })
})

test('fetch-event-source in Chromium is told why it is refused', { skip }, async () => {
  await using hub = await startHub(settings)
  await using page = await openPage()
  const received = await fetchEventSourceIn(page, hub.hubUrl + query, `${'x'.repeat(60)}.y.z`)
  await received.untilClosed()
})
