import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { codings } from '../../src/http/accept-encoding.ts'
import { createCertificate } from '../support/certificate.ts'
import { openChromium } from '../support/chromium.ts'
import { startHub } from '../support/hub.ts'
import { listenIn } from '../support/reception.ts'
import { startSite } from '../support/site.ts'

const certificate = await createCertificate()
const chromium = await openChromium()
const site = await startSite()
after(() => Promise.all([chromium.close(), site[Symbol.asyncDispose](), certificate[Symbol.asyncDispose]()]))

const tls = { cert_file: certificate.certFile, key_file: certificate.keyFile }
const settings = { compress: true, cors_allowed_origins: [site.origin], transport_url: 'local://local?size=100' }
/** Short, longer than what is compressed in the event loop, and short again. */
const lengths = [0, 1, 100, 10_000, 200_000, 2, 300_000, 3]
const text = (length: number) => 'größe 漢 '.repeat(length).slice(0, length)

for (const coding of [undefined, ...codings]) {
  for (const [protocol, transport] of [
    ['HTTP/1.1', {}],
    ['HTTP/2', tls],
  ] as const) {
    const name = `EventSource in Chromium, ${coding ?? 'with the codings that it offers'}, ${protocol}`
    test(`${name}: each event when it is published`, { skip: chromium.missing }, async () => {
      await using hub = await startHub({ ...settings, ...transport })
      await using page = await chromium.openPage()
      if (coding !== undefined) await page.setExtraHTTPHeaders({ 'Accept-Encoding': coding })
      await page.goto(site.origin)
      const response = page.waitForResponse(`${hub.hubUrl}*`)
      const received = await listenIn(page, `${hub.hubUrl}?topic=a`)
      await received.untilOpened()
      assert.equal((await response).headers()['content-encoding'], coding ?? 'gzip')
      for (const length of lengths) {
        const lastEventId = await hub.publish({ topic: 'a', data: text(length) })
        assert.deepEqual(await received.take(), [{ type: 'message', data: text(length), lastEventId }])
      }
      assert.equal(received.opened, 1)
    })
  }
}

for (const coding of codings) {
  test(`fetch of Node, ${coding}: each event when it is published, and a clean end`, async () => {
    await using hub = await startHub(settings)
    const stream = await hub.subscribe('topic=a', { headers: { 'Accept-Encoding': coding } })
    assert.equal(stream.response.headers.get('content-encoding'), coding)
    for (const length of lengths) {
      const id = await hub.publish({ topic: 'a', data: text(length) })
      assert.deepEqual(await stream.take(), [{ id, event: undefined, data: text(length) }])
    }
    await hub.running.close()
    await stream.end()
    assert.equal(stream.events.length, lengths.length)
  })
}
