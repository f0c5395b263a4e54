import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openChromium } from '../support/chromium.ts'
import { startHub } from '../support/hub.ts'
import { listenIn } from '../support/reception.ts'
import { startSite } from '../support/site.ts'

const chromium = await openChromium()
const site = await startSite()
after(() => Promise.all([chromium.close(), site[Symbol.asyncDispose]()]))

const skip = chromium.missing
const settings = { cors_allowed_origins: [site.origin] }

test('EventSource in Chromium comes back, whether the hub that stops ends its stream or takes it no more', {
  skip,
}, async () => {
  await using stopping = await startHub(settings)
  await using page = await chromium.openPage()
  await page.goto(site.origin)
  const served = await listenIn(page, `${stopping.hubUrl}?topic=a`)
  await served.untilOpened()
  await stopping.publish({ topic: 'a', data: 'before' })
  await served.take()
  await stopping.running.hub.drain(0)
  const late = await listenIn(page, `${stopping.hubUrl}?topic=a`)
  await late.untilOpened()
  await stopping.close()
  const { host } = new URL(stopping.url)
  await using hub = await startHub({ ...settings, addr: host })
  const streams = () => hub.logs.filter(({ msg }) => msg === 'new subscriber').length
  while (streams() < 2) await hub.logged(({ msg }) => msg === 'new subscriber' && streams() >= 2)
  await hub.publish({ topic: 'a', data: 'after' })
  for (const received of [served, late]) assert.equal((await received.take())[0]!.data, 'after')
})
