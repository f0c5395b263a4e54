import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { createCertificate } from '../support/certificate.ts'
import { Connection, readAnswer } from '../support/connection.ts'
import { openSession } from '../support/http2.ts'
import { type Settings, startHub } from '../support/hub.ts'
import { keyPair, pkcs8 } from '../support/keys.ts'
import { publisherToken } from '../support/token.ts'

const path = '/.well-known/mercure'
const certificate = await createCertificate()
after(() => certificate[Symbol.asyncDispose]())
const tls = { cert_file: certificate.certFile, key_file: certificate.keyFile }

suite('what cannot be opened is told in one sentence', () => {
  const file = (name: string) => join(certificate.certFile, '..', name)
  const rows: readonly { name: string; settings: () => Settings | Promise<Settings>; message: RegExp }[] = [
    {
      name: 'no certificate file',
      settings: () => ({ ...tls, cert_file: file('none.pem') }),
      message: /^cert_file: \S+none\.pem cannot be read: ENOENT/,
    },
    {
      name: 'no key file',
      settings: () => ({ ...tls, key_file: file('none.pem') }),
      message: /^key_file: \S+none\.pem cannot be read: ENOENT/,
    },
    {
      name: 'a directory',
      settings: () => ({ ...tls, key_file: file('.') }),
      message: /^key_file: \S+ cannot be read: EISDIR/,
    },
    {
      name: 'a certificate that is none',
      settings: async () => {
        await writeFile(file('text.pem'), 'no PEM')
        return { ...tls, cert_file: file('text.pem') }
      },
      message: /^cert_file, key_file: not a certificate with its key: /,
    },
    {
      name: 'key and certificate exchanged',
      settings: () => ({ cert_file: certificate.keyFile, key_file: certificate.certFile }),
      message: /^cert_file, key_file: not a certificate with its key: /,
    },
    {
      name: 'the key of another certificate',
      settings: async () => {
        await writeFile(file('other.pem'), pkcs8(keyPair('ES256').privateKey))
        return { ...tls, key_file: file('other.pem') }
      },
      message: /^cert_file, key_file: not a certificate with its key: /,
    },
    {
      name: 'an address of another machine',
      settings: () => ({ addr: '192.0.2.1:0' }),
      message: /^addr: cannot listen on 192\.0\.2\.1:0: this machine has no such address\.$/,
    },
    {
      name: 'a name that does not exist',
      settings: () => ({ addr: 'no-such-host.invalid:0' }),
      message: /^addr: cannot listen on no-such-host\.invalid:0: /,
    },
    {
      name: 'a metrics address of another machine',
      settings: () => ({ metrics_enabled: true, metrics_addr: '192.0.2.1:0' }),
      message: /^metrics_addr: cannot listen on 192\.0\.2\.1:0: this machine has no such address\.$/,
    },
  ]
  for (const { name, settings, message } of rows) {
    test(name, async () => {
      const { key } = certificate
      await assert.rejects(
        async () => startHub(await settings()),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'configuration_invalid')
          assert.match(error.message, message)
          assert.ok(!error.message.includes(key.split('\n')[1]!), 'the key is not shown')
          return true
        },
      )
    })
  }

  test('a port that is taken', async () => {
    await using hub = await startHub()
    const { host } = new URL(hub.url)
    await assert.rejects(startHub({ addr: host }), {
      code: 'configuration_invalid',
      message: `addr: cannot listen on ${host}: another process listens there.`,
    })
    assert.equal((await hub.fetch('/healthz')).status, 200)
  })
})

suite('addresses', () => {
  const hasIPv6 = Object.values(networkInterfaces()).some(list => list?.some(({ address }) => address === '::1'))
  const rows: readonly { readonly addr: string; readonly url: RegExp; readonly skip?: string | false }[] = [
    { addr: '127.0.0.1:0', url: /^http:\/\/127\.0\.0\.1:\d+$/ },
    { addr: 'localhost:0', url: /^http:\/\/localhost:\d+$/ },
    { addr: '0.0.0.0:0', url: /^http:\/\/0\.0\.0\.0:\d+$/ },
    { addr: ':0', url: /^http:\/\/(\[::\]|0\.0\.0\.0):\d+$/ },
    { addr: '[::1]:0', url: /^http:\/\/\[::1\]:\d+$/, skip: !hasIPv6 && 'this machine has no IPv6' },
  ]
  for (const { addr, url, skip = false } of rows) {
    test(addr, { skip }, async () => {
      await using hub = await startHub({ addr })
      assert.match(hub.url, url)
      const stream = await hub.subscribe('topic=a')
      await hub.publish({ topic: 'a', data: 'x' })
      assert.deepEqual(
        (await stream.take()).map(({ data }) => data),
        ['x'],
      )
    })
  }

  test('an idle connection is kept longer than those in front of the hub keep theirs', async () => {
    await using hub = await startHub()
    const response = await hub.fetch('/healthz')
    assert.match(response.headers.get('keep-alive') ?? '', /^timeout=(?!60$)[6-9]\d$/)
  })

  test('figures on an address of their own', async () => {
    await using hub = await startHub({ metrics_enabled: true, metrics_addr: '127.0.0.1:0' })
    const answer = await fetch(hub.running.metricsUrl!)
    assert.equal(answer.status, 200)
    assert.match(await answer.text(), /^mercure_subscribers_connected 0$/m)
    assert.equal((await hub.fetch('/metrics')).status, 404)
  })
})

