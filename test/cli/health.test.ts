import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { createCertificate } from '../support/certificate.ts'
import { startHub } from '../support/hub.ts'
import { main } from '../support/process.ts'
import { freePort } from '../support/services/free-port.ts'

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs `talaria health` for a hub that these variables configure. */
const askHealth = (env: Readonly<Record<string, string>>, ...args: string[]): Promise<Outcome> =>
  new Promise(resolve => {
    const options = { cwd: tmpdir(), env: { HOME: tmpdir(), JWT_KEY: 'x', ...env } }
    const child = execFile(process.execPath, [main, 'health', ...args], options, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    )
  })

const ready = { code: 0, out: 'ready\n', err: '' }

test('a hub that is ready is well; one that takes no updates is alive, and says why it is not ready', async () => {
  await using hub = await startHub({ public_urls: ['https://hub.example'] })
  const env = { ADDR: new URL(hub.url).host }
  assert.deepEqual(await askHealth(env), ready)
  await hub.running.hub.close()
  const { code, out, err } = await askHealth(env)
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /^shutting_down: .+\n$/)
  assert.deepEqual(await askHealth(env, '--alive'), { code: 0, out: 'ok\n', err: '' })
})

test('a hub is asked where it listens: on every interface, by a flag, and by HTTPS whatever its name', async () => {
  await using certificate = await createCertificate()
  const { certFile, keyFile } = certificate
  await using hub = await startHub({ addr: ':0', cert_file: certFile, key_file: keyFile })
  const { port } = new URL(hub.url)
  for (const host of ['', '0.0.0.0', '127.0.0.1', 'localhost']) {
    assert.deepEqual(await askHealth({ CERT_FILE: certFile, KEY_FILE: keyFile }, '--addr', `${host}:${port}`), ready)
  }
})

test('an address is all that it needs, whatever else is wrong or missing', async () => {
  await using hub = await startHub()
  const { host } = new URL(hub.url)
  const args = ['--addr', host]
  assert.deepEqual(await askHealth({ JWT_KEY: '' }, ...args), ready)
  assert.deepEqual(
    await askHealth({ JWT_KEY: '', JWT_KEY_FILE: '/nowhere', HEARTBEAT_INTERVAL: 'often' }, ...args),
    ready,
  )
  const { code, err } = await askHealth({ JWT_KEY: '' }, '--addr', 'no-port')
  assert.equal(code, 1)
  assert.match(err, /^The configuration has a problem:\n {2}addr \(--addr\): /)
})

test('where no hub is, and which cannot be known, is told', async () => {
  const port = await freePort()
  assert.deepEqual(await askHealth({ ADDR: `127.0.0.1:${port}` }), {
    code: 1,
    out: '',
    err: `No hub answers at 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}.\n`,
  })
  const { code, err } = await askHealth({ ADDR: ':0' })
  assert.equal(code, 1)
  assert.match(err, /^addr has port 0/)
})

test('what answers but is no hub is not well', async () => {
  await using other = createServer((_, response) => response.writeHead(302).end('elsewhere')).listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  assert.deepEqual(await askHealth({ ADDR: `127.0.0.1:${port}` }), { code: 1, out: '', err: 'elsewhere' })
})
