import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { LogDirectory } from './support/bolt.ts'
import { Connection, readAnswer } from './support/connection.ts'
import { EventStream } from './support/event-stream.ts'
import { startHub } from './support/hub.ts'
import { keyPair, publicJwk, sign } from './support/keys.ts'
import { HubProcess, main, root } from './support/process.ts'
import { publisherToken, testKey } from './support/token.ts'

const config = `
addr: 127.0.0.1:0
jwt_key: ${testKey}
allow_anonymous: true
log_format: JSON
`
const topic = 'https://example.com/a'

/** Starts a hub in a process, and waits until it listens. */
async function start(options: { config?: string; command?: string[]; env?: Record<string, string> } = {}) {
  const hub = await HubProcess.start({ ...options, config: config + (options.config ?? '') })
  return Object.assign(hub, { hubUrl: `${await hub.url()}/.well-known/mercure` })
}

async function publish(hubUrl: string, data: string): Promise<void> {
  const headers = { Authorization: `Bearer ${await publisherToken()}` }
  const response = await fetch(hubUrl, { method: 'POST', headers, body: new URLSearchParams({ topic, data }) })
  assert.equal(response.status, 200, await response.text())
}

/** Sends a signal to a hub with a stream and an idle connection, and checks how it ends. */
async function assertStopsBy(signal: NodeJS.Signals, hub: HubProcess & { hubUrl: string }): Promise<void> {
  const stream = await EventStream.open(`${hub.hubUrl}?topic=${topic}`)
  const idle = (await Connection.open(hub.hubUrl)).send('GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n')
  await idle.until(text => text.endsWith('ok\n'))
  await publish(hub.hubUrl, 'the last')
  hub.signal(signal)
  assert.deepEqual(
    (await stream.take()).map(({ data }) => data),
    ['the last'],
  )
  await stream.end()
  await idle.end()
  assert.equal(await hub.exit(), 0)
  assert.equal(hub.stderr, '')
}

/** No stack, and nothing that reads like one. */
function assertSentences(text: string): void {
  assert.notEqual(text, '')
  assert.doesNotMatch(text, /^\s+at |node:internal|Error:|\.ts:\d/m)
}

