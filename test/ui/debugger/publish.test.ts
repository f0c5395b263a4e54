import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { openChromium } from '../../support/chromium.ts'
import { curlMissing } from '../../support/curl.ts'
import {
  debuggerSettings,
  openDebugger,
  rowsOf,
  showsRow,
  wideAccessToken,
  wideToken,
} from '../../support/debugger-page.ts'
import { startHub } from '../../support/hub.ts'
import { publisherToken, testIssuer } from '../../support/token.ts'

const chromium = await openChromium()
after(() => chromium.close())
const skip = chromium.missing

test('an update with every field arrives as it was written', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  await view.useToken(await wideToken())
  const [canonical, alternate] = [
    await view.openStream([['topic', 'https://example.com/1']]),
    await view.openStream([['topic', 'urn:alternate']]),
  ]
  const id = await view.publish({
    topics: 'https://example.com/1\n\nurn:alternate\n',
    data: 'two\nlines',
    type: 'book',
    id: 'my-id',
    retry: '1234',
    private: true,
  })
  assert.equal(id, 'my-id')
  for (const card of [canonical, alternate]) {
    await showsRow(card, 'my-id')
    await rowsOf(card).first().click()
    const detail = await card.getByRole('region', { name: 'The selected update' }).textContent()
    assert.match(
      detail ?? '',
      /Idmy-id.*Typebook.*Retry1,234 ms from now on.*Topicshttps:\/\/example\.com\/1, urn:alternate.*two\nlines/s,
    )
  }
})

test('either generation’s token publishes; the answer is the hub’s id, and how long it took', { skip }, async t => {
  await using hub = await startHub({ ...debuggerSettings, issuers: [testIssuer] })
  for (const [generation, token] of [
    ['0.x', await wideToken()],
    ['1.0', await wideAccessToken(hub.hubUrl)],
  ] as const) {
    await t.test(generation, async () => {
      await using view = await openDebugger(chromium, hub.url)
      await view.useToken(token)
      const card = await view.openStream([['topic', '*']])
      const id = await view.publish({ topics: 'https://example.com/1', data: 'Hello' })
      assert.match(id, /^urn:uuid:/)
      await showsRow(card, 'Hello')
      assert.match((await view.page.locator('.publish-form').textContent()) ?? '', /Stored.*after [\d.]+ ms/)
    })
  }
})

test('the answer of one update is not shown for the next, which waits', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  await view.useToken(await wideToken())
  await view.publish({ topics: 'https://example.com/1', data: 'first', id: 'first-id' })
  const form = view.page.locator('.publish-form')
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  await view.page.route('**/.well-known/mercure', async route => {
    await released
    await route.continue()
  })
  await form.getByLabel('Id').fill('second-id')
  await form.getByRole('button', { name: 'Publish' }).click()
  await form.getByRole('button', { name: 'Publishing…' }).waitFor()
  await form.getByRole('status').filter({ hasText: 'Publishing…' }).waitFor()
  assert.equal(await form.locator('.answered-id').count(), 0)
  release()
  await form.locator('.answered-id').filter({ hasText: 'second-id' }).waitFor()
  await form.getByRole('button', { name: 'Publish', exact: true }).waitFor()
})

test('what was sent is kept, sent again, and edited', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  await view.useToken(await wideToken())
  const card = await view.openStream([['topic', 'https://example.com/1']])
  await view.publish({ topics: 'https://example.com/1', data: 'first', type: 'greeting' })
  await view.publish({ topics: 'https://example.com/1', data: 'second' })
  await view.page.getByRole('button', { name: 'Resend update 1' }).click()
  await view.page.getByRole('button', { name: 'Resend update 3' }).waitFor()
  await rowsOf(card).nth(2).waitFor()
  assert.deepEqual(await rowsOf(card).locator('.cell-data').allTextContents(), ['first', 'second', 'first'])
  await view.page.getByRole('button', { name: 'Edit update 1' }).click()
  assert.equal(await view.page.getByLabel('Data').inputValue(), 'first')
  assert.equal(await view.page.getByLabel('Type').inputValue(), 'greeting')
})

test('the line that the page shows publishes the same in a terminal', { skip: skip || curlMissing }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  await view.useToken(await wideToken())
  const card = await view.openStream([['topic', 'https://example.com/it’s?a=1&b=2']])
  const data = `it's "quoted" $HOME \`id\` \\ %41 + & = @file\nsecond line ✓`
  const form = view.page.locator('.publish-form')
  await form.getByLabel('Topics').fill('https://example.com/it’s?a=1&b=2')
  await form.getByLabel('Data').fill(data)
  await form.getByLabel('Type').fill("o'clock")
  await form.getByLabel('Private').check()
  await form.getByText('In a terminal').click()
  const line = await form.getByLabel('The same update with curl', { exact: true }).innerText()
  const { stdout } = await promisify(execFile)('sh', ['-c', line])
  await rowsOf(card).first().click()
  const detail = (await card.getByRole('region', { name: 'The selected update' }).textContent()) ?? ''
  assert.ok(detail.includes(data), detail)
  assert.ok(detail.includes(stdout) && detail.includes("o'clock"), detail)
})

test('a refusal is told in the hub’s words', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url, ['401'])
  const form = view.page.locator('.publish-form')
  await form.getByRole('button', { name: 'Publish' }).click()
  await form.getByText('Refused with 401').waitFor()
  await form.getByText('token_missing').waitFor()
  await view.useToken(await publisherToken('https://example.com/other'))
  await form.getByRole('button', { name: 'Publish' }).click()
  await form.getByText('topic_not_granted').waitFor()
})
