import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { createHub, HubError, type LogEntry, type Transport } from '../src/embed.ts'
import { LogDirectory } from './support/bolt.ts'
import { embedHub, listenWith } from './support/embedding.ts'
import { EventStream } from './support/event-stream.ts'
import { publisherToken, testKey } from './support/token.ts'

const topic = 'https://example.com/books/1'
const hubPath = '/.well-known/mercure'

test('what the application publishes reaches subscribers on the network, and the other way round', async t => {
  const hub = await embedHub(t)
  const origin = await listenWith(t, hub.listener)
  const stream = await EventStream.open(`${origin}${hubPath}?topic=${topic}`)
  const updates = await hub.subscribe({ topics: topic })
  const id = await hub.publish({ topics: [topic, 'https://example.com/books'], data: 'a\nb', type: 'sold', retry: 10 })
  const [event] = await stream.take()
  assert.deepEqual({ ...event }, { id, event: 'sold', data: 'a\nb' })
  assert.deepEqual(stream.retries, [3000, 10])

  const answer = await fetch(`${origin}${hubPath}`, {
    method: 'POST',
    body: new URLSearchParams({ topic, data: 'from afar', id: 'urn:1' }),
    headers: { Authorization: `Bearer ${await publisherToken()}` },
  })
  assert.equal(await answer.text(), 'urn:1')
  const { value: first } = await updates.next()
  assert.deepEqual(first, {
    id,
    topics: [topic, 'https://example.com/books'],
    data: 'a\nb',
    type: 'sold',
    retry: 10,
    private: false,
  })
  const { value: second } = await updates.next()
  assert.equal(second?.data, 'from afar')
  stream.close()
})

for (const { name, update, code } of [
  { name: 'without a topic', update: { topics: [] }, code: 'topic_missing' },
  { name: 'to a topic that is no text', update: { topics: [1] as unknown as string[] }, code: 'topic_invalid' },
  { name: "to the hub's own topics", update: { topics: `${hubPath}/subscriptions` }, code: 'topic_reserved' },
  { name: 'whose data is no text', update: { topics: topic, data: {} as string }, code: 'data_invalid' },
  { name: 'whose data is no Unicode', update: { topics: topic, data: '\ud800' }, code: 'data_invalid' },
  { name: 'with an id of several lines', update: { topics: topic, id: 'a\nb' }, code: 'id_invalid' },
  { name: 'with an id that no header carries', update: { topics: topic, id: 'a'.repeat(1025) }, code: 'id_invalid' },
  { name: "of the hub's own type", update: { topics: topic, type: 'mercure' }, code: 'type_invalid' },
  { name: 'with a time that is none', update: { topics: topic, retry: -1 }, code: 'retry_invalid' },
]) {
  test(`an update ${name} is refused: ${code}`, async t => {
    const hub = await embedHub(t)
    await assert.rejects(hub.publish(update), error => error instanceof HubError && error.code === code)
  })
}

test('a hub without keys has the application as its only publisher', async t => {
  const hub = await createHub({ transport_url: 'local://local', allow_anonymous: true })
  t.after(() => hub.close())
  const request = new Request(`http://hub.example${hubPath}`, { method: 'POST', body: new URLSearchParams({ topic }) })
  const answer = await hub.fetch(request)
  assert.equal(answer.status, 401)
  assert.match(await answer.text(), /^token_missing: /)
  assert.match(await hub.publish({ topics: topic }), /^urn:uuid:/)
})

test('figures are of the hub alone', async t => {
  const hub = await embedHub(t)
  await hub.publish({ topics: topic })
  const text = await hub.metrics.render()
  assert.match(text, /^mercure_updates_total 1$/m)
  assert.doesNotMatch(text, /^(process|nodejs)_/m)
})

test('an update that is written wrongly is refused, and never public where it was meant to be private', async t => {
  const hub = await embedHub(t)
  const all = await hub.subscribe({ topics: '*' })
  for (const [update, message] of [
    [{ topics: topic, private: 'on' }, /"private" is not a boolean/],
    [{ topics: topic, private: 1 }, /"private" is not a boolean/],
    [{ topic }, /An update has no "topic"; it has topics, data, /],
    ['text', /An update is an object with topics, /],
    [undefined, /An update is an object with topics, /],
  ] as const) {
    await assert.rejects(hub.publish(update as unknown as { topics: string }), { code: 'body_malformed', message })
  }
  await hub.publish({ topics: topic, id: 'urn:first' })
  assert.equal((await all.next()).value?.id, 'urn:first')
})

test('warnings and what happens go to the log that is given', async t => {
  const lines: string[] = []
  const write = (_fields: object, message: string) => void lines.push(message)
  const log = { debug: write, info: write, warn: write, error: write }
  const hub = await embedHub(t, { jwt_key: 'short' }, { log })
  await hub.subscribe({ topics: topic })
  assert.match(lines[0]!, /has 5 bytes/)
  assert.equal(lines.at(-1), 'new subscriber')
})

test('a log that is made anew is told of, with its path; one that is there is not', async t => {
  await using directory = await LogDirectory.create()
  const lines: string[] = []
  const write = (_fields: object, message: string) => void lines.push(message)
  const log = { debug: write, info: write, warn: write, error: write }
  const path = join(directory.path, 'tpyo', 'updates.db')
  for (const expected of [[`there was no log yet: a new one was made in ${path}`], []]) {
    const hub = await embedHub(t, { transport_url: `bolt://${path}` }, { log })
    await hub.close()
    assert.deepEqual(
      lines.splice(0).filter(line => line.includes(path)),
      expected,
    )
  }
})