suite('a hub in a process of its own', { concurrency: 4 }, () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`${signal} ends streams and connections, and the process with 0, its log complete`, async () => {
      await using hub = await start()
      await assertStopsBy(signal, hub)
      const left = hub.log.filter(({ msg }) => msg === 'subscriber left')
      assert.deepEqual(
        left.map(({ reason }) => reason),
        ['shutdown'],
      )
      assert.deepEqual(hub.messages.slice(-3), ['shutting down', 'subscriber left', 'stopped'])
    })
  }

  test('the log as text is complete, too', async () => {
    await using hub = await start({ env: { LOG_FORMAT: 'TEXT' } })
    await assertStopsBy('SIGTERM', hub)
    assert.match(hub.stdout, /shutting down\n.*subscriber left.*stopped\n$/s)
  })

  test('signals that come together are one: what is under way is still answered', async () => {
    await using hub = await start({ config: 'shutdown_timeout: 10m\nread_timeout: 0s\nread_header_timeout: 0s' })
    const request = 'GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n'
    const busy = (await Connection.open(hub.hubUrl)).send(request.slice(0, 20))
    await fetch(new URL('/healthz', hub.hubUrl))
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM'] as const) hub.signal(signal)
    await hub.until(() => hub.messages.includes('shutting down'))
    busy.send(request.slice(20))
    assert.equal(readAnswer(await busy.end()).status, 200)
    assert.equal(await hub.exit(), 0)
    assert.deepEqual(hub.messages.slice(-2), ['shutting down', 'stopped'])
  })

  test('a signal that comes later ends it at once, whatever is under way', async () => {
    await using hub = await start({ config: 'shutdown_timeout: 10m\nread_timeout: 0s\nread_header_timeout: 0s' })
    const busy = (await Connection.open(hub.hubUrl)).send('GET /healthz HTTP/1.1\r\nHost: hub\r\n')
    await fetch(new URL('/healthz', hub.hubUrl))
    const again = setInterval(() => hub.signal('SIGTERM'), 100)
    assert.equal(await hub.exit(), 143)
    clearInterval(again)
    await busy.end()
    assert.deepEqual(hub.messages.slice(-2), ['shutting down', 'told again to stop (SIGTERM): the hub ends at once'])
  })

  test('scripts/run.mjs passes the end on, and ends as the hub does', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const command = [process.execPath, join(root, 'scripts/run.mjs'), 'src/main.ts', '--config', '{config}']
      // The script runs its program in the checkout, where a log of the developer's own may be.
      await using hub = await start({ command, config: 'transport_url: local://local' })
      await assertStopsBy(signal, hub)
      assert.deepEqual(hub.messages.slice(-1), ['stopped'])
    }
  })

  test('scripts/run.mjs ends the hub when it is orphaned: the shell of npm passes no signal on', async () => {
    // With something to do afterwards the shell stays, as npm's does.
    const command = `"${process.execPath}" scripts/run.mjs src/main.ts; true`
    await using directory = await LogDirectory.create()
    const env = { ...process.env, ADDR: '127.0.0.1:0', TRANSPORT_URL: `bolt://${directory.file}` }
    const shell = spawn('sh', ['-c', command], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    for await (const text of shell.stdout.setEncoding('utf8')) {
      if (!output.includes('listening on') && (output + text).includes('listening on')) shell.kill('SIGTERM')
      output += text
    }
    // The pipe ends when the last process that holds it has: nothing is left behind.
    assert.match(output, /stopped/)
  })

  test('a second one on the same port: 1, a sentence, no stack; the first goes on', async () => {
    await using hub = await start()
    const { host } = new URL(hub.hubUrl)
    await using second = await HubProcess.start({ config: config.replace('127.0.0.1:0', host) })
    assert.equal(await second.exit(), 1)
    assert.equal(second.stderr, `addr: cannot listen on ${host}: another process listens there.\n`)
    assertSentences(second.stdout + second.stderr)
    await publish(hub.hubUrl, 'x')
  })

  const mistakes: readonly { readonly name: string; readonly config: string; readonly says: RegExp }[] = [
    { name: 'an unknown key', config: 'adr: :3000', says: /^ {2}adr \(mercure\.yaml:6\): .*"addr"/m },
    {
      name: 'a bad value',
      config: 'heartbeat_interval: soon',
      says: /^ {2}heartbeat_interval \(mercure\.yaml:6\): "soon"/m,
    },
    { name: 'no YAML', config: 'a: b: c: [', says: /mercure\.yaml:6/ },
    {
      name: 'a transport that does not exist',
      config: 'transport_url: carrier-pigeon://roof',
      says: /transport_url.*carrier-pigeon/,
    },
    {
      name: 'a certificate that does not exist',
      config: 'cert_file: none.pem\nkey_file: none.pem',
      says: /^ {2}cert_file \(mercure\.yaml:6\): .*no such file/m,
    },
  ]
  for (const { name, config: line, says } of mistakes) {
    test(`a configuration with ${name}: 1, and sentences that say where`, async () => {
      await using hub = await HubProcess.start({ config: config + line })
      assert.equal(await hub.exit(), 1)
      assert.match(hub.stderr, says)
      assertSentences(hub.stderr)
      assert.ok(!hub.stderr.includes(testKey))
    })
  }

  test('a configuration that does not exist: 1, and a sentence', async () => {
    await using hub = await HubProcess.start({ command: [process.execPath, main, '--config', 'none.yaml'] })
    assert.equal(await hub.exit(), 1)
    assert.match(hub.stderr, /none\.yaml/)
    assertSentences(hub.stderr)
  })

  test('a log that nobody reads any more does not stop the hub', async () => {
    await using hub = await start({ config: 'debug: true' })
    hub.child.stdout!.destroy()
    for (let i = 0; i < 20; i++) await publish(hub.hubUrl, 'x'.repeat(10_000))
    hub.signal('SIGTERM')
    assert.equal(await hub.exit(), 0)
  })

  test('more connections than the process may have files: it goes on, and answers when there are fewer', async () => {
    const limited = `ulimit -n 60 && exec ${process.execPath} ${main} --config {config}`
    await using hub = await start({ command: ['sh', '-c', limited] })
    for (let round = 0; round < 3; round++) {
      const crowd = await Promise.all(Array.from({ length: 100 }, () => Connection.open(hub.hubUrl)))
      for (const connection of crowd) connection.send('GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n')
      await Promise.all(crowd.slice(0, 10).map(one => one.until(text => text.endsWith('ok\n'))))
      for (const connection of crowd) connection.abort()
      await publish(hub.hubUrl, 'x')
    }
    hub.signal('SIGTERM')
    assert.equal(await hub.exit(), 0)
  })

  for (const [name, statement] of [
    ['an exception that nothing catches', "throw new Error('a defect')"],
    ['a rejection that nothing handles', "Promise.reject(new Error('a defect'))"],
  ] as const) {
    test(`${name} is in the log as fatal, with its stack, before the process ends with 1`, async () => {
      const hook = `data:text/javascript,process.on('SIGUSR2',()=>{${statement}})`
      await using hub = await start({ command: [process.execPath, '--import', hook, main, '--config', '{config}'] })
      hub.signal('SIGUSR2')
      assert.equal(await hub.exit(), 1)
      const [{ level, err } = {}] = hub.log.slice(-1)
      const { message, stack } = err as { message: string; stack: string }
      assert.deepEqual([level, message], [60, 'a defect'])
      assert.match(stack, /\n {4}at /)
    })
  }
})

suite('closing while requests wait for something else', () => {
  test('a subscribe whose token is still being checked is refused, not half answered', async t => {
    const keys = createServer().listen(0, '127.0.0.1')
    await once(keys, 'listening')
    t.after(() => keys.close())
    const { port } = keys.address() as AddressInfo
    const asked = once(keys, 'request') as Promise<[IncomingMessage, ServerResponse]>
    const subscriber_jwks_url = `http://127.0.0.1:${port}/`
    const hub = await startHub({
      subscriber_jwks_url,
      jwt_key: '',
      publisher_jwt_key: testKey,
      shutdown_timeout: '10m',
    })
    const connection = await Connection.open(hub.url)
    const { privateKey, publicKey } = keyPair('ES256')
    const token = await sign({ mercure: { subscribe: ['*'] } }, { alg: 'ES256', key: privateKey })
    connection.send(`GET /.well-known/mercure?topic=a HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${token}\r\n\r\n`)
    const [, answer] = await asked
    // Answered after what was sent before: the hub has the subscribe by then.
    await hub.fetch('/healthz')
    const closed = hub.running.close()
    answer.end(JSON.stringify({ keys: [publicJwk(publicKey, { alg: 'ES256' })] }))
    const { status, body } = readAnswer(await connection.end())
    assert.equal(status, 503, body)
    await closed
  })
})
