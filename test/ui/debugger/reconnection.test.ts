import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { LogDirectory } from '../../support/bolt.ts'
import { openChromium } from '../../support/chromium.ts'
import { debuggerSettings, openDebugger, rowsOf, showsRow, wideToken } from '../../support/debugger-page.ts'
import { startHub } from '../../support/hub.ts'
import { HubProcess } from '../../support/process.ts'
import { startProxy } from '../../support/proxy.ts'
import { signToken, testKey } from '../../support/token.ts'

const chromium = await openChromium()
after(() => chromium.close())
const skip = chromium.missing

const lost = ['net::', '502']

test('a cut connection is made again, and nothing is missed', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using proxy = await startProxy(hub.url)
  await using view = await openDebugger(chromium, proxy.url, lost)
  const card = await view.openStream([['topic', 'https://example.com/1']])
  await hub.publish({ topic: 'https://example.com/1', id: 'before', retry: '1' })
  await showsRow(card, 'before')
  proxy.cut()
  await hub.publish({ topic: 'https://example.com/1', id: 'meanwhile' })
  await showsRow(card, 'meanwhile')
  assert.deepEqual(await rowsOf(card).locator('.cell-id').allTextContents(), ['meanwhile', 'before'])
})

test('a hub that stops and another one in its place: the streams and the list follow', { skip }, async t => {
  const first = await startHub(debuggerSettings)
  await using proxy = await startProxy(first.url)
  await using view = await openDebugger(chromium, proxy.url, lost)
  await view.useToken(await wideToken())
  const card = await view.openStream([['topic', 'https://example.com/1']])
  await view.openTab('Subscriptions')
  await view.page.getByText('2 subscriptions of 2 subscribers').waitFor()
  await view.openTab('Live')
  await first.close()
  await t.test('the stream says that it is lost, and when it tries again', async () => {
    await card.and(view.page.locator('[data-state="retrying"]')).waitFor()
    await card.getByText(/Next try in \d+ s/).waitFor()
  })
  await using second = await startHub(debuggerSettings)
  proxy.target = second.url
  await t.test('reconnected by hand, before it is due', async () => {
    await card.getByRole('button', { name: 'Reconnect now' }).click()
    await card.and(view.page.locator('[data-state="open"]')).waitFor()
    await second.publish({ topic: 'https://example.com/1', data: 'back' })
    await showsRow(card, 'back')
  })
  await t.test('the list is read anew', async () => {
    await view.openTab('Subscriptions')
    await view.page.locator('.subscriptions').getByText('live', { exact: true }).waitFor()
    await second.subscribe('topic=https://example.com/newcomer')
    await view.page.getByRole('row').filter({ hasText: 'https://example.com/newcomer' }).waitFor()
  })
})

test('a hub that dies and starts again on its log: the stream goes on where it was', { skip }, async () => {
  await using directory = await LogDirectory.create()
  const config = [
    'addr: 127.0.0.1:0',
    `transport_url: bolt://${directory.file}`,
    `jwt_key: ${testKey}`,
    'allow_anonymous: true',
    'debugger: true',
    'log_format: json',
  ].join('\n')
  await using first = await HubProcess.start({ config })
  await using proxy = await startProxy(await first.url())
  await using view = await openDebugger(chromium, proxy.url, lost)
  await view.useToken(await wideToken())
  const card = await view.openStream([['topic', 'https://example.com/1']])
  await view.publish({ topics: 'https://example.com/1', id: 'before' })
  await showsRow(card, 'before')
  first.signal('SIGKILL')
  await card.and(view.page.locator('[data-state="retrying"]')).waitFor()
  await first.exit()
  await using second = await HubProcess.start({ config })
  proxy.target = await second.url()
  await view.publish({ topics: 'https://example.com/1', id: 'after' })
  await showsRow(card, 'after')
  assert.deepEqual(await rowsOf(card).locator('.cell-id').allTextContents(), ['after', 'before'])
  assert.equal(await card.getByText('There may be a gap').count(), 0)
})

test('a token that expires ends its stream, with the reason', { skip }, async () => {
  await using hub = await startHub({ ...debuggerSettings, allow_anonymous: false })
  await using view = await openDebugger(chromium, hub.url, ['401'])
  const token = await signToken({
    mercure: { subscribe: ['*'], publish: ['*'] },
    exp: Math.floor(Date.now() / 1000) + 3,
  })
  await view.useToken(token)
  const card = await view.openStream([['topic', '*']])
  // So short a reconnection time that the token is tried again as soon as the hub has ended the stream.
  await view.publish({ topics: 'https://example.com/1', retry: '100' })
  await card.getByText('token_expired').waitFor()
  await card.and(view.page.locator('[data-state="ended"]')).waitFor()
  await view.page
    .locator('.identity')
    .getByText(/^expired/)
    .waitFor()
})

test('a reconnection time that is longer than timers are is waited for', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using proxy = await startProxy(hub.url)
  await using view = await openDebugger(chromium, proxy.url, lost)
  const card = await view.openStream([['topic', '*']])
  await hub.publish({ topic: 'https://example.com/1', id: 'long', retry: '1000000000000' })
  await showsRow(card, 'long')
  proxy.cut()
  await card.getByText('Next try in 24 d').waitFor()
})

test('a refused stream ends with the status and the hub’s sentence', { skip }, async () => {
  await using hub = await startHub({ ...debuggerSettings, allow_anonymous: false })
  await using view = await openDebugger(chromium, hub.url, ['401'])
  const card = await view.openStream([['topic', '*']], { state: 'ended' })
  await card.getByText(/^401 token_missing: /).waitFor()
  await view.useToken(await wideToken())
  await card.getByRole('button', { name: 'Reconnect now' }).click()
  await card.and(view.page.locator('[data-state="open"]')).waitFor()
})
