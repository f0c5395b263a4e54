import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { embedHub, listenWith } from '../../support/embedding.ts'
import { startHub, type TestHub } from '../../support/hub.ts'
import { root } from '../../support/process.ts'
import { assertRefused, assertSecured } from '../../support/refusal.ts'
import { subscriberToken } from '../../support/token.ts'

const page = '/.well-known/mercure/debug/'

suite('the debugger page', () => {
  let hub: TestHub
  before(async () => {
    hub = await startHub({ debugger: true, cors_allowed_origins: ['*'] })
  })
  after(() => hub.close())

  test('is there with every file of its directory, each of its type', async () => {
    const types: Record<string, string> = {
      html: 'text/html; charset=utf-8',
      css: 'text/css; charset=utf-8',
      js: 'text/javascript; charset=utf-8',
      svg: 'image/svg+xml; charset=utf-8',
    }
    const files = await readdir(join(root, 'src/ui/debugger'), { recursive: true, withFileTypes: true })
    const names = files
      .filter(file => file.isFile())
      .map(file => join(file.parentPath, file.name).slice(join(root, 'src/ui/debugger/').length))
    assert.ok(names.includes('index.html'))
    for (const name of ['', ...names]) {
      const response = await hub.fetch(page + name)
      assert.equal(response.status, 200, name)
      assert.equal(response.headers.get('content-type'), types[name.split('.').at(-1) || 'html'] ?? 'none', name)
      assertSecured(response)
      await response.body?.cancel()
    }
  })

  test('asks for nothing that is not there, at no other address, and has nothing inline', async () => {
    const seen = new Set<string>()
    const waiting = [new URL(page, hub.url).href]
    for (const url of waiting) {
      if (seen.has(url)) continue
      seen.add(url)
      const response = await fetch(url)
      const text = await response.text()
      assert.equal(response.status, 200, url)
      for (const specifier of specifiersOf(text, response.headers.get('content-type') ?? '')) {
        assert.match(specifier, /^(\.{1,2}\/|[\w-]+(\/|\.(js|css|svg|html)$)|#)/, `${specifier} of ${url}`)
        waiting.push(new URL(specifier, url).href.replace(/#.*/, ''))
      }
    }
    for (const name of ['preact', 'preact-hooks', 'htm', 'uplot', 'eventsource-parser'])
      assert.ok(seen.has(`${hub.url}${page}vendor/${name}.js`), name)
    const html = await (await hub.fetch(page)).text()
    assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style| style=| on\w+=/)
  })

  test('is asked for again each time, and sent when it has changed', async () => {
    const { headers } = await hub.fetch(page)
    assert.equal(headers.get('cache-control'), 'no-cache')
    const again = await hub.fetch(page, { headers: { 'If-None-Match': headers.get('etag')! } })
    assert.deepEqual([again.status, await again.text()], [304, ''])
    const changed = await hub.fetch(page, { headers: { 'If-None-Match': '"of-another-version"' } })
    assert.equal(changed.status, 200)
  })

  for (const name of ['nothing.js', '..%2findex.html', '%2e%2e/subscribe.ts', 'vendor/', '__proto__', 'index%2Ehtml']) {
    test(`has no ${name}`, async () => assertRefused(await hub.fetch(page + name), 404, 'not_found'))
  }

  for (const [from, to] of [
    ['/.well-known/mercure/debug', page],
    ['/.well-known/mercure/ui', page],
    ['/.well-known/mercure/ui/', page],
  ] as const) {
    test(`${from} leads to it, behind the path of a proxy, too`, async () => {
      const { status, headers } = await hub.fetch(from, { redirect: 'manual' })
      const location = headers.get('location') ?? ''
      assert.equal(status, 302)
      assert.equal(new URL(location, hub.url + from).href, hub.url + to)
      assert.equal(new URL(location, `https://proxy.example/a${from}`).href, `https://proxy.example/a${to}`)
    })
  }

  test('and what it asks for are for no page of another origin', async () => {
    const headers = { Origin: 'https://app.example', Authorization: `Bearer ${await subscriberToken(['*'])}` }
    for (const path of [page, `${page}config.json`, `${page}hub.json`, `${page}metrics`, `${page}nothing`]) {
      const response = await hub.fetch(path, { headers })
      await response.body?.cancel()
      assert.equal(response.headers.get('access-control-allow-origin'), null, path)
    }
    for (const path of [page, `${page}token`]) {
      await assertRefused(await hub.fetch(path, { method: 'OPTIONS', headers }), 405, 'method_not_allowed')
    }
    const elsewhere = await hub.fetch('/.well-known/mercure', { headers })
    assert.equal(elsewhere.headers.get('access-control-allow-origin'), '*')
  })

  test('is not there unless it is turned on', async () => {
    await using silent = await startHub()
    for (const path of ['/', page, page.slice(0, -1), '/.well-known/mercure/ui/', `${page}hub.json`, '/playground/a'])
      await assertRefused(await silent.fetch(path), 404, 'not_found')
  })

  test('/ leads to it with demo, and without demo to nothing', async () => {
    await using demo = await startHub({ demo: true })
    const response = await demo.fetch('/')
    assert.equal(response.url, `${demo.url}${page}`)
    assert.equal(response.status, 200)
    await assertRefused(await hub.fetch('/'), 404, 'not_found')
  })

  test('is there in the server of an application', async t => {
    const embedded = await embedHub(t, { debugger: true })
    const origin = await listenWith(t, (request, response) => embedded.listener(request, response))
    assert.match(await (await fetch(origin + page)).text(), /^<!doctype html>/i)
    assert.equal((await embedded.fetch(new Request(`https://hub.example${page}vendor/htm.js`))).status, 200)
  })
})

/** What a file loads: by a tag, an import, or a style sheet. */
function specifiersOf(text: string, type: string): string[] {
  if (type.startsWith('text/html')) return [...text.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(match => match[1]!)
  if (type.startsWith('text/css')) return [...text.matchAll(/url\(["']?(?!data:)([^"')]*)/g)].map(match => match[1]!)
  if (!type.startsWith('text/javascript')) return []
  return [...text.matchAll(/(?:^|[;\n])\s*(?:import|export)\b(?:[\w$*{}\s,]*\bfrom)?\s*["']([^"'\n]+)["']/g)].map(
    match => match[1]!,
  )
}
