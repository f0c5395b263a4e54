import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { after, suite, test } from 'node:test'
import { createCertificate } from '../support/certificate.ts'
import type { EventStream } from '../support/event-stream.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'

const path = '/.well-known/mercure'
const megabyte = 1_000_000
const certificate = await createCertificate()
after(() => certificate[Symbol.asyncDispose]())

const start = (settings: Settings): Promise<TestHub> =>
  startHub({ metrics_enabled: true, metrics_addr: '', transport_url: 'local://local', ...settings })

async function figure(hub: TestHub, name: string): Promise<number> {
  const text = await (await hub.fetch('/metrics')).text()
  return Number(new RegExp(`^${RegExp.escape(name)} (.*)$`, 'm').exec(text)?.[1] ?? 0)
}

/** A subscriber on a connection of its own that reads only when it is told to. */
async function openReader(hub: TestHub, topic: string): Promise<Socket> {
  const socket = connect(Number(new URL(hub.url).port), '127.0.0.1').on('readable', () => {})
  socket.on('error', () => {})
  socket.write(`GET ${path}?topic=${topic} HTTP/1.1\r\nHost: hub.example\r\n\r\n`)
  await once(socket, 'readable')
  return socket
}

/** Resolves with the next heartbeat of a stream: time as the hub has it. */
async function heartbeat(clock: EventStream): Promise<void> {
  const seen = clock.text.length
  await clock.until(text => text.length > seen)
}

suite('a reader on a connection of its own', () => {
  const bounds = { heartbeat_interval: '20ms', max_queue_bytes: '64MiB' }

  test('that is slow but steady is kept, and gets all of a burst in order', async () => {
    await using hub = await start({ ...bounds, dispatch_timeout: '1s' })
    const clock = await hub.subscribe('topic=nothing')
    const socket = await openReader(hub, 'burst')
    const ids: string[] = []
    for (let i = 0; i < 30; i++) ids.push(await hub.publish({ topic: 'burst', data: 'x'.repeat(megabyte) }))
    // A quarter of a megabyte with each heartbeat: longer than dispatch_timeout for what waits.
    const began = performance.now()
    const parts: Buffer[] = []
    for (let read = 0, allowed = megabyte / 4; read < 30 * megabyte; ) {
      const bytes: Buffer | null = socket.read(Math.min(allowed, socket.readableLength || 1))
      assert.ok(!socket.destroyed, `ended after ${read} bytes`)
      if (bytes === null) {
        await Promise.race([once(socket, 'readable'), once(socket, 'close')])
        continue
      }
      parts.push(bytes)
      read += bytes.length
      allowed -= bytes.length
      if (allowed > 0) continue
      await heartbeat(clock)
      allowed = megabyte / 4
    }
    assert.ok(performance.now() - began > 1000)
    assert.equal(await figure(hub, 'mercure_subscribers_connected'), 2)
    const text = Buffer.concat(parts).toString('latin1')
    assert.deepEqual(
      [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id),
      ids,
    )
    socket.destroy()
  })

  for (const [bound, settings] of [
    ['dispatch_timeout', { dispatch_timeout: '300ms' }],
    ['max_queue_bytes', { dispatch_timeout: '0s', max_queue_bytes: '2MiB' }],
    ['max_queue_bytes_total', { dispatch_timeout: '0s', max_queue_bytes_total: '4MiB' }],
  ] as const) {
    test(`that reads a byte with each heartbeat is ended as too slow by ${bound}`, async () => {
      await using hub = await start({ ...bounds, ...settings })
      const clock = await hub.subscribe('topic=nothing')
      const other = await hub.subscribe('topic=burst')
      const socket = await openReader(hub, 'burst')
      const ended = hub.logged(({ msg }) => msg === 'subscriber left')
      let isEnded = false
      ended.finally(() => {
        isEnded = true
      })
      let published = 0
      while (!isEnded) {
        socket.read(1)
        if (published < 40) {
          published++
          await hub.publish({ topic: 'burst', data: 'x'.repeat(megabyte) })
          await other.take()
        }
        await heartbeat(clock)
      }
      assert.equal((await ended).reason, 'too slow')
      assert.equal(await figure(hub, 'talaria_streams_ended_total{reason="too slow"}'), 1)
      assert.equal(await figure(hub, 'talaria_waiting_bytes'), 0)
      assert.equal(other.events.length, published)
      socket.destroy()
    })
  }
})

