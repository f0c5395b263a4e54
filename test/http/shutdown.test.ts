import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, suite, test } from 'node:test'
import { codings } from '../../src/http/accept-encoding.ts'
import { createCertificate } from '../support/certificate.ts'
import { Connection, exchange, readAnswer } from '../support/connection.ts'
import type { EventStream } from '../support/event-stream.ts'
import { openSession } from '../support/http2.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { publisherToken } from '../support/token.ts'

const path = '/.well-known/mercure'
const topic = 'https://example.com/a'
/** Longer than a test may take. */
const never: Settings = { shutdown_timeout: '10m', read_timeout: '0s', read_header_timeout: '0s' }
const certificate = await createCertificate()
after(() => certificate[Symbol.asyncDispose]())

const request = (method: string, target: string, ...lines: string[]): string =>
  [`${method} ${target} HTTP/1.1`, 'Host: hub.example', ...lines, '', ''].join('\r\n')

const publication = async (data: string): Promise<string> => {
  const body = String(new URLSearchParams({ topic, data }))
  const type = 'Content-Type: application/x-www-form-urlencoded'
  const lines = [`Authorization: Bearer ${await publisherToken()}`, type, `Content-Length: ${body.length}`]
  return request('POST', path, ...lines) + body
}

suite('a hub that is told to stop, with many streams', { concurrency: false }, () => {
  let hub: TestHub
  let last: EventStream
  let closed: Promise<void>
  before(async () => {
    hub = await startHub(never)
    const first = await hub.subscribe(`topic=${topic}`)
    await Promise.all(Array.from({ length: 1000 }, () => hub.subscribe('topic=b')))
    last = await hub.subscribe(`topic=${topic}`)
    closed = hub.running.close()
    await first.end()
  })
  after(() => hub.close())

  test('is alive, and not ready', async () => {
    const ready = await exchange(hub.url, request('GET', '/readyz'))
    assert.equal(ready.status, 503)
    assert.match(ready.body, /^shutting_down: /)
    assert.equal((await exchange(hub.url, request('GET', '/healthz'))).status, 200)
  })

  test('takes updates, and delivers them to the streams that are left', async () => {
    const answer = await exchange(hub.url, await publication('meanwhile'))
    assert.equal(answer.status, 200, answer.body)
    assert.deepEqual(
      (await last.take()).map(({ id, data }) => [id, data]),
      [[answer.body, 'meanwhile']],
    )
  })

  test('tells who keeps a connection that it will take no other request: the next one may be for another node', async () => {
    const kept = (await Connection.open(hub.url)).send(await publication('kept'))
    const { status, headers } = readAnswer(await kept.end())
    assert.deepEqual([status, headers.connection], [200, 'close'])
  })

  for (const method of ['GET', 'QUERY']) {
    test(`${method} by an EventSource: a stream that says when to come back, since it would not come back after a 503`, async () => {
      const { status, headers, body } = await exchange(
        hub.url,
        request(method, `${path}?topic=a`, 'Accept: text/event-stream', 'Content-Length: 0'),
      )
      assert.deepEqual([status, headers['content-type']], [200, 'text/event-stream'])
      assertFarewell(body)
    })
  }

  test('anybody else: 503, with a Retry-After', async () => {
    for (const [method, accept] of [
      ['GET', '*/*'],
      ['HEAD', 'text/event-stream'],
    ] as const) {
      const { status, headers } = await exchange(hub.url, request(method, `${path}?topic=a`, `Accept: ${accept}`))
      assert.deepEqual([status, headers['retry-after']], [503, '1'])
    }
  })

  test('an EventSource that may not subscribe is told so, now as ever', async () => {
    const { status } = await exchange(hub.url, request('GET', path, 'Accept: text/event-stream'))
    assert.equal(status, 400)
  })

  test('ends when the streams have', async () => {
    assert.ok(!last.ended, 'what was tested above was tested in time')
    await hub.close()
    await closed
    assert.equal(hub.logs.at(-1)!.msg, 'stopped')
    const ends = hub.logs.filter(({ msg }) => msg === 'subscriber left')
    assert.equal(ends.length, 1002)
  })
})

function assertFarewell(text: string): void {
  const [, ms] = /^retry: (\d+)\n$/.exec(text) ?? assert.fail(text)
  assert.ok(Number(ms) >= 1000 && Number(ms) <= 5000, text)
}

suite('the last that a stream says', { concurrency: true }, () => {
  test('a time to come back after, which differs from stream to stream', async () => {
    const hub = await startHub(never)
    const streams = await Promise.all(Array.from({ length: 50 }, () => hub.subscribe(`topic=${topic}`)))
    await hub.running.close()
    for (const stream of streams) {
      await stream.end()
      assertFarewell(stream.text.replace(/^:\nretry: 3000\n/, ''))
    }
    assert.ok(new Set(streams.map(({ retries }) => retries.at(-1))).size > 10)
  })

  test('not where an update has set it: that stays in force', async () => {
    const hub = await startHub(never)
    const told = await hub.subscribe(`topic=${topic}`)
    const other = await hub.subscribe('topic=b')
    await hub.publish({ topic, retry: '60000' })
    await hub.publish({ topic: [topic, 'b'], data: 'x' })
    const resumed = await hub.subscribe(`topic=${topic}&last_event_id=earliest`)
    for (const stream of [told, resumed]) await stream.until(text => text.endsWith('data: x\n\n'))
    await other.take()
    await hub.running.close()
    for (const stream of [told, other, resumed]) await stream.end()
    assert.equal(told.retries.at(-1), 60_000)
    assert.equal(resumed.retries.at(-1), 60_000)
    assertFarewell(`retry: ${other.retries.at(-1)}\n`)
    assert.equal(other.retries.length, 2)
  })

  for (const coding of codings) {
    test(`in ${coding}, too`, async () => {
      const hub = await startHub({ ...never, compress: true })
      const stream = await hub.subscribe(`topic=${topic}`, { headers: { 'Accept-Encoding': coding } })
      await hub.publish({ topic, data: 'x' })
      await stream.take()
      await hub.running.close()
      await stream.end()
      assertFarewell(stream.text.split('\n\n')[1]!)
    })
  }

  test('over HTTP/2, after which the session takes no other stream', async () => {
    const hub = await startHub({ ...never, cert_file: certificate.certFile, key_file: certificate.keyFile })
    await using client = await openSession(hub)
    const stream = client.request().read()
    await stream.until(() => stream.text !== '')
    const closed = hub.running.close()
    await stream.end()
    assertFarewell(stream.text.replace(/^:\nretry: 3000\n/, ''))
    if (!client.session.closed) await once(client.session, 'close')
    await closed
  })
})

test('a stream that has ended leaves no connection behind that another request could take', async () => {
  const hub = await startHub(never)
  const connection = (await Connection.open(hub.url)).send(request('GET', `${path}?topic=${topic}`))
  await connection.until(text => text.includes('retry: 3000'))
  const crowd = await Promise.all(Array.from({ length: 500 }, () => hub.subscribe('topic=b')))
  const closed = hub.running.close()
  assert.match(await connection.end(), /\r\n0\r\n\r\n$/)
  assert.ok(
    crowd.some(({ ended }) => !ended),
    'the hub is not closed yet',
  )
  await hub.close()
  await closed
})
