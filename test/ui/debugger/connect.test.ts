import assert from 'node:assert/strict'
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
import { publisherToken, signToken, subscriberToken, testIssuer } from '../../support/token.ts'

const chromium = await openChromium()
after(() => chromium.close())
const skip = chromium.missing

const developmentKey = '!ChangeThisMercureHubJWTSecretKey!'
const development = { ...debuggerSettings, demo: true, jwt_key: developmentKey }
const secondsFromNow = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

test('a token is decoded', { skip }, async t => {
  await using hub = await startHub({ ...debuggerSettings, issuers: [testIssuer] })
  await using view = await openDebugger(chromium, hub.url)
  await view.openTab('Connect')
  const token = view.page.getByLabel('Token', { exact: true })
  const shown = view.page.getByRole('region', { name: 'What the token says' })
  const says = (text: string) => shown.getByText(text, { exact: true }).first().waitFor()
  await t.test('of 0.x', async () => {
    await token.fill(
      await signToken({
        mercure: { publish: ['https://example.com/p'], subscribe: ['urn:{x}'], payload: { user: 'ada' } },
        sub: 'Ada',
      }),
    )
    for (const text of ['0.x', 'never expires', 'https://example.com/p', 'urn:{x}', '{"user":"ada"}', 'Ada'])
      await says(text)
  })
  await t.test('of 1.0, its time running', async () => {
    await token.fill(await wideAccessToken(hub.hubUrl, { exp: secondsFromNow(7210) }))
    for (const text of ['1.0', testIssuer.id, hub.hubUrl]) await says(text)
    await shown.getByText(/^expires in 2 h/).waitFor()
  })
  await t.test('expired', async () => {
    await token.fill(await signToken({ exp: secondsFromNow(-3700), mercure: {} }))
    await shown.getByText(/^expired 1 h/).waitFor()
  })
  for (const [kind, text, sentence] of [
    ['cut', 'eyJhbGciOiJIUzI1NiJ9.e30', /three parts/],
    ['no base64url', '!!.??.x', /header, is not base64url/],
    ['encrypted', 'a.b.c.d.e', /encrypted/],
  ] as const) {
    await t.test(kind, async () => {
      await token.fill(text)
      await shown.getByText(sentence).waitFor()
    })
  }
})

test('a token is taken out of what is pasted around it', { skip }, async t => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  const token = await wideToken()
  const [head, tail] = [token.slice(0, 40), token.slice(40)]
  for (const [kind, pasted] of [
    ['broken into lines', `${head}\n  ${tail}\n`],
    ['with the word before it', `Bearer ${token}`],
    ['a whole header', `authorization: bearer ${token}`],
    ['in quotes', `"${token}"`],
    ['in quotes of a letter', `“Bearer ${token}”\n`],
    ['a header in quotes', `'Authorization: Bearer ${head}\r\n${tail}'`],
  ] as const) {
    await t.test(kind, async () => {
      await view.useToken(pasted)
      assert.equal(await view.page.getByLabel('Token', { exact: true }).inputValue(), token)
      assert.match(await view.publish({ topics: 'https://example.com/1', data: 'Hello' }), /^urn:uuid:/)
    })
  }
})

test('what no header can carry is named, and the hub is not blamed', { skip }, async t => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  const asked: string[] = []
  view.page.on('request', request => asked.push(request.url()))
  await view.useToken(`${await wideToken()}😀`)
  const named = /Authorization cannot carry “😀” \(U\+1F600\)/
  await t.test('by the decoded token', async () => {
    await view.openTab('Connect')
    const shown = view.page.getByRole('region', { name: 'What the token says' })
    await shown.getByText(/“😀” \(U\+1F600\) is in it, which cannot be sent/).waitFor()
    await view.openTab('Live')
  })
  await t.test('by publishing', async () => {
    const form = view.page.locator('.publish-form')
    await form.getByRole('button', { name: 'Publish' }).click()
    await form.getByText('Not sent').waitFor()
    await form.getByText(named).waitFor()
  })
  await t.test('by a stream, which ends', async () => {
    const card = await view.openStream([['topic', '*']], { state: 'ended' })
    await card.getByText(named).waitFor()
  })
  await t.test('by the figures of the hub', async () => {
    await view.openTab('Hub')
    await view.page.getByRole('tabpanel', { name: 'Hub' }).getByText(named).waitFor()
  })
  assert.deepEqual(asked, [])
})

