import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Connection, exchange, readAnswer } from '../support/connection.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { assertDelivers, assertRefusal, formHeader, request } from '../support/raw-request.ts'
import { publisherToken } from '../support/token.ts'

const path = '/.well-known/mercure'
const start = (): Promise<TestHub> =>
  startHub({ metrics_enabled: true, metrics_addr: '', read_header_timeout: '200ms', read_timeout: '400ms' })

async function refusals(hub: TestHub): Promise<Record<string, number>> {
  const text = await (await hub.fetch('/metrics')).text()
  const counted = text.matchAll(/^talaria_requests_refused_total\{code="(\w+)"\} (\d+)$/gm)
  return Object.fromEntries([...counted].map(([, code, count]) => [code, Number(count)]))
}

suite("requests that Node's parser gives up", { concurrency: true }, () => {
  const half = `POST ${path} HTTP/1.1\r\nHost: hub\r\n${formHeader}\r\n`
  const rows: readonly { name: string; bytes: () => Promise<string> | string; status: number; code: string }[] = [
    { name: 'no HTTP', bytes: () => 'hello\r\n\r\n', status: 400, code: 'request_malformed' },
    {
      name: 'a control character in a header',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, ['X: a\x01b']),
      status: 400,
      code: 'request_malformed',
    },
    {
      name: 'a head that is too long',
      bytes: () => request(`GET ${path}?topic=a HTTP/1.1`, [`X: ${'a'.repeat(1 << 20)}`]),
      status: 431,
      code: 'head_too_large',
    },
    { name: 'half a head', bytes: () => half, status: 408, code: 'request_timeout' },
    {
      name: 'half a body',
      bytes: async () =>
        `${half}Authorization: Bearer ${await publisherToken()}\r\nContent-Length: 100\r\n\r\ntopic=a&data=`,
      status: 408,
      code: 'request_timeout',
    },
  ]

  for (const { name, bytes, status, code } of rows) {
    test(`${name}: ${status}, with a sentence, a line of the log and a count`, async () => {
      await using hub = await start()
      const answer = await exchange(hub.url, await bytes())
      assert.equal(answer.status, status)
      assert.equal(answer.headers.connection, 'close')
      assertRefusal(answer, code)
      assert.deepEqual(await refusals(hub), { [code]: 1 })
      const logged = hub.logs.filter(({ msg }) => msg === 'request refused')
      assert.deepEqual(
        logged.map(line => [line.code, line.status]),
        [[code, status]],
      )
      await assertDelivers(hub)
    })
  }

  test('a connection on which nothing was sent is closed, and nothing is told of it', async () => {
    await using hub = await start()
    const connection = await Connection.open(hub.url)
    assert.equal(readAnswer(await connection.end()).status, 408)
    assert.deepEqual(await refusals(hub), {})
  })

  test('a client that resets its connection is refused nothing', async () => {
    await using hub = await start()
    const connection = (await Connection.open(hub.url)).send(half)
    connection.abort()
    await assertDelivers(hub)
    assert.deepEqual(await refusals(hub), {})
  })

  test('what is no request behind an open stream ends it, and puts nothing into it', async () => {
    await using hub = await start()
    const connection = (await Connection.open(hub.url)).send(`GET ${path}?topic=a HTTP/1.1\r\nHost: hub\r\n\r\n`)
    await connection.until(text => text.includes(':\n'))
    const text = await connection.send('hello\r\n\r\n').end()
    assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1)
    assert.doesNotMatch(text, /request_malformed/)
    await hub.logged(({ msg }) => msg === 'subscriber left')
  })
})
