import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import { openChromium } from '../../support/chromium.ts'
import {
  debuggerSettings,
  openDebugger,
  rowsOf,
  showsRow,
  wideAccessToken,
  wideToken,
} from '../../support/debugger-page.ts'
import { startHub } from '../../support/hub.ts'
import { testIssuer } from '../../support/token.ts'

const chromium = await openChromium()
after(() => chromium.close())
const skip = chromium.missing

test('updates of every type appear, with what is known of them', { skip }, async t => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  const card = await view.openStream([['topic', 'https://example.com/books/{id}']])
  await hub.publish({ topic: 'https://example.com/books/1', id: 'plain', data: 'Hello' })
  await hub.publish({
    topic: 'https://example.com/books/2',
    id: 'typed',
    type: 'book.updated',
    retry: '2500',
    data: '{"a":[1,null,"x"]}',
  })
  await hub.publish({ topic: 'https://example.com/films/1', id: 'other', data: 'Not matched' })
  await hub.publish({ topic: 'https://example.com/books/3', id: 'markup', data: '<b onclick="x()">bold</b>' })
  await showsRow(card, 'markup')
  await t.test('the newest first, and no other', async () => {
    assert.deepEqual(await rowsOf(card).locator('.cell-id').allTextContents(), ['markup', 'typed', 'plain'])
    assert.equal(await card.locator('.received').textContent(), '3')
  })
  await t.test('as text', async () => {
    assert.equal(await rowsOf(card).first().locator('.cell-data').textContent(), '<b onclick="x()">bold</b>')
  })
  await t.test('the type and the retry, which is of that update alone', async () => {
    assert.deepEqual(await rowsOf(card).locator('.cell-type').allTextContents(), ['message', 'book.updated', 'message'])
    assert.deepEqual(await rowsOf(card).locator('.cell-retry').allTextContents(), ['', '2,500 ms', ''])
  })
  await t.test('JSON is indented in the detail', async () => {
    await rowsOf(card).nth(1).click()
    const detail = card.getByRole('region', { name: 'The selected update' })
    assert.equal(
      await detail.getByRole('region', { name: 'Data' }).textContent(),
      JSON.stringify({ a: [1, null, 'x'] }, null, 2),
    )
    assert.match((await detail.textContent()) ?? '', /Matched byhttps:\/\/example\.com\/books\/\{id\}/)
  })
})

test('JSON is shown as it was sent, numbers and repeated members too', { skip }, async t => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  const card = await view.openStream([['topic', '*']])
  const data = card.getByRole('region', { name: 'The selected update' }).getByRole('region', { name: 'Data' })
  for (const [kind, sent, shown] of [
    [
      'literals',
      '{"n":12345678901234567890,"f":1.0,"dup":1,"dup":2,"e":-1E+5,"s":"\\u0041 , : {\\" [","none":{ },"list":[1 ,[]]}',
      `{
  "n": 12345678901234567890,
  "f": 1.0,
  "dup": 1,
  "dup": 2,
  "e": -1E+5,
  "s": "\\u0041 , : {\\" [",
  "none": {},
  "list": [
    1,
    []
  ]
}`,
    ],
    ['what is no JSON', '{"n": 01,  "m":2}', '{"n": 01,  "m":2}'],
  ] as const) {
    await t.test(kind, async () => {
      await hub.publish({ topic: 'https://example.com/1', id: kind, data: sent })
      await showsRow(card, sent.slice(0, 12))
      await rowsOf(card).first().click()
      await data.getByText(shown.slice(0, 5)).first().waitFor()
      assert.equal(await data.textContent(), shown)
    })
  }
  await t.test('a hundred thousand levels, no further to the right than sixty', async () => {
    await hub.publish({ topic: 'https://example.com/1', type: 'deep', data: '['.repeat(100_000) + ']'.repeat(100_000) })
    await showsRow(card, 'deep')
    await rowsOf(card).first().click()
    await card.getByText('200,000 characters of JSON').waitFor()
    const text = (await data.textContent()) ?? ''
    assert.ok(text.startsWith('[\n  [\n    [\n') && text.length <= 500_002, text.slice(0, 40))
    assert.equal(/ {121}/.test(text), false)
  })
})

