import assert from 'node:assert/strict'
import type { Locator, Page } from 'playwright-core'
import type { Chromium } from './chromium.ts'
import { signAccessToken, signToken } from './token.ts'

/** The debugger page in a browser, driven as a person does. */
export interface DebuggerPage extends AsyncDisposable {
  readonly page: Page
  openTab(name: 'Live' | 'Connect' | 'Subscriptions' | 'Hub'): Promise<void>
  /** Pastes a token on the Connect tab; the page presents it from then on. */
  useToken(token: string): Promise<void>
  /** Opens a stream of these matchers, and waits until it is in that state. @returns its card */
  openStream(matchers: Matchers, options?: { lastEventId?: string; state?: string }): Promise<Locator>
  /** Fills the form and publishes. @returns the id that the hub has answered */
  publish(fields: {
    topics: string
    data?: string
    type?: string
    id?: string
    retry?: string
    private?: boolean
  }): Promise<string>
}

type Matchers = readonly (readonly [kind: 'topic' | 'exact' | 'urlpattern', pattern: string])[]

/** Settings of a hub whose page may be seen by a test. */
export const debuggerSettings = { debugger: true, subscriptions: true }

/** A 0.x token for everything. */
export const wideToken = (): Promise<string> => signToken({ mercure: { publish: ['*'], subscribe: ['*'] } })

/** A 1.0 token for everything. */
export const wideAccessToken = (hubUrl: string, claims: Record<string, unknown> = {}): Promise<string> =>
  signAccessToken(hubUrl, [{ actions: ['publish', 'subscribe'], topics: [{ match: '*' }] }], claims)

/**
 * Opens the page of a hub. At its disposal it fails for everything that the browser has complained of, but for requests that failed in the
 * ways that the test has announced (`net::…`, or a status).
 */
export async function openDebugger(
  chromium: Chromium,
  url: string,
  failing: readonly string[] = [],
): Promise<DebuggerPage> {
  const complaints: string[] = []
  const page = await chromium.openPage()
  page.on('pageerror', error => complaints.push(error.stack ?? error.message))
  page.on('console', message => {
    const text = message.text()
    const announced = text.startsWith('Failed to load resource') && failing.some(way => text.includes(way))
    if (['error', 'warning'].includes(message.type()) && !announced) complaints.push(text)
  })
  await page.setViewportSize({ width: 1440, height: 1100 })
  await page.goto(`${url}/.well-known/mercure/debug/`)
  await page.getByRole('button', { name: 'Open stream' }).waitFor()
  const debuggerPage: DebuggerPage = {
    page,
    openTab: name => page.getByRole('tab', { name }).click(),
    async useToken(token) {
      await debuggerPage.openTab('Connect')
      await page.getByLabel('Token', { exact: true }).fill(token)
      await debuggerPage.openTab('Live')
    },
    async openStream(matchers, { lastEventId = '', state = 'open' } = {}) {
      const rows = page.locator('.matcher-row')
      for (const [place, [kind, pattern]] of matchers.entries()) {
        if ((await rows.count()) <= place) await page.getByRole('button', { name: 'Add a matcher' }).click()
        await page.getByLabel(`Matcher ${place + 1}: kind`).selectOption(kind)
        await page.getByLabel(`Matcher ${place + 1}: pattern`).fill(pattern)
      }
      while ((await rows.count()) > matchers.length)
        await page
          .getByRole('button', { name: /^Remove matcher/ })
          .last()
          .click()
      await page.getByLabel('Last event id').fill(lastEventId)
      const number = (await page.locator('.stream').count()) + 1
      await page.getByRole('button', { name: 'Open stream' }).click()
      const card = page.locator('.stream').nth(number - 1)
      await card.and(page.locator(`[data-state="${state}"]`)).waitFor()
      return card
    },
    async publish({ topics, data = '', type = '', id = '', retry = '', private: isPrivate = false }) {
      const form = page.locator('.publish-form')
      await form.getByLabel('Topics').fill(topics)
      await form.getByLabel('Data').fill(data)
      await form.getByLabel('Type').fill(type)
      await form.getByLabel('Id').fill(id)
      await form.getByLabel('Retry').fill(retry)
      await form.getByLabel('Private').setChecked(isPrivate)
      const answered = page.waitForResponse(response => response.request().method() === 'POST')
      await form.getByRole('button', { name: 'Publish' }).click()
      const response = await answered
      assert.equal(response.status(), 200, await response.text())
      const answer = await response.text()
      await form.locator('.answered-id').filter({ hasText: answer }).waitFor()
      return answer
    },
    async [Symbol.asyncDispose]() {
      await page.close()
      assert.deepEqual(complaints, [])
    },
  }
  return debuggerPage
}

/** The rows of a stream's table, newest first. */
export const rowsOf = (card: Locator): Locator => card.locator('.update-space [role="row"]')

/** Resolves when there is a row with this text. */
export const showsRow = (card: Locator, text: string): Promise<void> =>
  rowsOf(card).filter({ hasText: text }).first().waitFor()
