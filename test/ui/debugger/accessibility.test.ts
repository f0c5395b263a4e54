import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { openChromium } from '../../support/chromium.ts'
import { openDebugger, rowsOf, showsRow } from '../../support/debugger-page.ts'
import { startHub } from '../../support/hub.ts'

const chromium = await openChromium()
after(() => chromium.close())
const skip = chromium.missing

const settings = { demo: true, subscriptions: true, jwt_key: '!ChangeThisMercureHubJWTSecretKey!' }
/** What the page looks like, for people to look at. */
const keepPicture = (page: Page, name: string) =>
  page.screenshot({
    path: fileURLToPath(new URL(`../../artefacts/debugger-${name.toLowerCase()}.png`, import.meta.url)),
    fullPage: true,
  })

const tabs = ['Live', 'Connect', 'Subscriptions', 'Hub'] as const

/** What of it would keep people out, one line each. */
async function findBarriers(page: Page): Promise<string[]> {
  // Beside the page, not as a script in it: the page's security policy stays as it is.
  await page.evaluate(axe.source)
  const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))
}

/** Every panel with something in it. */
async function fill({ page, openStream, publish, openTab }: Awaited<ReturnType<typeof openDebugger>>): Promise<void> {
  const card = await openStream([['topic', '*']])
  await publish({ topics: 'https://example.com/1', data: `{"long": "${'x'.repeat(500)}"}`, type: 'book.updated' })
  await showsRow(card, 'book.updated')
  await rowsOf(card).first().click()
  for (const summary of await page.getByText('In a terminal').all()) await summary.click()
  await openTab('Connect')
  await page.getByText('Header and claims').click()
  await page.getByRole('button', { name: 'Ask the hub' }).click()
  await page.locator('.verdict').waitFor()
  await openTab('Subscriptions')
  await page.locator('.subscriptions').getByText('live', { exact: true }).waitFor()
  await openTab('Hub')
  await page.getByText('answers here').waitFor()
  await page.getByText('All figures').click()
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious in ${colorScheme}`, { skip }, async t => {
    await using hub = await startHub(settings)
    await using view = await openDebugger(chromium, hub.url)
    await view.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await t.test('an empty page', async () => {
      assert.deepEqual(await findBarriers(view.page), [])
    })
    await fill(view)
    for (const tab of tabs) {
      await t.test(tab, async () => {
        await view.openTab(tab)
        assert.deepEqual(await findBarriers(view.page), [])
        await keepPicture(view.page, `${colorScheme}-${tab}`)
      })
    }
    await t.test('and does find what is put there', async () => {
      await view.page.evaluate("document.querySelector('main').append(document.createElement('input'))")
      assert.match((await findBarriers(view.page)).join('\n'), /^label: <input>/)
    })
  })
}

test('the page fits 380 pixels', { skip }, async t => {
  await using hub = await startHub(settings)
  await using view = await openDebugger(chromium, hub.url)
  await fill(view)
  await view.page.setViewportSize({ width: 380, height: 800 })
  for (const tab of tabs) {
    await t.test(tab, async () => {
      await view.openTab(tab)
      assert.equal(await view.page.evaluate('document.documentElement.scrollWidth'), 380)
      assert.deepEqual(await findBarriers(view.page), [])
      await keepPicture(view.page, `narrow-${tab}`)
    })
  }
})

test('the keyboard alone goes everywhere', { skip }, async t => {
  await using hub = await startHub(settings)
  await using view = await openDebugger(chromium, hub.url)
  const { page } = view
  const focused = (): Promise<string> =>
    page.evaluate(
      `(({ activeElement: e }) => e.getAttribute('aria-label') ?? (e.labels?.[0] ?? e).textContent.trim())(document)`,
    )
  /** Presses Tab until it is there, and says what was passed. */
  const tabTo = async (name: RegExp): Promise<string[]> => {
    const passed: string[] = []
    for (let presses = 0; presses < 40; presses++) {
      await page.keyboard.press('Tab')
      const at = await focused()
      passed.push(at)
      if (name.test(at)) return passed
    }
    throw new Error(`${name} is not reached: ${passed.join(', ')}`)
  }
  await t.test('a stream is opened, an update published and read', async () => {
    await tabTo(/^Live$/)
    await tabTo(/^Open stream$/)
    await page.keyboard.press('Enter')
    await page.locator('.stream[data-state="open"]').waitFor()
    await tabTo(/^Data$/)
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.type('by keyboard')
    await page.keyboard.press('Control+Enter')
    const card = page.locator('.stream')
    await showsRow(card, 'by keyboard')
    for (let presses = 0; (await focused()) !== 'Updates of stream 1' && presses < 40; presses++)
      await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('ArrowDown')
    const detail = card.getByRole('region', { name: 'The selected update' })
    await detail.getByText('by keyboard').waitFor()
    const active = await card.getByRole('grid').getAttribute('aria-activedescendant')
    assert.equal(await page.locator(`[id="${active}"]`).getAttribute('aria-selected'), 'true')
    await page.keyboard.press('Escape')
    await detail.waitFor({ state: 'detached' })
  })
  await t.test('what goes away leaves the focus to what is in its place', async () => {
    await tabTo(/^Live$/)
    await tabTo(/^Open stream$/)
    await page.keyboard.press('Enter')
    await page.locator('.stream').nth(1).waitFor()
    await tabTo(/^Remove stream 1$/)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Stream 1' }).waitFor({ state: 'detached' })
    assert.equal(await focused(), 'Remove stream 2')
    await page.keyboard.press('Enter')
    await page.getByText('No stream is open').waitFor()
    assert.equal(await focused(), 'Open stream')
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await tabTo(/^Live$/)
    await tabTo(/^Remove matcher 2$/)
    await page.keyboard.press('Enter')
    await page.getByLabel('Matcher 2: pattern').waitFor({ state: 'detached' })
    assert.equal(await focused(), 'Matcher 1: kind')
  })
  await t.test('arrows go from tab to tab, around', async () => {
    await page.getByRole('tab', { name: 'Live' }).focus()
    for (const tab of ['Connect', 'Subscriptions', 'Hub', 'Live']) {
      await page.keyboard.press('ArrowRight')
      assert.equal(await focused(), tab)
      await page.getByRole('tabpanel', { name: tab }).waitFor()
    }
    await page.keyboard.press('End')
    assert.equal(await focused(), 'Hub')
  })
})