test('streams are side by side, each with its generation’s matchers', { skip }, async () => {
  await using hub = await startHub({ ...debuggerSettings, issuers: [testIssuer] })
  await using view = await openDebugger(chromium, hub.url)
  const template = await view.openStream([['topic', 'https://example.com/books/{id}']])
  const exact = await view.openStream([['exact', 'https://example.com/books/1']])
  const pattern = await view.openStream([
    ['urlpattern', 'https://example.com/books/:id'],
    ['exact', 'https://example.com/films/1'],
  ])
  await hub.publish({ topic: 'https://example.com/books/1', data: 'first' })
  await hub.publish({ topic: 'https://example.com/books/2', data: 'second' })
  await hub.publish({ topic: 'https://example.com/films/1', data: 'third' })
  await showsRow(template, 'second')
  await showsRow(exact, 'first')
  await showsRow(pattern, 'third')
  assert.deepEqual(await rowsOf(template).locator('.cell-data').allTextContents(), ['second', 'first'])
  assert.deepEqual(await rowsOf(exact).locator('.cell-data').allTextContents(), ['first'])
  assert.deepEqual(await rowsOf(pattern).locator('.cell-data').allTextContents(), ['third', 'second', 'first'])
  await view.page.getByRole('button', { name: 'Remove stream 1' }).click()
  await view.page.getByRole('heading', { name: 'Stream 1' }).waitFor({ state: 'detached' })
  assert.equal(await view.page.locator('.stream').count(), 2)
})

test('private updates reach who may have them, in either generation', { skip }, async t => {
  await using hub = await startHub({ ...debuggerSettings, issuers: [testIssuer] })
  const tokens = { '0.x': await wideToken(), '1.0': await wideAccessToken(hub.hubUrl) }
  for (const [generation, token] of Object.entries(tokens)) {
    await t.test(generation, async () => {
      await using view = await openDebugger(chromium, hub.url)
      const without = await view.openStream([['exact', 'https://example.com/diary']])
      await view.useToken(token)
      const granted = await view.openStream([['exact', 'https://example.com/diary']])
      await view.publish({ topics: 'https://example.com/diary', data: 'secret', private: true })
      await view.publish({ topics: 'https://example.com/diary', data: 'open to all' })
      await showsRow(without, 'open to all')
      await showsRow(granted, 'open to all')
      assert.deepEqual(await rowsOf(without).locator('.cell-data').allTextContents(), ['open to all'])
      assert.deepEqual(await rowsOf(granted).locator('.cell-data').allTextContents(), ['open to all', 'secret'])
    })
  }
})

test('a stream resumes after an id, and says when the hub does not have it', { skip }, async t => {
  await using hub = await startHub(debuggerSettings)
  for (const id of ['one', 'two', 'three'])
    await hub.publish({ topic: 'https://example.com/1', id, data: `update ${id}` })
  await using view = await openDebugger(chromium, hub.url)
  await t.test('after an id', async () => {
    const card = await view.openStream([['topic', '*']], { lastEventId: 'one' })
    await showsRow(card, 'three')
    assert.deepEqual(await rowsOf(card).locator('.cell-id').allTextContents(), ['three', 'two'])
    assert.equal(await card.getByText('There may be a gap').count(), 0)
  })
  await t.test('from the earliest', async () => {
    const card = await view.openStream([['topic', '*']], { lastEventId: 'earliest' })
    await showsRow(card, 'three')
    assert.equal(await rowsOf(card).count(), 3)
  })
  await t.test('after one that is unknown', async () => {
    const card = await view.openStream([['topic', '*']], { lastEventId: 'nobody-knows' })
    await card.getByText('There may be a gap').waitFor()
  })
})

