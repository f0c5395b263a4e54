import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { get as getHttps } from 'node:https'
import { connect } from 'node:net'
import type { Readable } from 'node:stream'
import { after, suite, test } from 'node:test'
import { type CodingName, codings } from '../../src/http/accept-encoding.ts'
import { createCertificate } from '../support/certificate.ts'
import { Decoding } from '../support/decoding.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { createRandom } from '../support/random.ts'

const path = '/.well-known/mercure?topic=a'
const certificate = await createCertificate()
after(() => certificate[Symbol.asyncDispose]())
const tls = { cert_file: certificate.certFile, key_file: certificate.keyFile }
const start = (settings: Settings = {}) => startHub({ compress: true, ...settings })

interface Answer {
  readonly headers: Record<string, unknown>
  readonly body: Readable
}

type Open = (hub: TestHub, acceptEncoding: string, query?: string) => Promise<Answer>

const openHttp1: Open = async (hub, acceptEncoding, query = '') => {
  const headers = { 'Accept-Encoding': acceptEncoding }
  const ask = hub.url.startsWith('https:') ? getHttps : get
  const [body] = (await once(ask(hub.url + path + query, { headers, agent: false }), 'response')) as [IncomingMessage]
  return { headers: body.headers, body }
}

const openHttp2: Open = async (hub, acceptEncoding, query = '') => {
  const session = connectHttp2(hub.url)
  const body = session.request({ ':path': path + query, 'accept-encoding': acceptEncoding })
  const [headers] = await once(body, 'response')
  body.on('close', () => session.destroy())
  return { headers, body }
}

/** HTTP/1.0: the body is what comes until the connection closes. */
const openHttp10: Open = async (hub, acceptEncoding, query = '') => {
  const socket = connect(Number(new URL(hub.url).port), '127.0.0.1')
  socket.write(`GET ${path}${query} HTTP/1.0\r\nAccept-Encoding: ${acceptEncoding}\r\n\r\n`)
  let head = Buffer.alloc(0)
  while (!head.includes('\r\n\r\n')) {
    await once(socket, 'readable')
    head = Buffer.concat([head, socket.read() ?? Buffer.alloc(0)])
  }
  const end = head.indexOf('\r\n\r\n')
  socket.unshift(head.subarray(end + 4))
  const lines = head.toString('latin1', 0, end).split('\r\n').slice(1)
  const headers = lines.map(line => line.split(': ')).map(([name = '', value]) => [name.toLowerCase(), value])
  return { headers: Object.fromEntries(headers), body: socket }
}

const ways: readonly [name: string, settings: Settings, open: Open][] = [
  ['HTTP/1.1', {}, openHttp1],
  ['HTTP/1.1 with TLS', tls, openHttp1],
  ['HTTP/2', tls, openHttp2],
  ['HTTP/1.0', {}, openHttp10],
]

/** What one who comes later gets of a stream. */
const pastOf = (text: string): string => `:\n${text.slice(':\nretry: 3000\n'.length)}`

/** Without the time to reconnect after, which is another one for each stream of a hub that stops. */
function withoutFarewell(text: string): string {
  const [farewell] = /retry: \d{4}\n$/.exec(text) ?? assert.fail(text.slice(-100))
  return text.slice(0, -farewell.length)
}

/** Text that can be compressed somewhat, so that what there is of it on the wire differs from what it says. */
const words = ['id', 'name', 'price', 'available', 'größe', '漢', '{"', '":', '},', ' ']

