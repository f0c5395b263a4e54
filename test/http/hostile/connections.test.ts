import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Connection, readAnswer } from '../../support/connection.ts'
import { type Settings, startHub, type TestHub } from '../../support/hub.ts'
import { publisherToken, subscriberToken } from '../../support/token.ts'

const path = '/.well-known/mercure'
const form = 'Content-Type: application/x-www-form-urlencoded'
const subscribe = (query = 'topic=a', version = '1.1') => `GET ${path}?${query} HTTP/${version}\r\nHost: hub\r\n\r\n`
const publish = async (body: string, length = body.length) =>
  `POST ${path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${await publisherToken()}\r\n${form}\r\nContent-Length: ${length}\r\n\r\n${body}`

const start = (settings: Settings = {}): Promise<TestHub> =>
  startHub({ metrics_enabled: true, metrics_addr: '', subscriptions: true, ...settings })

async function connected(hub: TestHub): Promise<number> {
  const figures = await (await hub.fetch('/metrics')).text()
  return Number(/^mercure_subscribers_connected (\d+)$/m.exec(figures)?.[1])
}

/** Resolves when so many subscribers are connected: fails by the test's time-out. */
async function untilConnected(hub: TestHub, count: number): Promise<void> {
  while ((await connected(hub)) !== count) await nextTurn()
}

/** Resolves when so many have subscribed, whether or not they are still there. */
async function untilSubscribed(hub: TestHub, count: number): Promise<void> {
  let seen = 0
  await hub.logged(({ msg }) => msg === 'new subscriber' && ++seen >= count)
}

async function listed(hub: TestHub): Promise<unknown[]> {
  const headers = { Authorization: `Bearer ${await subscriberToken(['*'])}` }
  const response = await hub.fetch(`${path}/subscriptions`, { headers })
  assert.equal(response.status, 200)
  return ((await response.json()) as { subscriptions: unknown[] }).subscriptions
}

/** Nobody is connected or listed any more, nothing has failed, and an update still arrives. */
async function assertUnharmed(hub: TestHub): Promise<void> {
  await untilConnected(hub, 0)
  assert.deepEqual(await listed(hub), [])
  assert.deepEqual(
    hub.logs.filter(({ level }) => Number(level) >= 50),
    [],
  )
  const stream = await hub.subscribe('topic=https://example.com/alive')
  const id = await hub.publish({ topic: 'https://example.com/alive' })
  assert.deepEqual(
    (await stream.take()).map(event => event.id),
    [id],
  )
  stream.close()
  await untilConnected(hub, 0)
}