test('a token of any age fits the page, and its claims are shown as they are signed', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  const claims = '{"nbf":1e300,"exp":1.0e301,"n":12345678901234567890,"mercure":{}}'
  const encode = (text: string) => Buffer.from(text).toString('base64url')
  await view.useToken(`${encode('{"alg":"HS256"}')}.${encode(claims)}.signature`)
  await view.openTab('Connect')
  const shown = view.page.getByRole('region', { name: 'What the token says' })
  await shown.getByText('valid in over 100 years').waitFor()
  assert.equal(await view.page.evaluate('document.documentElement.scrollWidth'), 1440)
  await shown.getByText('Header and claims').click()
  assert.match(
    (await shown.getByRole('region', { name: 'Claims' }).textContent()) ?? '',
    /"nbf": 1e300,\s+"exp": 1\.0e301,\s+"n": 12345678901234567890,/,
  )
})

test('a token is kept only where the user asks for it, and never in the address', { skip }, async () => {
  await using hub = await startHub(debuggerSettings)
  await using view = await openDebugger(chromium, hub.url)
  const token = await wideToken()
  const requested: string[] = []
  view.page.on('request', request => requested.push(request.url()))
  await view.useToken(token)
  await view.openStream([['topic', '*']])
  const stored = () => view.page.evaluate('JSON.stringify([{ ...sessionStorage }, { ...localStorage }])')
  assert.equal(await stored(), '[{},{}]')
  await view.openTab('Connect')
  await view.page.getByLabel('Remember in this tab').check()
  assert.match(String(await stored()), new RegExp(`^\\[\\{"[\\w.]+":"${token}"\\},\\{\\}\\]$`))
  await view.page.reload()
  await view.openTab('Connect')
  assert.equal(await view.page.getByLabel('Token', { exact: true }).inputValue(), token)
  await view.page.getByLabel('Remember in this tab').uncheck()
  assert.equal(await stored(), '[{},{}]')
  assert.ok(requested.length > 0 && requested.every(url => !url.includes(token.slice(0, 30))))
})

test('the page connects by header, anonymously, and by cookie', { skip }, async t => {
  await using hub = await startHub({ ...development, allow_anonymous: true })
  await using view = await openDebugger(chromium, hub.url)
  const diary = 'https://example.com/diary'
  const token = await signToken({ mercure: { publish: ['*'], subscribe: [diary] } }, developmentKey)
  const publish = async (data: string) => {
    const body = new URLSearchParams({ topic: diary, data, private: 'on' })
    const authorized = { headers: { Authorization: `Bearer ${token}` } }
    const response = await hub.post(body, authorized)
    assert.equal(response.status, 200)
    assert.equal(
      (await hub.post(new URLSearchParams({ topic: diary, data: `${data}, for all` }), authorized)).status,
      200,
    )
  }
  const choose = async (mode: string) => {
    await view.openTab('Connect')
    await view.page.getByRole('radio', { name: mode }).check()
  }
  const received = async (data: string) => {
    const card = await view.openStream([['topic', diary]])
    await publish(data)
    await showsRow(card, `${data}, for all`)
    return (await rowsOf(card).locator('.cell-data').allTextContents()).reverse()
  }
  await t.test('header', async () => {
    await view.useToken(token)
    assert.deepEqual(await received('one'), ['one', 'one, for all'])
  })
  await t.test('anonymous', async () => {
    await choose('Anonymous')
    await view.openTab('Live')
    assert.deepEqual(await received('two'), ['two, for all'])
  })
  await t.test('cookie, which no script reads', async () => {
    await choose('Cookie')
    await view.page.getByRole('button', { name: 'Set the cookie' }).click()
    await view.page.getByText('now, with the token that was in the field').waitFor()
    const shown = view.page.getByRole('region', { name: 'What the cookie says' })
    await shown.getByText(diary, { exact: true }).first().waitFor()
    assert.equal(await view.page.evaluate('document.cookie'), '')
    await view.openTab('Live')
    assert.deepEqual(await received('three'), ['three', 'three, for all'])
  })
  await t.test('cookie, expired again', async () => {
    await choose('Cookie')
    await view.page.getByRole('button', { name: 'Expire it' }).click()
    await view.page.getByText('The browser was told to forget').waitFor()
    const shown = view.page.getByRole('region', { name: 'What the cookie says' })
    await shown.getByText('No cookie', { exact: true }).waitFor()
    await shown.getByRole('heading', { name: 'The token of the field, which is not the cookie' }).waitFor()
    await view.openTab('Live')
    assert.deepEqual(await received('four'), ['four, for all'])
  })
})

