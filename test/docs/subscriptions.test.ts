import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import { curlMissing } from '../support/curl.ts'
import { readDocument } from '../support/documents.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { root } from '../support/process.ts'
import { subscriberToken } from '../support/token.ts'

// The commands of docs/subscriptions.md, run as they stand there but for the port, with a token for every topic.
const page = await readDocument('docs/subscriptions.md')

let hub: TestHub
before(async () => {
  hub = await startHub({ subscriptions: true })
  for (let i = 0; i < 101; i++) await hub.subscribe(`topic=${i}`)
})
after(() => hub.close())

async function run(section: string, more = ''): Promise<string> {
  const [snippet, ...others] = page.snippets.filter(one => one.section === section && one.language === 'sh')
  assert.deepEqual(others, [])
  const env = { ...process.env, MERCURE_JWT: await subscriberToken(['*']) }
  const line = snippet!.text.replaceAll('http://127.0.0.1:3000', hub.url)
  const { stdout } = await promisify(execFile)('sh', ['-c', line + more], { env, cwd: root })
  return stdout
}

test('the token reads every list', async () => {
  const minted = await run('Who is subscribed', 'printf %s "$MERCURE_JWT"')
  assert.deepEqual(decodeJwt(minted.trim()).mercure, { subscribe: ['*'] })
})

test('the list', { skip: curlMissing }, async () => {
  assert.equal(JSON.parse(await run('The list')).subscriptions.length, 101)
})

test('how many there are', { skip: curlMissing }, async () => {
  assert.equal(JSON.parse(await run('How many')).count, 101)
})

test('a page, and where the next is', { skip: curlMissing }, async () => {
  const [head = '', body = ''] = (await run('Pages')).split('\r\n\r\n')
  assert.equal(JSON.parse(body).subscriptions.length, 100)
  assert.match(head, /^link: <[^>]*limit=100&after=[^>]*>; rel="next"$/im)
})
