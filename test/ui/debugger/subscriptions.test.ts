import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openChromium } from '../../support/chromium.ts'
import { debuggerSettings, openDebugger, wideAccessToken, wideToken } from '../../support/debugger-page.ts'
import { startHub } from '../../support/hub.ts'
import { signAccessToken, subscriberToken, testIssuer } from '../../support/token.ts'

const chromium = await openChromium()
after(() => chromium.close())
const skip = chromium.missing

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })

test('who is subscribed comes and goes, in both generations', { skip }, async t => {
  await using hub = await startHub({ ...debuggerSettings, issuers: [testIssuer] })
  const ada = await hub.subscribe(
    'topic=https://example.com/books/{id}',
    bearer(await subscriberToken([], { user: 'ada' })),
  )
  await using view = await openDebugger(chromium, hub.url)
  await view.useToken(await wideToken())
  await view.openTab('Subscriptions')
  const [older, newer] = ['0.x', '1.0'].map(generation =>
    view.page.locator(`.subscriptions[data-generation="${generation}"]`),
  )
  const row = (list: typeof older, text: string) => list!.getByRole('row').filter({ hasText: text })
  await t.test('who was there, with the payload and the node', async () => {
    const first = row(older, 'https://example.com/books/{id}')
    await first.filter({ hasText: '{"user":"ada"}' }).waitFor()
    const answer = await hub.fetch('/.well-known/mercure/debug/hub.json', bearer(await wideToken()))
    const { node } = (await answer.json()) as { node: string }
    await first.locator(`[title="${node}"]`).waitFor()
  })
  await older!.getByText('live', { exact: true }).waitFor()
  await t.test('who comes', async () => {
    await hub.subscribe('topic=https://example.com/films/1')
    await row(older, 'https://example.com/films/1').waitFor()
  })
  await t.test('who goes', async () => {
    ada.close()
    await row(older, 'https://example.com/books/{id}').waitFor({ state: 'detached' })
  })
  await t.test('the filter', async () => {
    const filter = view.page.getByLabel('Filter by topic')
    await filter.fill('no such topic')
    await older!.getByText('Nothing passes the filter').waitFor()
    await filter.fill('FILMS')
    await row(older, 'https://example.com/films/1').waitFor()
    assert.equal(await older!.getByRole('row').count(), 2, 'the head and one')
    await filter.fill('')
  })
  await t.test('the other generation, with a token of its own', async () => {
    await view.page.getByLabel('Token of 1.0').fill(await wideAccessToken(hub.hubUrl))
    await newer!.getByText('live', { exact: true }).waitFor()
    const grace = await signAccessToken(hub.hubUrl, [
      { actions: ['subscribe'], topics: [{ match: '*' }], payload: { user: 'grace' } },
    ])
    const stream = await hub.subscribe('match_urlpattern=https://example.com/books/:id', bearer(grace))
    await row(newer, 'https://example.com/books/:id').filter({ hasText: '{"user":"grace"}' }).waitFor()
    stream.close()
    await row(newer, 'https://example.com/books/:id').waitFor({ state: 'detached' })
  })
})

test('the count is that of the list', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await hub.subscribe('topic=a&topic=b')
  await using view = await openDebugger(chromium, hub.url)
  await view.useToken(await wideToken())
  await view.openTab('Subscriptions')
  // The page itself is the second subscriber.
  await view.page.getByText('3 subscriptions of 2 subscribers').waitFor()
})

test('a reader who may not is told so', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url, ['401'])
  await view.useToken(await subscriberToken(['https://example.com/1']))
  await view.openTab('Subscriptions')
  await view.page.getByText('subscribe_not_granted').first().waitFor()
})

test('the lists are of the generations whose tokens the hub accepts', { skip }, async t => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  const asked: string[] = []
  view.page.on('request', request => asked.push(request.url()))
  await view.openTab('Subscriptions')
  const panel = view.page.getByRole('tabpanel', { name: 'Subscriptions' })
  await t.test('without a token nobody is asked', async () => {
    await panel.getByText('The list is for those with a token').waitFor()
    assert.equal(await panel.locator('.subscriptions').count(), 0)
    assert.deepEqual(asked, [])
  })
  await t.test('no other generation is offered', async () => {
    await view.useToken(await wideToken())
    await view.openTab('Subscriptions')
    await panel.locator('.subscriptions[data-generation="0.x"]').getByText('live', { exact: true }).waitFor()
    assert.equal(await panel.getByText('1.0').count(), 0)
  })
  await t.test('at the foot of the page it is said', async () => {
    await view.page.getByText('speaks 1.0 and 0.x, accepts tokens of 0.x').waitFor()
  })
})

test('a hub without subscriptions says what to configure', { skip }, async () => {
  await using hub = await startHub({ debugger: true })
  await using view = await openDebugger(chromium, hub.url)
  await view.openTab('Subscriptions')
  await view.page.getByText('This hub keeps no list').waitFor()
})