test('a demo hands out a token at once, and mints others', { skip }, async t => {
  const issuer = {
    id: 'https://localhost',
    publisher: { key: developmentKey, algorithm: 'HS256' },
    subscriber: { key: developmentKey, algorithm: 'HS256' },
  }
  await using hub = await startHub({ ...development, issuers: [issuer] })
  await using view = await openDebugger(chromium, hub.url)
  await t.test('the first click succeeds', async () => {
    assert.match(await view.publish({ topics: 'https://example.com/1', data: 'Hello' }), /^urn:uuid:/)
  })
  for (const generation of ['0.x', '1.0']) {
    await t.test(`one of ${generation}`, async () => {
      await view.openTab('Connect')
      const form = view.page.getByRole('form', { name: 'Mint a development token' })
      await form.getByLabel('Generation').selectOption(generation)
      await form.getByLabel('May publish').fill('https://example.com/1\nhttps://example.com/2')
      await form.getByLabel('May subscribe').fill('https://example.com/3')
      await form.getByLabel('Payload').fill('{"minted": true}')
      await form.getByLabel('Valid for, seconds').fill('120')
      await form.getByRole('button', { name: 'Mint and use' }).click()
      const shown = view.page.getByRole('region', { name: 'What the token says' })
      await shown.getByText('{"minted":true}').waitFor()
      await shown.getByText(generation, { exact: true }).waitFor()
      await shown.getByText(/^expires in (2 min|1 min \d+ s)$/).waitFor()
      await view.openTab('Live')
      assert.match(await view.publish({ topics: 'https://example.com/2', data: 'Hello' }), /^urn:uuid:/)
    })
  }
})

test('no token is minted with a key that is a secret', { skip }, async () => {
  await using hub = await startHub({ ...debuggerSettings, demo: true })
  await using view = await openDebugger(chromium, hub.url)
  await view.openTab('Connect')
  await view.page.getByText('Why?', { exact: true }).waitFor()
  assert.equal(await view.page.getByText('Mint a development token').count(), 0)
})

test('the hub is asked why it would refuse', { skip }, async t => {
  await using hub = await startHub({ ...debuggerSettings, allow_anonymous: false })
  await using view = await openDebugger(chromium, hub.url)
  await view.openTab('Connect')
  const form = view.page.getByRole('form', { name: 'Why?' })
  const verdict = view.page.locator('.verdict')
  const ask = async (token: string, action: string, topics: string) => {
    await view.page.getByLabel('Token', { exact: true }).fill(token)
    await form.getByLabel('Action').selectOption(action)
    if (action !== 'subscriptions') await form.getByLabel('Topics').fill(topics)
    await form.getByRole('button', { name: 'Ask the hub' }).click()
    await verdict.waitFor()
  }
  const says = (text: string | RegExp) => verdict.getByText(text).first().waitFor()
  await t.test('a publish: accepted', async () => {
    await ask(await publisherToken('https://example.com/1'), 'publish', 'https://example.com/1')
    await says('Accepted')
  })
  await t.test('a publish: the topic is not granted', async () => {
    await ask(await publisherToken('https://example.com/1'), 'publish', 'https://example.com/2')
    await says('Refused with 401')
    await says('topic_not_granted')
  })
  await t.test('a signature of another key', async () => {
    await ask(
      await signToken({ mercure: {} }, 'another-key-that-is-32-bytes-long!'),
      'publish',
      'https://example.com/2',
    )
    await says('token_signature')
    assert.ok((await verdict.locator('.checks [data-ok="false"]').count()) > 0)
  })
  await t.test('no token, of a hub that wants one', async () => {
    await ask('', 'subscribe', 'https://example.com/1')
    await says('token_missing')
  })
  await t.test('a subscription: accepted, with the private updates of one topic', async () => {
    await ask(
      await subscriberToken(['https://example.com/1']),
      'subscribe',
      'https://example.com/1\nhttps://example.com/2',
    )
    await says('Accepted')
    await verdict.locator('[data-ok="true"]', { hasText: 'https://example.com/1 are delivered' }).waitFor()
    await verdict.locator('[data-ok="false"]', { hasText: 'https://example.com/2 are kept back' }).waitFor()
  })
  await t.test('reading the subscriptions', async () => {
    await ask(await subscriberToken(['https://example.com/1']), 'subscriptions', '')
    await says('subscribe_not_granted')
  })
})