test('a stream is paused, filtered, cleared, copied and exported', { skip }, async t => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  const card = await view.openStream([['topic', '*']])
  await hub.publish({ topic: 'https://example.com/1', id: 'a', type: 'fruit', data: 'apple\npie' })
  await hub.publish({ topic: 'https://example.com/1', id: 'b', data: 'Banana' })
  await showsRow(card, 'Banana')
  await t.test('paused: what comes is counted and held back', async () => {
    await card.getByRole('button', { name: 'Pause' }).click()
    await hub.publish({ topic: 'https://example.com/1', id: 'c', data: 'cherry' })
    const resume = card.getByRole('button', { name: 'Resume (1 new)' })
    await resume.waitFor()
    assert.deepEqual(await rowsOf(card).locator('.cell-id').allTextContents(), ['b', 'a'])
    await resume.click()
    await showsRow(card, 'cherry')
  })
  await t.test('filtered: by data, type or id', async () => {
    const filter = card.getByLabel('Filter updates')
    const others = { a: 'Banana', b: 'cherry', c: 'apple' }
    for (const [text, id] of [
      ['BANANA', 'b'],
      ['fruit', 'a'],
      ['cherry', 'c'],
    ] as const) {
      await filter.fill(text)
      await rowsOf(card).filter({ hasText: others[id] }).waitFor({ state: 'detached' })
      assert.deepEqual(await rowsOf(card).locator('.cell-id').allTextContents(), [id])
    }
    await filter.fill('no such thing')
    await card.getByText('Nothing passes the filter').waitFor()
    await filter.fill('')
    await showsRow(card, 'apple')
  })
  const expected = [
    { id: 'a', type: 'fruit', data: 'apple\npie', matchers: ['*'] },
    { id: 'b', data: 'Banana', matchers: ['*'] },
    { id: 'c', data: 'cherry', matchers: ['*'] },
  ]
  const readNdjson = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map(line => {
        const { time, ...rest } = JSON.parse(line)
        assert.equal(new Date(time).toISOString(), time)
        return rest
      })
  await t.test('exported as NDJSON, oldest first', async () => {
    const download = view.page.waitForEvent('download')
    await card.getByRole('button', { name: 'Export' }).click()
    const file = await download
    assert.match(file.suggestedFilename(), /\.ndjson$/)
    assert.deepEqual(readNdjson(await readFile(await file.path(), 'utf8')), expected)
  })
  await t.test('copied', async () => {
    await view.page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await card.getByRole('button', { name: 'Copy updates as NDJSON' }).click()
    await card.getByText('Copied').waitFor()
    assert.deepEqual(readNdjson(await view.page.evaluate('navigator.clipboard.readText()')), expected)
  })
  await t.test('cleared', async () => {
    await card.getByRole('button', { name: 'Clear' }).click()
    await card.getByText('Waiting for updates').waitFor()
    await hub.publish({ topic: 'https://example.com/1', id: 'd', data: 'date' })
    await showsRow(card, 'date')
    assert.equal(await rowsOf(card).count(), 1)
  })
})

test('a flood leaves the page usable, and no more than the newest updates in it', { skip }, async () => {
  await using hub = await startHub({ ...debuggerSettings, transport_url: 'local://local?size=10000' })
  await using view = await openDebugger(chromium, hub.url)
  for (let sent = 0; sent < 8000; sent += 200) {
    await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        hub.publish({ topic: 'https://example.com/1', data: `update ${sent + n}` }),
      ),
    )
  }
  const card = await view.openStream([['topic', '*']], { lastEventId: 'earliest' })
  await card.locator('.received').filter({ hasText: '8,000' }).waitFor()
  assert.ok((await rowsOf(card).count()) < 40, 'only rows in sight are elements')
  await card.getByText(/older updates no longer kept/).waitFor()
  await card.getByRole('grid').focus()
  await view.page.keyboard.press('End')
  await card.getByRole('region', { name: 'The selected update' }).waitFor()
  await rowsOf(card).and(view.page.locator('[aria-selected="true"]')).waitFor()
  assert.equal(await rowsOf(card).last().getAttribute('aria-selected'), 'true')
})

test('more streams than a browser has connections: the page says so', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  for (let number = 1; number <= 5; number++) await view.openStream([['topic', `https://example.com/${number}`]])
  assert.equal(await view.page.getByText('More streams than connections').count(), 0)
  await view.openStream([['topic', 'https://example.com/6']])
  await view.page.getByText('More streams than connections').waitFor()
})