test('closing ends streams and subscriptions, and refuses what comes after', async t => {
  const hub = await embedHub(t)
  const origin = await listenWith(t, hub.listener)
  const stream = await EventStream.open(`${origin}${hubPath}?topic=*`)
  const updates = await hub.subscribe({ topics: '*' })
  await hub.ready()
  await hub.publish({ topics: topic, data: 'last' })
  await stream.take()
  await Promise.all([hub.close(), hub.close()])
  await stream.end()
  assert.deepEqual(
    (await Array.fromAsync(updates)).map(({ data }) => data),
    ['last'],
  )
  const isShuttingDown = (error: unknown) => error instanceof HubError && error.code === 'shutting_down'
  await assert.rejects(hub.publish({ topics: topic }), isShuttingDown)
  await assert.rejects(hub.subscribe({ topics: topic }), isShuttingDown)
  await assert.rejects(hub.ready(), isShuttingDown)
  const answer = await fetch(`${origin}${hubPath}?topic=*`)
  assert.equal(answer.status, 503)
})

test('closing ends clients evenly: the application publishes, and hears of it, until the last has gone', async t => {
  const hub = await embedHub(t)
  const origin = await listenWith(t, hub.listener)
  const updates = await hub.subscribe({ topics: topic })
  const clients = await Promise.all(Array.from({ length: 500 }, () => EventStream.open(`${origin}${hubPath}?topic=*`)))
  const closed = hub.close()
  await Promise.race(clients.map(client => client.end()))
  await hub.publish({ topics: topic, data: 'meanwhile' })
  assert.equal((await updates.next()).value?.data, 'meanwhile')
  await assert.rejects(hub.subscribe({ topics: topic }), { code: 'shutting_down' })
  assert.ok(clients.some(({ ended }) => !ended))
  for (const client of clients) client.close()
  await closed
  assert.deepEqual(await updates.next(), { value: undefined, done: true })
})

test('closing cuts those who do not read', async t => {
  const hub = await embedHub(t, { shutdown_timeout: '100ms', dispatch_timeout: '0s', max_queue_bytes: '64MiB' })
  const { port, host } = new URL(await listenWith(t, hub.listener))
  const stuck = connect(Number(port), '127.0.0.1')
  stuck.write(`GET ${hubPath}?topic=* HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  await once(stuck, 'readable')
  for (let i = 0; i < 16; i++) await hub.publish({ topics: topic, data: 'x'.repeat(1 << 20) })
  await hub.close()
  stuck.on('error', () => {}).resume()
  await once(stuck, 'close')
})

/** A log of an application's own, which is reached when the test says so. */
class LateLog implements Transport {
  readonly reached = Promise.withResolvers<void>()
  isClosed = false
  #deliver: (entry: LogEntry, live: boolean) => void = () => {}
  #count = 0

  async start(_options: { backfill: number }, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    this.#deliver = deliver
    await this.reached.promise
  }

  async publish(update: LogEntry['update']): Promise<void> {
    this.#deliver({ position: String(this.#count++), update }, true)
  }

  async close(): Promise<void> {
    this.isClosed = true
    this.reached.resolve()
  }
}

test("a log of the application's own may come late", async t => {
  const transport = new LateLog()
  const hub = await embedHub(t, {}, { transport })
  const isAway = (error: unknown) => error instanceof HubError && error.code === 'transport_unavailable'
  await assert.rejects(hub.ready(), isAway)
  await assert.rejects(hub.publish({ topics: topic }), isAway)
  transport.reached.resolve()
  await hub.attached
  await hub.ready()
  const updates = await hub.subscribe({ topics: topic })
  await hub.publish({ topics: topic, data: 'here' })
  assert.equal((await updates.next()).value?.data, 'here')
  await hub.close()
  assert.ok(transport.isClosed)
})

test('a log that turns out to be of no use closes the hub', async t => {
  const transport = new LateLog()
  const hub = await embedHub(t, {}, { transport })
  transport.reached.reject(new HubError('configuration_invalid', 'wrong password'))
  await assert.rejects(hub.attached, /wrong password/)
  assert.ok(transport.isClosed)
  await assert.rejects(hub.ready(), { code: 'shutting_down' })
})

test('arguments that are none are refused, in a sentence for each', async () => {
  const options = { logger: console, transport: {} } as object
  await assert.rejects(createHub({ jwt_key: testKey, heartbeat_interval: 'often' }, options), {
    name: 'HubError',
    code: 'configuration_invalid',
    message: /^The configuration has 3 problems:\n {2}logger .*\n {2}transport .*\n {2}heartbeat_interval /,
  })
  await assert.rejects(createHub(null as unknown as object), { code: 'configuration_invalid' })
})

test('a log is given in one way', async () => {
  const options = { transport: new LateLog() }
  await assert.rejects(createHub({ transport_url: 'local://local', jwt_key: testKey }, options), {
    code: 'configuration_invalid',
    message: 'transport_url: a transport is given, too: give one of the two.',
  })
})