suite('closing', { concurrency: true }, () => {
  /** Longer than a test may take: whoever waits for it fails. */
  const never = { shutdown_timeout: '10m' }
  const get = 'GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n'

  test('ends connections that are idle, or were never used', async () => {
    const hub = await startHub(never)
    const [idle, unused] = [(await Connection.open(hub.url)).send(get), await Connection.open(hub.url)]
    await idle.until(text => text.endsWith('ok\n'))
    await hub.close()
    await Promise.all([idle.end(), unused.end()])
  })

  test('answers who had connected before, and asks in that moment', async () => {
    const hub = await startHub()
    const fresh = await Promise.all(Array.from({ length: 20 }, () => Connection.open(hub.url)))
    // Connections are accepted in their order: those are, too.
    await (await hub.fetch('/healthz')).text()
    const body = 'topic=a'
    const type = 'Content-Type: application/x-www-form-urlencoded'
    const lines = [`POST ${path} HTTP/1.1`, 'Host: hub', `Authorization: Bearer ${await publisherToken()}`, type]
    const publication = `${[...lines, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`
    const closed = hub.close()
    for (const connection of fresh) connection.send(publication)
    for (const connection of fresh) {
      const { status, headers } = readAnswer(await connection.end())
      assert.deepEqual([status, headers.connection], [200, 'close'])
    }
    await closed
  })

  test('ends streams, and their connections with them', async () => {
    const hub = await startHub(never)
    const connection = (await Connection.open(hub.url)).send(`GET ${path}?topic=a HTTP/1.1\r\nHost: hub\r\n\r\n`)
    await connection.until(text => text.includes(':\n'))
    await hub.close()
    assert.match(await connection.end(), /\r\n0\r\n\r\n$/)
    assert.deepEqual(
      hub.logs.filter(({ msg }) => msg === 'subscriber left').map(({ reason }) => reason),
      ['shutdown'],
    )
    assert.deepEqual(
      hub.logs.slice(-1).map(({ msg }) => msg),
      ['stopped'],
    )
  })

  test('ends streams over HTTP/2, idle sessions, and connections of HTTP/1.1 beside them', async () => {
    const hub = await startHub({ ...never, ...tls })
    await using busy = await openSession(hub)
    await using idle = await openSession(hub)
    const stream = busy.request().read()
    await stream.until(() => stream.text !== '')
    const old = new Connection(
      connectTls({ port: Number(new URL(hub.url).port), host: '127.0.0.1', ca: certificate.cert }),
    )
    await old.send(get).until(text => text.endsWith('ok\n'))
    await hub.close()
    await stream.end()
    assert.equal(stream.stream.rstCode, 0, 'a clean end')
    await old.end()
    for (const { session } of [busy, idle]) if (!session.closed) await once(session, 'close')
  })

  test('lets a request that is under way be answered, and then ends its connection', async () => {
    const hub = await startHub(never)
    const body = 'topic=a&data=x'
    const head = `POST ${path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${await publisherToken()}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n`
    const connection = (await Connection.open(hub.url)).send(head + body.slice(0, 5))
    await hub.fetch('/healthz')
    const closed = hub.running.close()
    connection.send(body.slice(5))
    assert.equal(readAnswer(await connection.end()).status, 200)
    await closed
  })

  test('cuts what is still busy after shutdown_timeout', async () => {
    const hub = await startHub({ shutdown_timeout: '200ms' })
    const connection = (await Connection.open(hub.url)).send(
      `POST ${path} HTTP/1.1\r\nHost: hub\r\nContent-Length: 10\r\n\r\nhalf`,
    )
    await connection.until(text => text.includes('\r\n\r\n'))
    const half = (await Connection.open(hub.url)).send('GET /healthz HTTP/1.1\r\n')
    await hub.fetch('/healthz')
    await hub.close()
    await Promise.all([connection.end(), half.end()])
  })

  test('does so only once, however often it is asked', async () => {
    const hub = await startHub(never)
    await Promise.all([hub.running.close(), hub.running.close()])
    await hub.close()
    assert.equal(hub.logs.filter(({ msg }) => msg === 'stopped').length, 1)
    await assert.rejects(hub.fetch('/healthz'))
  })
})
