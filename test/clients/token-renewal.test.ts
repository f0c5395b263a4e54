import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openChromium } from '../support/chromium.ts'
import { readDocument } from '../support/documents.ts'
import { startHub } from '../support/hub.ts'
import { startSite } from '../support/site.ts'
import { signToken } from '../support/token.ts'

const chromium = await openChromium()
const site = await startSite()
after(() => Promise.all([chromium.close(), site[Symbol.asyncDispose]()]))

const topic = 'https://example.com/books/1'
const renewals = 3

/** The function that the documentation shows. */
async function readRecipe(): Promise<string> {
  const { text } = await readDocument('docs/security.md')
  return /```js\n(\/\/ [^\n]*\nfunction follow\(.*?\n\}\n)```/s.exec(text)![1]!
}

test('what docs/security.md shows loses, repeats and reorders nothing from one token to the next', {
  skip: chromium.missing,
}, async () => {
  await using hub = await startHub({
    cors_allowed_origins: [site.origin],
    allow_anonymous: false,
    transport_url: 'local://local?size=100000',
  })
  await using page = await chromium.openPage()
  await page.goto(site.origin)

  const published: string[] = []
  let stored: Promise<unknown> = Promise.resolve()
  /** One after the other, whoever publishes. */
  const publish = () => {
    const data = `update ${published.length}`
    published.push(data)
    stored = stored.then(() => hub.publish({ topic, data, private: 'on' }))
    return stored
  }
  const seconds = () => Date.now() / 1000
  const mint = (exp: number) => signToken({ exp, mercure: { subscribe: ['*'] } })
  const leaves = () =>
    hub.logs.filter(({ msg, reason }) => msg === 'subscriber left' && reason === 'token expired').length
  let renewed = 0
  let isDown = true
  /** In the time that a browser has for it, updates come; and the stream before the old one has ended. */
  const renew = async () => {
    if (isDown) {
      isDown = false
      throw new Error('the application does not answer')
    }
    for (let i = 0; i < 50; i++) await publish()
    while (leaves() < renewed) await publish()
    await page.waitForFunction('received.length > 0')
    const isLast = ++renewed === renewals
    return await mint(seconds() + (isLast ? 3600 : 2))
  }
  await page.exposeFunction('mint', renew)
  await page.evaluate(
    ([recipe, url, token]) => {
      // biome-ignore lint/suspicious/noExplicitAny: the page's own globals
      const own = globalThis as any
      const follow = own.eval(`(() => { ${recipe}; return follow })()`)
      const setCookie = (token: string) => {
        own.document.cookie = `mercureAuthorization=${token}; path=/`
      }
      setCookie(token!)
      own.received = []
      follow(
        url,
        async () => setCookie(await own.mint()),
        (event: MessageEvent) => own.received.push(event.data),
      )
    },
    [await readRecipe(), `${hub.hubUrl}?topic=${encodeURIComponent(topic)}`, await mint(seconds() + 4)],
  )
  while (renewed < renewals || leaves() < renewals) await publish()
  for (let i = 0; i < 50; i++) await publish()
  await page.waitForFunction(`received.at(-1) === ${JSON.stringify(published.at(-1))}`)
  const received = (await page.evaluate('received')) as string[]
  assert.deepEqual(received, published.slice(published.indexOf(received[0]!)))
  // Nobody has come but those whose token expired, and the last one.
  assert.equal(hub.logs.filter(({ msg }) => msg === 'new subscriber').length, renewals + 1)
  assert.equal(hub.logs.filter(({ msg }) => msg === 'request refused').length, 0)
})
