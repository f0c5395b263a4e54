import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { EventSource as NpmEventSource } from 'eventsource'
import { startHub } from '../support/hub.ts'
import { startProxy } from '../support/proxy.ts'
import { listen, Reception } from '../support/reception.ts'
import { publishAcross } from '../support/reconnection.ts'
import { subscriberToken } from '../support/token.ts'

const settings = { transport_url: 'local://local?size=10000' }
const topic = 'https://example.com/books/1'
const query = `?topic=${encodeURIComponent(topic)}`
const token = await subscriberToken([topic])

type Client = (url: string, types?: string[]) => { received: Reception } & Disposable

const npmEventSource: Client = (url, types) => {
  const source = new NpmEventSource(url)
  return { received: listen(source, types), [Symbol.dispose]: () => source.close() }
}

/** Behind a flag, and so in a process of its own, which prints what it receives. */
const nodeEventSource: Client = (url, types = []) => {
  const script = `
    const [url, ...types] = process.argv.slice(1)
    const tell = report => console.log(JSON.stringify(report))
    const source = new EventSource(url)
    source.addEventListener('open', () => tell('open'))
    source.addEventListener('error', () => source.readyState === EventSource.CLOSED && tell('closed'))
    for (const type of ['message', ...types]) {
      source.addEventListener(type, ({ data, lastEventId }) => tell({ type, data, lastEventId }))
    }
    setInterval(() => {}, 1000)`
  const flags = ['--experimental-eventsource', '--no-warnings', '--eval', script]
  const child = spawn(process.execPath, [...flags, url, ...types], { stdio: ['ignore', 'pipe', 'inherit'] })
  const received = new Reception()
  const lines = createInterface(child.stdout)
  lines.on('line', line => received.report(JSON.parse(line))).on('close', () => received.close())
  return { received, [Symbol.dispose]: () => child.kill() }
}

const clients: { name: string; listenTo: Client }[] = [
  { name: 'eventsource of npm', listenTo: npmEventSource },
  { name: "Node's own EventSource", listenTo: nodeEventSource },
]

for (const { name, listenTo } of clients) {
  test(`${name} receives messages, typed events and several lines`, async () => {
    await using hub = await startHub(settings)
    using source = listenTo(hub.hubUrl + query, ['book.created'])
    const { received } = source
    await received.untilOpened()
    const one = await hub.publish({ topic, data: 'Hello\nüber all' })
    const two = await hub.publish({ topic, data: 'new', type: 'book.created' })
    assert.deepEqual(await received.take(2), [
      { type: 'message', data: 'Hello\nüber all', lastEventId: one },
      { type: 'book.created', data: 'new', lastEventId: two },
    ])
  })

  test(`${name} loses and repeats nothing across streams that the hub ends`, async () => {
    await using hub = await startHub({ ...settings, write_timeout: '300ms' })
    using source = listenTo(hub.hubUrl + query)
    await publishAcross(4, { hub, received: source.received, topic })
  })

  test(`${name} loses and repeats nothing across broken connections`, async () => {
    await using hub = await startHub(settings)
    await using proxy = await startProxy(hub.url)
    using source = listenTo(`${proxy.url}/.well-known/mercure${query}`)
    const during = (count: number) => {
      if (count % 40 === 0) proxy.cut()
    }
    await publishAcross(6, { hub, received: source.received, topic, during })
  })

  test(`${name} gives up where the hub refuses`, async () => {
    await using hub = await startHub({ ...settings, allow_anonymous: false })
    using source = listenTo(hub.hubUrl + query)
    await source.received.untilClosed()
    assert.equal(source.received.opened, 0)
  })
}

test('eventsource of npm sends a token with a fetch of its own', async () => {
  await using hub = await startHub({ allow_anonymous: false })
  const source = new NpmEventSource(hub.hubUrl + query, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
  })
  try {
    const received = listen(source)
    await received.untilOpened()
    await hub.publish({ topic, data: 'for you', private: 'on' })
    assert.equal((await received.take())[0]?.data, 'for you')
  } finally {
    source.close()
  }
})

test('event-source-polyfill resumes by the query when it reconnects', async () => {
  await using hub = await startHub()
  const first = await hub.publish({ topic, data: 'one' })
  await hub.publish({ topic, data: 'two' })
  const stream = await hub.subscribe(`${query.slice(1)}&lastEventId=${encodeURIComponent(first)}`, {
    headers: { Accept: 'text/event-stream', 'X-Requested-With': 'XMLHttpRequest', 'Cache-Control': 'no-cache' },
  })
  assert.equal(stream.response.headers.get('last-event-id'), first)
  assert.equal((await stream.take())[0]?.data, 'two')
})
