import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { request as requestHttps } from 'node:https'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { createCertificate } from '../support/certificate.ts'
import { Connection, readAnswer } from '../support/connection.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { keyPair, pkcs8 } from '../support/keys.ts'
import { publisherToken } from '../support/token.ts'

const path = '/.well-known/mercure'
const certificate = await createCertificate()
after(() => certificate[Symbol.asyncDispose]())
const tls = { cert_file: certificate.certFile, key_file: certificate.keyFile }

/** A stream of HTTP/2 as it arrives; nothing of its body is asked for until `read`. */
class Exchange {
  status = 0
  headers: IncomingHttpHeaders = {}
  text = ''
  closed = false
  readonly stream: ClientHttp2Stream
  readonly #changed = new EventEmitter().setMaxListeners(0)

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream.setEncoding('utf8')
    stream.on('response', headers => {
      this.status = Number(headers[':status'])
      this.headers = headers
      this.#changed.emit('change')
    })
    stream.on('error', () => {})
    stream.on('close', () => {
      this.closed = true
      this.#changed.emit('change')
    })
  }

  read(): this {
    this.stream.on('data', (text: string) => {
      this.text += text
      this.#changed.emit('change')
    })
    return this
  }

  async until(condition: () => boolean): Promise<this> {
    while (!condition() && !this.closed) await once(this.#changed, 'change')
    assert.ok(condition(), `the stream ended first, with status ${this.status}: ${this.text}`)
    return this
  }

  async end(): Promise<this> {
    while (!this.closed) await once(this.#changed, 'change')
    return this
  }
}

/** A session of HTTP/2 with the hub, as a client holds it. */
async function openSession(
  hub: TestHub,
): Promise<
  AsyncDisposable & { session: ClientHttp2Session; request(headers?: OutgoingHttpHeaders, body?: string): Exchange }
> {
  const session = connectHttp2(hub.url, { ca: certificate.cert })
  session.on('error', () => {})
  await once(session, 'connect')
  return {
    session,
    request(headers = {}, body) {
      const stream = session.request({ ':path': `${path}?topic=a`, ...headers }, { endStream: body === undefined })
      if (body !== undefined) stream.end(body)
      return new Exchange(stream)
    },
    async [Symbol.asyncDispose]() {
      session.destroy()
    },
  }
}

const form = { ':method': 'POST', ':path': path, 'content-type': 'application/x-www-form-urlencoded' }
const authorization = async () => ({ authorization: `Bearer ${await publisherToken()}` })

suite('TLS: HTTP/2 and HTTP/1.1 on one port', { concurrency: true }, () => {
  test('a stream over HTTP/2 and one over HTTP/1.1 receive the same events', async () => {
    await using hub = await startHub(tls)
    assert.match(hub.url, /^https:\/\/127\.0\.0\.1:\d+$/)
    await using client = await openSession(hub)
    const two = client.request().read()
    const one = await hub.subscribe('topic=a')
    await two.until(() => two.text.startsWith(':\n'))
    const id = await hub.publish({ topic: 'a', data: 'x\ny', type: 'kind', retry: '7' })
    const [event] = await one.take()
    assert.deepEqual(event, { id, event: 'kind', data: 'x\ny' })
    await two.until(() => two.text.endsWith(`event: kind\nretry: 7\nid: ${id}\ndata: x\ndata: y\n\n`))
    assert.equal(two.status, 200)
    assert.equal(two.headers['content-type'], 'text/event-stream')
  })

  test('HTTP/2 carries no headers of a connection, and all others', async () => {
    await using hub = await startHub(tls)
    await using client = await openSession(hub)
    const exchange = client.request({ 'last-event-id': 'unknown' }).read()
    await exchange.until(() => exchange.text !== '')
    for (const name of ['connection', 'keep-alive', 'transfer-encoding'])
      assert.equal(exchange.headers[name], undefined)
    assert.equal(exchange.headers['last-event-id'], 'earliest')
    assert.equal(exchange.headers['x-accel-buffering'], 'no')
    assert.equal(exchange.headers['x-content-type-options'], 'nosniff')
  })

  test('HTTP/2 is chosen by ALPN, and a client without it gets HTTP/1.1', async () => {
    await using hub = await startHub(tls)
    const port = Number(new URL(hub.url).port)
    for (const [offered, chosen] of [
      [['h2', 'http/1.1'], 'h2'],
      [['http/1.1'], 'http/1.1'],
      [undefined, false],
    ] as const) {
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        ca: certificate.cert,
        ...(offered && { ALPNProtocols: [...offered] }),
      })
      await once(socket, 'secureConnect')
      assert.equal(socket.alpnProtocol, chosen)
      socket.destroy()
    }
  })

  test('heartbeats, a lifetime, and the end of a stream over HTTP/2', async () => {
    await using hub = await startHub({
      ...tls,
      heartbeat_interval: '50ms',
      write_timeout: '1s',
      dispatch_timeout: '0s',
    })
    await using client = await openSession(hub)
    const exchange = client.request().read()
    await exchange.until(() => /:\n(:\n){3}/.test(exchange.text.replace(/retry: \d+\n/, '')))
    await exchange.end()
    assert.equal(exchange.stream.rstCode, 0, 'a clean end')
    await hub.logged(({ msg, reason }) => msg === 'subscriber left' && reason === 'write timeout')
  })

  test('a reader over HTTP/2 that stops reading is ended as too slow, and hinders nobody on its connection', async () => {
    await using hub = await startHub({ ...tls, max_queue_bytes: '64KiB' })
    await using client = await openSession(hub)
    const lazy = client.request()
    const eager = client.request().read()
    await lazy.until(() => lazy.status === 200)
    await eager.until(() => eager.status === 200)
    const data = 'x'.repeat(50_000)
    const left = hub.logged(({ msg }) => msg === 'subscriber left')
    for (let i = 1; i <= 10; i++) {
      await hub.publish({ topic: 'a', data })
      await eager.until(() => eager.text.split('\n\n').length > i)
    }
    const { reason } = await left
    assert.equal(reason, 'too slow')
    assert.ok(!eager.closed)
  })

  test('a reader over HTTP/2 whose bytes do not leave within the dispatch timeout is ended as too slow', async () => {
    await using hub = await startHub({ ...tls, dispatch_timeout: '200ms' })
    await using client = await openSession(hub)
    const lazy = client.request()
    await lazy.until(() => lazy.status === 200)
    await hub.publish({ topic: 'a', data: 'x'.repeat(200_000) })
    const { reason } = await hub.logged(({ msg }) => msg === 'subscriber left')
    assert.equal(reason, 'too slow')
  })

  test('a client that resets its stream, or drops its connection, leaves', async () => {
    await using hub = await startHub(tls)
    await using client = await openSession(hub)
    const [first, second] = [client.request(), client.request()]
    await first.until(() => first.status === 200)
    await second.until(() => second.status === 200)
    first.stream.close()
    const { subscriber, reason } = await hub.logged(({ msg }) => msg === 'subscriber left')
    assert.equal(reason, 'client closed')
    client.session.destroy()
    await hub.logged(({ msg, ...line }) => msg === 'subscriber left' && !Object.values(line).includes(subscriber))
  })

  test('publishing over HTTP/2', async () => {
    await using hub = await startHub(tls)
    await using client = await openSession(hub)
    const stream = await hub.subscribe('topic=a')
    const answer = await client
      .request({ ...form, ...(await authorization()) }, 'topic=a&id=one&data=x')
      .read()
      .end()
    assert.deepEqual([answer.status, answer.text], [200, 'one'])
    assert.deepEqual(
      (await stream.take()).map(({ id }) => id),
      ['one'],
    )
  })

  const mebibyte = 1 << 20
  test('a body over HTTP/2 that is too large: 413, and the session goes on', async () => {
    await using hub = await startHub(tls)
    await using client = await openSession(hub)
    const headers = { ...form, ...(await authorization()) }
    const refused = await client
      .request(headers, `topic=a&data=${'x'.repeat(2 * mebibyte)}`)
      .read()
      .end()
    assert.equal(refused.status, 413)
    assert.match(refused.text, /^body_too_large: /)
    assert.equal((await client.request(headers, 'topic=a').read().end()).status, 200)
  })

  test('a body over HTTP/2 that never ends: 408 after read_timeout, and the session goes on', async () => {
    await using hub = await startHub({ ...tls, read_timeout: '1s', read_header_timeout: '1s' })
    await using client = await openSession(hub)
    const headers = { ...form, ...(await authorization()) }
    const half = new Exchange(client.session.request(headers, { endStream: false })).read()
    half.stream.write('topic=a')
    assert.equal((await half.end()).status, 408)
    assert.equal((await client.request(headers, 'topic=a').read().end()).status, 200)
    assert.deepEqual(
      hub.logs.filter(({ level }) => Number(level) >= 50),
      [],
    )
  })

  test('as much in a head over HTTP/2 as over HTTP/1.1', async () => {
    await using hub = await startHub(tls)
    await using client = await openSession(hub)
    const query = Array.from(
      { length: 1000 },
      (_, i) => `topic=https%3A%2F%2Fexample.com%2Fbooks%2F${i}%7B%3Fpage%7D`,
    ).join('&')
    const large = await client
      .request({ ':method': 'HEAD', ':path': `${path}?${query}` })
      .read()
      .end()
    assert.equal(large.status, 200)
    const overlarge = await client
      .request({ ':path': `${path}?topic=${'a'.repeat(mebibyte)}` })
      .read()
      .end()
    assert.notEqual(overlarge.status, 200)
    await using another = await openSession(hub)
    assert.equal((await another.request({ ':method': 'HEAD' }).read().end()).status, 200)
    assert.equal(await headOverHttps(hub, `${path}?${query}`), 200)
  })

  test('a connection that never begins its handshake is closed', async () => {
    await using hub = await startHub({ ...tls, read_header_timeout: '200ms' })
    const connection = await Connection.open(hub.url)
    assert.equal(await connection.end(), '')
  })

  test('plain HTTP on the port of TLS is not answered, and harms nobody', async () => {
    await using hub = await startHub(tls)
    const connection = (await Connection.open(hub.url)).send(`GET ${path}?topic=a HTTP/1.1\r\nHost: hub\r\n\r\n`)
    assert.doesNotMatch(await connection.end(), /200 OK/)
    assert.equal((await hub.fetch('/healthz')).status, 200)
  })
})

/** The status of a HEAD request over HTTP/1.1. */
function headOverHttps(hub: TestHub, target: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    requestHttps(hub.url + target, { method: 'HEAD', ca: certificate.cert }, response => resolve(response.statusCode))
      .on('error', reject)
      .end()
  })
}

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

  test('ends connections that are idle, or were never used, at once', async () => {
    const hub = await startHub(never)
    const [idle, unused] = [(await Connection.open(hub.url)).send(get), await Connection.open(hub.url)]
    await idle.until(text => text.endsWith('ok\n'))
    await hub.close()
    await Promise.all([idle.end(), unused.end()])
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
    const answer = readAnswer(await connection.end())
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1'])
    assert.match(answer.body, /^shutting_down: /)
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
