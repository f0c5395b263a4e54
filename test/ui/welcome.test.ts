import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import { openChromium } from '../support/chromium.ts'
import { curlMissing } from '../support/curl.ts'
import { startHub } from '../support/hub.ts'
import { startProxy } from '../support/proxy.ts'

const chromium = await openChromium()
after(() => chromium.close())
const skip = chromium.missing

/** As `mercure.yaml` has it. */
const settings = { demo: true, jwt_key: '!ChangeThisMercureHubJWTSecretKey!' }

/** Opens the page; what the browser complains of is kept. */
async function openWelcome(url: string): Promise<Page & { complaints: string[] }> {
  const complaints: string[] = []
  const page = await chromium.openPage()
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  await page.goto(url)
  return Object.assign(page, { complaints })
}

/** Resolves when the page shows this text there. */
const shows = (page: Page, selector: string, text: string) =>
  page.locator(selector).filter({ hasText: text }).first().waitFor()

test('the page and its parts come from the hub, under its content security policy', async t => {
  await using hub = await startHub(settings)
  const parts = [
    { path: '/', type: 'text/html; charset=utf-8' },
    { path: '/ui/welcome.css', type: 'text/css; charset=utf-8' },
    { path: '/ui/welcome.js', type: 'text/javascript; charset=utf-8' },
    { path: '/ui/icon.svg', type: 'image/svg+xml' },
  ]
  const html = await (await hub.fetch('/')).text()
  for (const { path, type } of parts) {
    await t.test(path, async () => {
      const { status, headers } = await hub.fetch(path)
      assert.equal(status, 200)
      assert.equal(headers.get('content-type'), type)
      assert.equal(headers.get('content-security-policy'), "default-src 'self'")
    })
  }
  await t.test('it names no other part', () => {
    const named = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(match => match[1])
    assert.deepEqual(
      named.filter(path => !parts.some(part => part.path === path)),
      [],
    )
  })
})

test('there is no page without demo', async () => {
  await using hub = await startHub({ ...settings, demo: false })
  for (const path of ['/', '/ui/welcome.js']) assert.equal((await hub.fetch(path)).status, 404)
})

test('the page subscribes, publishes, and shows what comes, as text', { skip }, async () => {
  await using hub = await startHub(settings)
  await using page = await openWelcome(hub.url)
  await shows(page, '#state', 'subscribed')
  await page.getByRole('button', { name: 'Publish' }).click()
  await shows(page, '#updates li', 'Hello')
  await page.getByRole('textbox').fill('<b onclick="x()">second</b>')
  await page.getByRole('textbox').press('Enter')
  await shows(page, '#updates li', '<b onclick="x()">second</b>')
  const updates = await page.locator('#updates li span').allTextContents()
  assert.deepEqual(updates, ['<b onclick="x()">second</b>', 'Hello'])
  assert.deepEqual(page.complaints, [])
})

test('the line that the page shows publishes in a terminal', { skip: skip || curlMissing }, async () => {
  await using hub = await startHub(settings)
  await using page = await openWelcome(hub.url)
  await shows(page, '#state', 'subscribed')
  const line = await page.locator('#curl').innerText()
  const published = promisify(execFile)('sh', ['-c', line])
  await shows(page, '#updates li', 'Hello')
  assert.equal((await published).stdout, await page.locator('#updates li').getAttribute('title'))
})

test('the page says when it has lost the hub, and when it is back', { skip }, async () => {
  const first = await startHub(settings)
  await using proxy = await startProxy(first.url)
  await using page = await openWelcome(proxy.url)
  await shows(page, '#state', 'subscribed')
  await first.close()
  await shows(page, '#state', 'reconnecting')
  await using second = await startHub(settings)
  proxy.target = second.url
  await shows(page, '#state', 'subscribed')
})

test('the page says why it may not', { skip }, async t => {
  await using hub = await startHub({ demo: true, allow_anonymous: false })
  await using page = await openWelcome(hub.url)
  await t.test('subscribe', () => shows(page, '#state', 'refused'))
  await t.test('publish', async () => {
    await page.getByRole('button', { name: 'Publish' }).click()
    await shows(page, '#problem', 'token_signature:')
  })
})

test('the page fits a small screen', { skip }, async () => {
  await using hub = await startHub(settings)
  await using page = await openWelcome(hub.url)
  await page.setViewportSize({ width: 320, height: 600 })
  await shows(page, '#state', 'subscribed')
  await page.getByRole('textbox').fill('x'.repeat(500))
  await page.getByRole('button', { name: 'Publish' }).click()
  await shows(page, '#updates li', 'xxx')
  assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 320)
})