suite('requests that never become complete', { concurrency: true }, () => {
  const head = `POST ${path} HTTP/1.1\r\nHost: hub\r\n${form}\r\n`
  const rows: readonly { readonly name: string; readonly sent: string; readonly trickle?: string }[] = [
    { name: 'nothing at all', sent: '' },
    { name: 'an empty line', sent: '\r\n' },
    { name: 'half a request line', sent: 'GET /.well-kn' },
    { name: 'a head without its end', sent: `GET ${path}?topic=a HTTP/1.1\r\nHost: hub\r\n` },
    { name: 'a head that grows by a byte at a time', sent: `GET ${path}?topic=a HTTP/1.1\r\nX: `, trickle: 'x' },
    { name: 'a head that grows by a line at a time', sent: `GET ${path}?topic=a HTTP/1.1\r\n`, trickle: 'X: y\r\n' },
    {
      name: 'a head without a body',
      sent: `QUERY ${path} HTTP/1.1\r\nHost: hub\r\n${form}\r\nContent-Length: 100\r\n\r\n`,
    },
    {
      name: 'half a body of a QUERY',
      sent: `QUERY ${path} HTTP/1.1\r\nHost: hub\r\n${form}\r\nContent-Length: 100\r\n\r\ntopic=a`,
    },
    {
      name: 'a body that grows by a byte at a time',
      sent: `QUERY ${path} HTTP/1.1\r\nHost: hub\r\n${form}\r\nContent-Length: 100000\r\n\r\ntopic=`,
      trickle: 'a',
    },
    {
      name: 'chunks without an end',
      sent: `QUERY ${path} HTTP/1.1\r\nHost: hub\r\n${form}\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ntopic=a\r\n`,
    },
    {
      name: 'half the size of a chunk',
      sent: `QUERY ${path} HTTP/1.1\r\nHost: hub\r\n${form}\r\nTransfer-Encoding: chunked\r\n\r\n7`,
    },
    {
      name: 'chunks of a byte at a time',
      sent: `QUERY ${path} HTTP/1.1\r\nHost: hub\r\n${form}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      trickle: '1\r\na\r\n',
    },
  ]

  test('are answered with 408 and closed, however slowly they go on', async () => {
    await using hub = await start({ read_header_timeout: '300ms', read_timeout: '600ms' })
    const answers = await Promise.all(
      rows.map(async ({ name, sent, trickle }) => {
        const connection = (await Connection.open(hub.url)).send(sent)
        const timer = trickle === undefined ? undefined : setInterval(() => connection.send(trickle), 20)
        const { status } = readAnswer(await connection.end())
        clearInterval(timer)
        return [name, status]
      }),
    )
    assert.deepEqual(
      answers,
      rows.map(({ name }) => [name, 408]),
    )
    await assertUnharmed(hub)
  })

  test('a refused one whose body never ends is closed, too', async () => {
    await using hub = await start({ read_header_timeout: '300ms', read_timeout: '600ms' })
    const connection = (await Connection.open(hub.url)).send(`${head}Content-Length: 100\r\n\r\ntopic=a`)
    assert.equal(readAnswer(await connection.end()).status, 401)
    await assertUnharmed(hub)
  })

  test('a stream outlives both time-outs', async () => {
    await using hub = await start({ read_header_timeout: '300ms', read_timeout: '600ms', heartbeat_interval: '500ms' })
    const stream = await hub.subscribe('topic=a')
    await stream.until(text => text.endsWith(':\n:\n:\n'))
    await hub.publish({ topic: 'a', data: 'still here' })
    assert.deepEqual(
      (await stream.take()).map(({ data }) => data),
      ['still here'],
    )
  })
})

suite('several requests on one connection', { concurrency: true }, () => {
  test('two subscribes: the first stream flows, the second waits its turn, both leave with the connection', async () => {
    await using hub = await start()
    const connection = (await Connection.open(hub.url)).send(subscribe('topic=a') + subscribe('topic=b'))
    await untilSubscribed(hub, 2)
    await hub.publish({ topic: 'a', data: 'first' })
    await hub.publish({ topic: 'b', data: 'second' })
    await hub.publish({ topic: 'a', data: 'third' })
    const text = await connection.until(text => text.includes('data: third'))
    assert.ok(!text.includes('second'), text)
    assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 1)
    connection.abort()
    await assertUnharmed(hub)
  })

  test('the second stream begins, with what has come meanwhile, where the first ends', async () => {
    await using hub = await start({ write_timeout: '3s', dispatch_timeout: '0s' })
    const connection = (await Connection.open(hub.url)).send(subscribe('topic=a') + subscribe('topic=b'))
    await connection.until(text => text.includes(':\n'))
    await untilSubscribed(hub, 2)
    await hub.publish({ topic: 'b', data: 'for the second' })
    const text = await connection.until(text => text.includes('for the second'))
    const [, first = '', second = ''] = text.split('HTTP/1.1 200 OK')
    assert.match(first, /\r\n:\n(retry: \d+\n)?\r\n0\r\n\r\n$/)
    assert.match(
      second,
      /\r\n\r\n[0-9a-f]+\r\n:\n(retry: \d+\n)?\r\n[0-9a-f]+\r\nid: [^\n]+\ndata: for the second\n\n\r\n/,
    )
    connection.close()
    await assertUnharmed(hub)
  })

  test('a subscribe, then a publish: it is stored, and answered after the stream', async () => {
    await using hub = await start({ write_timeout: '1s', dispatch_timeout: '0s' })
    const connection = (await Connection.open(hub.url)).send(
      subscribe('topic=a') + (await publish('topic=a&id=one&data=text')),
    )
    const text = await connection.until(text => text.endsWith('\r\n\r\none'))
    assert.match(text, /\r\nid: one\ndata: text\n\n\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
    connection.close()
    await assertUnharmed(hub)
  })

  test('two publishes, then a subscribe: each is answered in order', async () => {
    await using hub = await start()
    const sent = [await publish('topic=a&id=one'), await publish('topic=a&id=two'), subscribe('topic=a')]
    const connection = (await Connection.open(hub.url)).send(sent.join(''))
    const text = await connection.until(text => text.includes(':\n'))
    assert.match(
      text,
      /\r\n\r\noneHTTP\/1\.1 200 OK.*\r\n\r\ntwoHTTP\/1\.1 200 OK.*\r\nContent-Type: text\/event-stream\r\n/s,
    )
    connection.close()
    await assertUnharmed(hub)
  })

  test('twenty thousand subscribes at once: a bounded number is taken, and all of them leave', async () => {
    await using hub = await start()
    const connection = (await Connection.open(hub.url)).send(subscribe().repeat(20_000))
    await connection.until(text => text.includes('\r\n\r\n'))
    await hub.publish({ topic: 'a', data: 'x' })
    await connection.until(text => text.includes('data: x'))
    assert.ok((await connected(hub)) < 10_000)
    connection.abort()
    await assertUnharmed(hub)
  })

  test('what follows a publish on the connection is not part of its body', async () => {
    await using hub = await start()
    const stream = await hub.subscribe('topic=a')
    const inner = await publish('topic=a&id=inner')
    const connection = (await Connection.open(hub.url)).send((await publish('topic=a&id=outer&data=x')) + inner)
    await connection.until(text => text.endsWith('inner'))
    assert.deepEqual(
      (await stream.take(2)).map(({ id, data }) => [id, data]),
      [
        ['outer', 'x'],
        ['inner', ''],
      ],
    )
    connection.close()
  })
})

suite('HTTP/1.0', () => {
  for (const [name, request] of [
    ['with a Host', subscribe('topic=a', '1.0')],
    ['without a Host', `GET ${path}?topic=a HTTP/1.0\r\n\r\n`],
  ] as const) {
    test(`a subscriber ${name} gets its events without chunks, and the connection's end is theirs`, async () => {
      await using hub = await start()
      const connection = (await Connection.open(hub.url)).send(request)
      await untilSubscribed(hub, 1)
      await hub.publish({ topic: 'a', id: 'one', data: 'x' })
      await hub.publish({ topic: 'a', id: 'two', data: 'y' })
      await connection.until(text => text.includes('data: y'))
      await hub.running.close()
      const { status, headers, body } = readAnswer(await connection.end())
      assert.equal(status, 200)
      assert.equal(headers['transfer-encoding'], undefined)
      assert.match(body, /^:\n(retry: \d+\n)?id: one\ndata: x\n\nid: two\ndata: y\n\nretry: \d+\n$/)
    })
  }
})