suite('many readers over HTTP/2, where little fits into a stream that is not read', () => {
  const tls = { cert_file: certificate.certFile, key_file: certificate.keyFile }
  const streamsPerSession = 100

  async function openMany(hub: TestHub, topics: readonly string[]) {
    const sessions: ClientHttp2Session[] = []
    const streams: ClientHttp2Stream[] = []
    for (const [i, topic] of topics.entries()) {
      if (i % streamsPerSession === 0) {
        const settings = { initialWindowSize: 4096 }
        sessions.push(connectHttp2(hub.url, { ca: certificate.cert, settings }).on('error', () => {}))
      }
      streams.push(
        sessions
          .at(-1)!
          .request({ ':path': `${path}?topic=${topic}` })
          .on('error', () => {}),
      )
    }
    await Promise.all(streams.map(stream => once(stream, 'response')))
    const close = () => {
      for (const session of sessions) session.destroy()
    }
    return { streams, [Symbol.dispose]: close }
  }

  test('1,000 that stopped reading and 1,000 that read a byte now and then cost the others nothing, and little memory', async () => {
    const maxBytes = 4 << 20
    await using hub = await start({
      ...tls,
      max_queue_bytes_total: `${maxBytes}`,
      dispatch_timeout: '2s',
      heartbeat_interval: '500ms',
    })
    const topics = Array.from({ length: 200 }, (_, i) => `slow-${i}`)
    using slow = await openMany(hub, Array(10).fill(topics).flat())
    const crawling = slow.streams.slice(1000).map(stream => stream.on('readable', () => {}))
    const readers = await Promise.all(['*', 'x', 'x'].map(topic => hub.subscribe(`topic=${topic}`)))
    const [everything] = readers
    const ids: string[] = []
    let mostWaiting = 0
    for (const [i, topic] of topics.entries()) {
      ids.push(await hub.publish({ topic, data: 'x'.repeat(90_000) }))
      // It is never behind: where it were, it might be one of those with the most.
      await everything!.take()
      if (i % 20 > 0) continue
      ids.push(await hub.publish({ topic: 'x', id: `x${i}` }))
      await everything!.take()
      mostWaiting = Math.max(mostWaiting, await figure(hub, 'talaria_waiting_bytes'))
      for (const stream of crawling) stream.read(1)
    }
    const own = ids.filter(id => !id.startsWith('urn:'))
    await Promise.all(readers.slice(1).map(reader => reader.take(own.length)))
    assert.deepEqual(
      readers.map(reader => reader.ids),
      [ids, own, own],
    )
    assert.ok(mostWaiting > maxBytes / 2 && mostWaiting <= maxBytes, `${mostWaiting} bytes waited`)
    while ((await figure(hub, 'mercure_subscribers_connected')) > readers.length) {
      await heartbeat(readers[1]!)
      for (const stream of crawling) stream.read(1)
    }
    assert.equal(await figure(hub, 'talaria_streams_ended_total{reason="too slow"}'), 2000)
    assert.equal(await figure(hub, 'talaria_waiting_bytes'), 0)
  })

  test('what waits for all of them is one thing that waits: nobody ends for it', async () => {
    await using hub = await start({
      ...tls,
      max_queue_bytes_total: '2MiB',
      max_queue_bytes: '2MiB',
      dispatch_timeout: '0s',
    })
    using crowd = await openMany(hub, Array(100).fill('x'))
    for (let i = 0; i < 15; i++) await hub.publish({ topic: 'x', data: 'x'.repeat(megabyte / 10) })
    const waiting = await figure(hub, 'talaria_waiting_bytes')
    assert.ok(waiting > 1.4 * megabyte && waiting < 1.7 * megabyte, `${waiting} bytes wait`)
    assert.equal(await figure(hub, 'mercure_subscribers_connected'), crowd.streams.length)
  })
})
