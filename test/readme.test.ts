import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { jwtVerify } from 'jose'
import { loadConfig } from '../src/config/load.ts'
import { LogDirectory } from './support/bolt.ts'
import { openChromium } from './support/chromium.ts'
import { curlMissing } from './support/curl.ts'

// The first screen of the README, run as it stands there, but for the port, which may be taken, and the log, which is one of its own.
const root = fileURLToPath(new URL('..', import.meta.url))
const readme = await readFile(join(root, 'README.md'), 'utf8')
const { config } = await loadConfig({ cwd: root, env: {} })
const shippedUrl = 'http://127.0.0.1:3000'

const blocks = [...readme.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text = '']) => ({ language, text }))
const findBlock = (language: string, start: string): string => {
  const block = blocks.find(block => block.language === language && block.text.startsWith(start))
  return block?.text ?? assert.fail(`README.md has no ${language} block that begins with ${start}`)
}
const startCommand = findBlock('sh', 'npm start')
const html = findBlock('html', '<!doctype html>')
const curlLine = findBlock('sh', 'curl')
const tokenCommand = /`(npm run talaria -- token [^`]*)`/.exec(readme)?.[1] ?? assert.fail('README.md mints no token')

const chromium = await openChromium()
let url = ''
let stop = async (): Promise<void> => {}
before(async () => {
  const hub = await startHub()
  url = hub.url
  stop = hub.stop
})
after(() => Promise.all([chromium.close(), stop()]))

/** Runs the command of the README as a process of its own; it has started when its log says where it listens. */
async function startHub(): Promise<{ url: string; stop: () => Promise<void> }> {
  const directory = await LogDirectory.create()
  const env = { ...process.env, ADDR: '127.0.0.1:0', TRANSPORT_URL: `bolt://${directory.file}` }
  // A process group of its own: npm, its shell and the hub end together.
  const hub = spawn('sh', ['-c', startCommand], {
    cwd: root,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(hub, 'close')
  const stop = async () => {
    process.kill(-hub.pid!, 'SIGTERM')
    await closed
    await directory[Symbol.asyncDispose]()
  }
  let log = ''
  for await (const line of createInterface(hub.stdout)) {
    log += `${line}\n`
    const [, url] = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? []
    if (url === undefined) continue
    hub.stdout.resume()
    return { url, stop }
  }
  return assert.fail(`the hub of the README ended:\n${log}`)
}

const runShell = async (command: string): Promise<string> => {
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { cwd: root })
  return stdout
}

test('the hub of mercure.yaml is where the README says', () => {
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 3000 })
  for (const part of [html, curlLine]) assert.ok(part.includes(shippedUrl), part)
})

test('the page has five lines', () => assert.equal(html.trimEnd().split('\n').length, 5))

test('the page shows what the curl line publishes', { skip: chromium.missing || curlMissing }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'talaria-readme-'))
  const file = join(dir, 'greetings.html')
  await writeFile(file, html.replaceAll(shippedUrl, url))
  try {
    await using page = await chromium.openPage()
    const subscribed = page.waitForResponse(response => response.url().startsWith(url))
    await page.goto(pathToFileURL(file).href)
    assert.equal((await subscribed).status(), 200)
    const id = await runShell(curlLine.replaceAll(shippedUrl, url))
    assert.match(id, /^urn:uuid:[0-9a-f-]{36}$/)
    await page.locator('#updates li').waitFor()
    assert.deepEqual(await page.locator('#updates li').allTextContents(), ['Hello'])
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('the page at the hub itself is the debugger', { skip: chromium.missing }, async () => {
  await using page = await chromium.openPage()
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  await page.goto(url)
  assert.equal(page.url(), `${url}/.well-known/mercure/debug/`)
  await page.getByRole('button', { name: 'Publish' }).first().waitFor()
  assert.deepEqual(complaints, [])
})

test('the command that mints a token mints one that publishes', { skip: curlMissing }, async () => {
  const token = (await runShell(tokenCommand)).trimEnd().split('\n').at(-1) ?? ''
  const line = curlLine.replaceAll(shippedUrl, url).replace(/Bearer [^']*/, `Bearer ${token}`)
  assert.match(await runShell(line), /^urn:uuid:/)
})

test('the token of the README is signed with the key of mercure.yaml', async () => {
  const [token = ''] = /eyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(curlLine) ?? []
  const { publisher } = config.keys
  assert.ok(publisher !== null && 'key' in publisher)
  const { payload } = await jwtVerify(token, new TextEncoder().encode(publisher.key))
  assert.deepEqual(payload, { mercure: { publish: ['*'] } })
})