suite('clients that go', () => {
  test('in the middle of an upload: nothing is published, nothing is left', async () => {
    await using hub = await start()
    const stream = await hub.subscribe('topic=a')
    const whole = await publish('topic=a&data=x', 100)
    for (const sent of [
      whole,
      whole.slice(0, -10),
      whole.slice(0, whole.indexOf('\r\n\r\n') + 4),
      whole.slice(0, 50),
    ]) {
      for (const leave of ['abort', 'close'] as const) {
        const connection = (await Connection.open(hub.url)).send(sent)
        await nextTurn()
        connection[leave]()
      }
    }
    await hub.publish({ topic: 'a', data: 'the first' })
    assert.deepEqual(
      (await stream.take()).map(({ data }) => data),
      ['the first'],
    )
    stream.close()
    await assertUnharmed(hub)
  })

  test('10,000 of them, at every moment of a stream: none is counted, listed or kept in memory', async () => {
    await using hub = await start({ transport_url: 'local://local?size=100' })
    // One line for each arrival and departure is kept by the test itself.
    hub.logs.push = () => 0
    await hub.publish({ topic: 'a', id: 'past', data: 'x'.repeat(1000) })
    const leave = async (index: number): Promise<void> => {
      const connection = await Connection.open(hub.url)
      const request = subscribe(
        `topic=a&match_urlpattern=/${index % 50}/:id&last_event_id=${index % 3 === 0 ? 'earliest' : ''}`,
      )
      const moment = index % 5
      if (moment === 0) connection.send(request.slice(0, index % request.length))
      else connection.send(request)
      if (moment === 1) await nextTurn()
      if (moment >= 2) await connection.until(text => text.includes('\r\n\r\n'))
      if (moment === 3) connection.socket.pause()
      if (moment === 4) connection.send(subscribe('topic=b'))
      connection.abort()
      await connection.end()
    }
    await leaveMany(leave, 2000)
    await untilConnected(hub, 0)
    const before = await usedBytes()
    await leaveMany(leave, 8000)
    await untilConnected(hub, 0)
    const grown = (await usedBytes()) - before
    assert.ok(grown < 8000 * 2000, `${grown} bytes have stayed in memory: a subscriber takes several thousand`)
    await assertUnharmed(hub)
  })

  async function leaveMany(leave: (index: number) => Promise<void>, count: number): Promise<void> {
    let next = 0
    const one = async () => {
      while (next < count) await leave(next++)
    }
    await Promise.all(Array.from({ length: 100 }, one))
  }
})

/** What is reachable now. */
async function usedBytes(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let i = 0; i < 3; i++) {
    await nextTurn()
    collect()
  }
  return process.memoryUsage().heapUsed
}
