import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openChromium } from '../../support/chromium.ts'
import { debuggerSettings, openDebugger, wideAccessToken, wideToken } from '../../support/debugger-page.ts'
import { startHub } from '../../support/hub.ts'
import { subscriberToken, testIssuer } from '../../support/token.ts'

const chromium = await openChromium()
after(() => chromium.close())
const skip = chromium.missing

test('the hub’s figures, for a token of either generation', { skip }, async t => {
  await using hub = await startHub({ ...debuggerSettings, issuers: [testIssuer] })
  await hub.subscribe('topic=*')
  const stream = await hub.subscribe('topic=*')
  for (let number = 0; number < 3; number++)
    await hub.publish({ topic: 'https://example.com/1', id: `update-${number}` })
  assert.equal((await hub.fetch('/.well-known/mercure?match_nonsense=1')).status, 400)
  stream.close()
  for (const [generation, token] of [
    ['0.x', await wideToken()],
    ['1.0', await wideAccessToken(hub.hubUrl)],
  ] as const) {
    await t.test(generation, async () => {
      await using view = await openDebugger(chromium, hub.url)
      await view.useToken(token)
      await view.openTab('Hub')
      const tile = (name: string, value: string) =>
        view.page
          .locator('.tile')
          .filter({ has: view.page.getByText(name, { exact: true }) })
          .filter({ hasText: value })
          .waitFor()
      await tile('Transport', 'local')
      await tile('Connections', '1')
      await tile('Published', '3')
      await view.page.getByText('6 delivered').waitFor()
      await view.page.getByText('answers here').waitFor()
      await view.page
        .getByRole('row')
        .filter({ hasText: /^Publish[\d.]+ m?s[\d.]+ m?s$/ })
        .waitFor()
      await view.page.getByText('matcher_unknown').waitFor()
      await view.page.getByText('client closed').waitFor()
      assert.equal(
        await view.page
          .getByRole('img', { name: /delivered per second/ })
          .locator('canvas')
          .count(),
        1,
      )
    })
  }
})

test('all figures are listed, and found by name', { skip }, async () => {
  await using hub = await startHub({ ...debuggerSettings, demo: true })
  await using view = await openDebugger(chromium, hub.url)
  await view.openTab('Hub')
  await view.page.getByText('All figures').click()
  await view.page.getByLabel('Filter by name').fill('mercure_updates')
  const table = view.page.getByRole('region', { name: 'All figures' })
  await table.getByRole('row').filter({ hasText: 'mercure_updates_total' }).waitFor()
  assert.equal(await table.getByRole('row').filter({ hasText: 'subscribers' }).count(), 0)
})

test('who was refused is asked for no figures until something changes', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url, ['401'])
  const asked: string[] = []
  view.page.on('request', request => asked.push(new URL(request.url()).pathname.replace(/.*\//, '')))
  await view.page.clock.install()
  await view.openTab('Hub')
  const again = view.page.getByRole('button', { name: 'Ask again' })
  await again.waitFor()
  await view.page.clock.fastForward(60_000)
  const answered = view.page.waitForResponse(/hub\.json$/)
  await again.click()
  await answered
  assert.deepEqual(asked, ['hub.json', 'hub.json'], 'at the beginning, and when it is wanted')
  await view.useToken(await wideToken())
  await view.openTab('Hub')
  await view.page.getByText('answers here').waitFor()
  const next = view.page.waitForResponse(/hub\.json$/)
  await view.page.clock.fastForward(2000)
  await next
})

test('the figures are for readers of the subscriptions', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url, ['401'])
  await view.useToken(await subscriberToken(['https://example.com/1']))
  await view.openTab('Hub')
  await view.page.getByText('subscribe_not_granted').waitFor()
  assert.equal(await view.page.locator('.tile').count(), 0)
})