for (const [name, settings, open] of ways) {
  suite(name, { concurrency: true }, () => {
    for (const coding of codings) {
      test(`${coding}: the same text, each event when it is published, complete at its end`, async () => {
        const hub = await start({ ...settings, transport_url: 'local://local?size=1000', max_queue_bytes: '64MiB' })
        const { below, pick } = createRandom(coding.length * 7 + name.length)
        const data = () =>
          Array.from({ length: pick([1, 10, 100, 1000, 8000]) }, () => pick(words) + below(1e6)).join('')
        const plain = await hub.subscribe('topic=a', { headers: { 'Accept-Encoding': 'identity' } })
        const { headers, body } = await open(hub, coding)
        assert.equal(headers['content-encoding'], coding)
        assert.equal(headers.vary, 'Accept-Encoding')
        const decoding = new Decoding(body, coding)
        await decoding.until(text => text === ':\nretry: 3000\n')
        let count = 0
        for (let round = 0; round < 12; round++) {
          const updates = Array.from({ length: pick([1, 1, 2, 20]) }, () => ({ topic: 'a', data: data() }))
          await Promise.all(updates.map(update => hub.publish(update)))
          count += updates.length
          await plain.take(updates.length)
          await decoding.until(text => text.length >= plain.text.length)
          assert.equal(decoding.text === plain.text, true, `the same after ${count} events`)
        }
        const replayed = new Decoding((await open(hub, coding, '&last_event_id=earliest')).body, coding)
        await replayed.until(text => text.length >= pastOf(plain.text).length)
        // Ended while it is compressed aside.
        await hub.publish({ topic: 'a', id: 'last', data: `${'x'.repeat(500_000)} last` })
        await hub.running.close()
        await Promise.all([decoding.end(), replayed.end(), plain.end()])
        const whole = withoutFarewell(plain.text)
        assert.equal(withoutFarewell(decoding.text) === whole, true)
        assert.equal(withoutFarewell(replayed.text) === pastOf(whole), true)
        assert.ok(decoding.encodedBytes < Buffer.byteLength(plain.text) / 2)
        await hub.close()
      })
    }
  })
}

test('what is not asked for, or not switched on, is not compressed', async () => {
  await using hub = await start()
  for (const acceptEncoding of ['identity', 'deflate', 'gzip;q=0', 'identity, gzip;q=0.5']) {
    const { headers, body } = await openHttp1(hub, acceptEncoding)
    assert.equal(headers['content-encoding'], undefined)
    assert.equal(headers.vary, 'Accept-Encoding')
    const [bytes] = await once(body, 'data')
    assert.equal(String(bytes), ':\nretry: 3000\n')
    body.destroy()
  }
  await using off = await startHub()
  const { headers, body } = await openHttp1(off, 'gzip')
  assert.deepEqual([headers['content-encoding'], headers.vary], [undefined, undefined])
  body.destroy()
})

test('Vary names all that the answer depends on', async () => {
  await using hub = await start({ cors_allowed_origins: ['https://page.example'] })
  const { headers, body } = await openHttp1(hub, 'gzip')
  assert.equal(headers.vary, 'Origin, Accept-Encoding')
  body.destroy()
  const head = await hub.fetch(path, { method: 'HEAD', headers: { 'Accept-Encoding': 'zstd' } })
  assert.deepEqual(
    [head.headers.get('content-encoding'), head.headers.get('vary')],
    ['zstd', 'Origin, Accept-Encoding'],
  )
})

for (const coding of codings) {
  test(`heartbeats and a lifetime in ${coding}`, async () => {
    await using hub = await start({ heartbeat_interval: '50ms', write_timeout: '1s', dispatch_timeout: '0s' })
    const decoding = new Decoding((await openHttp1(hub, coding)).body, coding)
    await decoding.until(text => /^:\nretry: 3000\n(:\n){3}/.test(text))
    await decoding.end()
    assert.match(decoding.text, /^:\nretry: 3000\n(:\n)+$/)
  })

  test(`a reader of ${coding} that does not read is ended as too slow; the others get everything`, async () => {
    await using hub = await start({ ...tls, max_queue_bytes: '64KiB' })
    const { body } = await openHttp2(hub, coding)
    body.on('error', () => {})
    const other = new Decoding((await openHttp1(hub, coding)).body, coding)
    const { below } = createRandom(1)
    const left = hub.logged(({ msg }) => msg === 'subscriber left')
    for (let i = 1; i <= 12; i++) {
      const data = Buffer.from(Array.from({ length: 40_000 }, () => below(256))).toString('base64')
      await hub.publish({ topic: 'a', data })
      await other.until(text => text.split('\n\n').length > i)
    }
    assert.equal((await left).reason, 'too slow')
    body.destroy()
  })
}

test('a client that leaves in the middle of what is being compressed leaves', async () => {
  for (const coding of codings satisfies readonly CodingName[]) {
    await using hub = await start()
    const { body } = await openHttp1(hub, coding)
    body.on('error', () => {})
    const left = hub.logged(({ msg }) => msg === 'subscriber left')
    for (let i = 0; i < 3; i++) await hub.publish({ topic: 'a', data: 'x'.repeat(900_000) })
    body.destroy()
    assert.equal((await left).reason, 'client closed')
    await hub.publish({ topic: 'a', data: 'x' })
  }
})
