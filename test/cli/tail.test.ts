import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { LogDirectory } from '../support/bolt.ts'
import { isMissing, runCommand, runInTerminal, startCommand } from '../support/command.ts'
import { startHub } from '../support/hub.ts'
import { HubProcess, main } from '../support/process.ts'
import { freePort } from '../support/services/free-port.ts'
import { publisherToken, subscriberToken, testKey } from '../support/token.ts'

const topic = 'https://example.com/books/1'
const earliest = ['--last-event-id', 'earliest']

test('updates are rows for programs that know lines, and JSON for others; nothing else is on standard output', async () => {
  await using hub = await startHub()
  const first = await hub.publish({ topic, data: 'a\nb\x1b[31m' })
  await hub.publish({ topic: 'other', id: 'mine', type: 'note', data: '{"a":1}' })
  const env = { MERCURE_URL: hub.url }
  const rows = await runCommand(['tail', ...earliest, '--count', '2'], { env })
  assert.deepEqual([rows.code, rows.err], [0, ''])
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`
  assert.match(
    rows.out,
    new RegExp(`^${time}  ${first}  a\\\\nb\\\\u\\{1b\\}\\[31m\n${time}  mine  type=note  \\{"a":1\\}\n$`),
  )
  const lines = await runCommand(['tail', ...earliest, '--count', '2', '--json'], { env })
  const [one, two] = lines.out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  // The time that the id tells: when it was published.
  assert.deepEqual(one, { id: first, data: 'a\nb\x1b[31m', time: rows.out.slice(0, 24) })
  assert.deepEqual([two.id, two.type, two.data], ['mine', 'note', '{"a":1}'])
})

test('matchers of both generations select, and a token shows what is private', async () => {
  await using hub = await startHub()
  for (const [one, id] of [
    ['https://example.com/books/1', 'book'],
    ['https://example.com/authors/1', 'author'],
    ['exact', 'exact'],
    ['https://example.com/reviews/1', 'review'],
  ] as const) {
    await hub.publish({ topic: one, id, private: 'on' })
  }
  const env = { MERCURE_URL: hub.url, MERCURE_JWT: await subscriberToken(['*']) }
  const ids = async (...args: string[]) => {
    const { out } = await runCommand(['tail', '--json', ...earliest, '--count', '1', ...args], { env })
    return JSON.parse(out).id
  }
  assert.equal(await ids(), 'book')
  assert.equal(await ids('https://example.com/authors/{id}'), 'author')
  assert.equal(await ids('--topic', 'exact'), 'exact')
  assert.equal(await ids('--match', 'exact'), 'exact')
  assert.equal(await ids('--match-urlpattern', 'https://example.com/re*/:id'), 'review')
})

test('a hub that is killed and started again loses nothing and repeats nothing', async () => {
  await using directory = await LogDirectory.create()
  const port = await freePort()
  const config = `addr: 127.0.0.1:${port}\ntransport_url: bolt://${directory.file}\njwt_key: ${testKey}\nallow_anonymous: true\n`
  const headers = { Authorization: `Bearer ${await publisherToken()}` }
  const publish = async (id: string) => {
    // The update's own retry, so that the test need not wait for three seconds.
    const body = new URLSearchParams({ topic, id, retry: '1' })
    const { status } = await fetch(`http://127.0.0.1:${port}/.well-known/mercure`, { method: 'POST', headers, body })
    assert.equal(status, 200)
  }
  const hub = await HubProcess.start({ config })
  await using tail = await startCommand(['tail', '--json', ...earliest, '--url', await hub.url()])
  const ids = () => tail.log.map(({ id }) => id)
  await publish('1')
  await publish('2')
  await tail.until(() => ids().length === 2)
  await hub[Symbol.asyncDispose]()
  await tail.until(() => tail.stderr.includes('Lost the hub: '))
  await using again = await HubProcess.start({ config })
  await again.url()
  await publish('3')
  await tail.until(() => ids().length >= 3)
  await publish('4')
  await tail.until(() => ids().length >= 4)
  tail.signal('SIGINT')
  assert.equal(await tail.exit(), 0)
  assert.deepEqual(ids(), ['1', '2', '3', '4'])
  assert.match(tail.stderr, /^Lost the hub: .+\nThe hub is back, after \d+\.\d s\.\n$/)
})

test('a stream that ends is opened again after its last event, and a hub that is not able yet is asked again', async () => {
  const asked: (string | undefined)[] = []
  const answers: ((response: ServerResponse) => void)[] = [
    response => response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('retry: 1\nid: ü1\ndata: a\n\n'),
    response => response.writeHead(503, { 'Retry-After': '0', 'Content-Type': 'text/plain' }).end('soon\n'),
    response =>
      response
        .writeHead(200, { 'Content-Type': 'text/event-stream', 'Last-Event-ID': 'earliest' })
        .end('id: 2\ndata: b\n\n'),
    response => response.writeHead(403, { 'Content-Type': 'text/plain' }).end('no more\n'),
  ]
  await using hub = createServer(({ headers }: IncomingMessage, response) => {
    const id = headers['last-event-id']
    asked.push(typeof id === 'string' ? Buffer.from(id, 'latin1').toString() : undefined)
    answers.shift()!(response)
  }).listen(0, '127.0.0.1')
  await once(hub, 'listening')
  const url = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`
  const { code, out, err } = await runCommand(['tail', '--json', '--url', url])
  assert.deepEqual(
    out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).data),
    ['a', 'b'],
  )
  assert.deepEqual(asked, [undefined, 'ü1', 'ü1', '2'])
  assert.equal(code, 1)
  assert.match(
    err,
    /^Lost the hub: it ended the stream\.\nThe hub does not know ü1: .+\nThe hub is back, .+\nLost the hub: it ended the stream\.\n.+: 403 no more\n$/,
  )
})

test('before its first update there is no place to return to, which is told', async () => {
  const statuses = [200, 200, 403]
  await using hub = createServer((_, response) => {
    response.writeHead(statuses.shift()!, { 'Content-Type': 'text/event-stream' }).end('retry: 1\n\n')
  }).listen(0, '127.0.0.1')
  await once(hub, 'listening')
  const { code, out, err } = await runCommand([
    'tail',
    '--url',
    `http://127.0.0.1:${(hub.address() as AddressInfo).port}`,
  ])
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /\nNothing had come before: .+\nThe hub is back, .+\n.+: 403 Forbidden\.\n$/s)
})

