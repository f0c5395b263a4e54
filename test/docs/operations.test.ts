import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { readDocument } from '../support/documents.ts'
import { EventStream } from '../support/event-stream.ts'
import { startHub } from '../support/hub.ts'
import { root } from '../support/process.ts'
import { freePort } from '../support/services/free-port.ts'
import { missing } from '../support/services/missing.ts'
import { testIssuer } from '../support/token.ts'

const page = await readDocument('docs/operations.md')
const nginxMissing = spawnSync('nginx', ['-v']).error !== undefined && missing('this machine has no nginx')

describe('the nginx of docs/operations.md', { skip: nginxMissing }, () => {
  test('passes streams on as they come, and says which URL was asked for', async () => {
    await using hub = await startHub({ use_forwarded_headers: true, issuers: [testIssuer] })
    const directory = await mkdtemp(join(tmpdir(), 'talaria-nginx-'))
    const port = await freePort()
    const location = page.snippets
      .find(({ language }) => language === 'nginx')!
      .text.replace('http://127.0.0.1:3000', hub.url)
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      name => `${name}_temp_path ${directory}/${name};`,
    )
    await writeFile(
      join(directory, 'nginx.conf'),
      `daemon off; master_process off; pid ${directory}/pid; error_log stderr notice; events {}
       http { access_log off; ${temporary.join(' ')} server { listen 127.0.0.1:${port}; ${location} } }`,
    )
    const nginx = spawn('nginx', ['-p', directory, '-c', 'nginx.conf', '-e', 'stderr'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const ended = once(nginx, 'close')
    try {
      for await (const line of createInterface(nginx.stderr)) if (/start worker|using the|OS: /.test(line)) break
      nginx.stderr.resume()
      const url = `http://127.0.0.1:${port}/.well-known`
      const stream = await EventStream.open(`${url}/mercure?topic=*`)
      const id = await hub.publish({ topic: 'https://example.com/1', data: 'x' })
      assert.equal((await stream.take())[0]?.id, id)
      stream.close()
      const metadata = await (await fetch(`${url}/oauth-protected-resource/.well-known/mercure`)).json()
      assert.equal((metadata as { resource: string }).resource, `${url}/mercure`)
    } finally {
      nginx.kill()
      await ended
      await rm(directory, { recursive: true })
    }
  })
})

test('the drawing of docs/architecture.md names files and functions that there are', async () => {
  const { text } = await readDocument('docs/architecture.md')
  const [drawing = ''] = /^```\n an update.*?^```$/ms.exec(text) ?? []
  const named = [...drawing.matchAll(/((?:http|hub|transports)\/[\w-]+\.ts)(?: +(\w+)\(\))?/g)]
  assert.ok(named.length > 8)
  for (const [, file = '', name] of named) {
    const path = join(root, file.startsWith('transports/') ? '' : 'src', file)
    assert.ok(existsSync(path), file)
    if (name !== undefined)
      assert.match(await readFile(path, 'utf8'), new RegExp(`\\b${name}\\(`), `${file}: ${name}()`)
  }
})
