import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as requestHttps } from 'node:https'
import { after, suite, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { createCertificate } from '../support/certificate.ts'
import { Connection } from '../support/connection.ts'
import { Exchange, openSession } from '../support/http2.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { publisherToken } from '../support/token.ts'

const path = '/.well-known/mercure'
const certificate = await createCertificate()
after(() => certificate[Symbol.asyncDispose]())
const tls = { cert_file: certificate.certFile, key_file: certificate.keyFile }

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
      [['http/1.0', 'http/1.1'], 'http/1.1'],
      [['http/1.0'], 'http/1.0'],
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

  test('a client of HTTP/1.0 that says so by ALPN is answered', async () => {
    await using hub = await startHub(tls)
    const { hostname: host, port } = new URL(hub.url)
    const socket = connectTls({ host, port: Number(port), ca: certificate.cert, ALPNProtocols: ['http/1.0'] })
    const answer = await new Connection(socket).send('GET /healthz HTTP/1.0\r\n\r\n').end()
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nok\n$/s)
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
    const late = await half.end()
    assert.equal(late.status, 408)
    assert.match(late.text, /^request_timeout: .+\n$/)
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