test('a refusal and a hub that is not there end it at once', async () => {
  await using hub = await startHub({ allow_anonymous: false })
  const port = await freePort()
  const cases: [args: string[], sentence: RegExp][] = [
    [[], /: 401 token_missing: .+\n$/],
    [['--token', 'nonsense'], /: 401 authorization_malformed: .+\n$/],
    [['--token', await publisherToken(), '--match-urlpattern', '('], /: 400 matcher_invalid: .+\n$/],
    [['--url', `http://127.0.0.1:${port}`], /^No hub answers at .+: connect ECONNREFUSED .+\n$/],
    [['--count', '0'], /^error: .+ It is a number from 1\.\n/],
  ]
  for (const [args, sentence] of cases) {
    const { code, out, err } = await runCommand(['tail', ...args], { env: { MERCURE_URL: hub.url } })
    assert.deepEqual([code, out], [1, ''], args.join(' '))
    assert.match(err, sentence)
  }
})

test('what is no event stream is told from a hub', async () => {
  await using page = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<p>'))
  await once(page.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(page.address() as AddressInfo).port}`
  const { code, err } = await runCommand(['tail', '--url', url])
  assert.deepEqual([code, err], [1, `${url}/.well-known/mercure answers with no event stream: is that a hub's URL?\n`])
})

test('a reader that has enough ends it, in silence', async () => {
  await using hub = await startHub()
  await hub.publish({ topic, data: 'first' })
  const child = spawn(process.execPath, [main, 'tail', '--json', ...earliest, '--url', hub.url], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let err = ''
  child.stderr.on('data', text => {
    err += text
  })
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const closed = once(child, 'close')
  await hub.publish({ topic, data: 'nobody reads it' })
  assert.deepEqual([(await closed)[0], err], [0, ''])
})

test('a terminal gets colours, and JSON over several lines with its numbers as they were; NO_COLOR is obeyed', {
  skip: isMissing('script'),
}, async () => {
  await using hub = await startHub()
  await hub.publish({ topic, id: 'one', type: 'note', data: '{"n":12345678901234567890,"s":"\u202e"}' })
  await hub.publish({ topic, id: 'two', data: 'plain\x07\n\ttext' })
  const args = ['tail', ...earliest, '--count', '2']
  const plain = await runInTerminal(args, { MERCURE_URL: hub.url, NO_COLOR: '1' })
  assert.match(
    plain,
    /^Following \* at http:\S+\. Ctrl-C ends it\.\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}one {2}note\n\{\n {2}"n": 12345678901234567890,\n {2}"s": "\\u\{202e\}"\n\}\n\n\S+ \S+ {2}two\nplain\\u\{7\}\n\ttext\n\n$/,
  )
  assert.match(await runInTerminal(args, { MERCURE_URL: hub.url }), /\n\x1b\[36m.*\x1b\[33mnote/)
})
