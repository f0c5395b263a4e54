import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import type { Generation } from '../../src/protocol/generation.ts'
import { LogDirectory } from '../support/bolt.ts'
import { Connection } from '../support/connection.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { createTestUpdate } from '../support/node.ts'
import { anyText } from '../support/text.ts'
import { publisherToken, signAccessToken, testIssuer } from '../support/token.ts'

const topic = 'https://example.com/books/1'

/** What no header brings back. */
const unfit: readonly (readonly [name: string, id: string])[] = [
  ['a control character', 'a\x01b'],
  ['a tab', 'a\tb'],
  ['DEL', 'a\x7fb'],
  ['a space before it', ' a'],
  ['a space after it', 'a '],
  ['1,025 bytes', 'a'.repeat(1025)],
  ['more bytes than a request has in its head', 'a'.repeat(100_000)],
]

/** The rest of a stream's request, as an EventSource sends it that has received `id`. */
const resume = (query: string, id: string): Buffer =>
  Buffer.from(
    `GET /.well-known/mercure?${query} HTTP/1.1\r\nHost: hub.example\r\nAccept: text/event-stream\r\nLast-Event-ID: ${id}\r\n\r\n`,
  )

suite('an id that was accepted leads on', () => {
  let hub: TestHub
  let tokens: Record<Generation, string>
  before(async () => {
    hub = await startHub({ transport_url: 'local://local?size=100000', issuers: [testIssuer] })
    const details = [{ actions: ['publish'], topics: [{ match: '*' }] }]
    tokens = { '0.x': await publisherToken(), '1.0': await signAccessToken(hub.hubUrl, details) }
  })
  after(() => hub.close())

  const publish = async (generation: Generation, fields: Record<string, string>): Promise<Response> =>
    await hub.post(new URLSearchParams(fields), { headers: { Authorization: `Bearer ${tokens[generation]}` } })

  const anyId = fc.oneof(
    anyText,
    fc.tuple(anyText, fc.integer({ min: 1, max: 2000 })).map(([text, count]) => `${text}${'é'.repeat(count)}`),
  )

  /** Used before, which is where they then lead to; `earliest` is one in 0.x, and leads to all that there is. */
  const known = new Set(['', 'earliest'])

  for (const generation of ['0.x', '1.0'] as const) {
    test(`whatever it is: in the header that brings it back it finds its place, generation ${generation}`, async () => {
      let accepted = 0
      await fc.assert(
        fc.asyncProperty(anyId, async text => {
          const id = text.toWellFormed()
          if (known.has(id)) return
          const own = `https://example.com/${generation}/${known.size}`
          const answer = await publish(generation, { topic: own, id })
          const said = await answer.text()
          if (answer.status !== 200) {
            assert.match(said, /^id_invalid: /)
            return
          }
          known.add(id)
          accepted++
          const next = await hub.publish({ topic: own, data: 'next' })
          const connection = (await Connection.open(hub.url)).send(
            resume(new URLSearchParams({ topic: own }).toString(), id),
          )
          const received = await connection.until(text => text.includes('\r\n\r\n') && /data: .*\n\n/.test(text))
          connection.close()
          const [head = '', body = ''] = received.split(/\r\n\r\n(.*)/s)
          assert.match(head, /^HTTP\/1.1 200 /)
          const wire = Buffer.from(id).toString('latin1')
          assert.ok(head.split('\r\n').includes(`Last-Event-ID: ${wire}`), `${JSON.stringify(id)}: ${head}`)
          assert.deepEqual(body.match(/^id: .*$/gm), [`id: ${next}`], JSON.stringify(id))
        }),
        { numRuns: 300 },
      )
      assert.ok(accepted > 30, `${accepted} were accepted`)
    })

    for (const [name, id] of unfit) {
      test(`${name}: refused, with what to do, generation ${generation}`, async () => {
        const answer = await publish(generation, { topic, id })
        assert.equal(answer.status, 400)
        const said = await answer.text()
        assert.match(said, /^id_invalid: .*Last-Event-ID.*: the hub then makes it\.\n$/)
        assert.ok(said.length < 400)
      })
    }
  }
})

suite('an id that no header brings back, in the log from elsewhere', () => {
  for (const [name, id] of unfit) {
    test(`${name}: its update comes without it, live and from the window`, async () => {
      await using hub = await startHub({ subscriptions: true })
      const { running } = hub
      const live = await hub.subscribe(`topic=${topic}`)
      const [first] = [await hub.publish({ topic, data: 'one' })]
      await running.hub.publish(createTestUpdate({ id, topics: [topic], type: 'book', retry: 5, data: 'two\nid: x' }))
      assert.equal(running.hub.lastEventId, first, 'who reads the list of subscriptions goes on from here')
      const last = await hub.publish({ topic, data: 'three' })
      const expected = [first, undefined, last]
      const idsOf = async (stream: typeof live, count: number) => (await stream.take(count)).map(event => event.id)
      assert.deepEqual(await idsOf(live, 3), expected)
      assert.deepEqual(live.retries, [3000, 5])
      assert.deepEqual(live.events[1], { id: undefined, event: 'book', data: 'two\nid: x' })
      assert.deepEqual(await idsOf(await hub.subscribe(`topic=${topic}&lastEventID=earliest`), 3), expected)
      assert.deepEqual(await idsOf(await hub.subscribe(`topic=${topic}&lastEventID=${first}`), 2), expected.slice(1))
      // Where it fits, it is an id like any other.
      if (id.length > 10_000) return
      const query = `topic=${topic}&${new URLSearchParams({ lastEventID: id })}`
      assert.deepEqual(await idsOf(await hub.subscribe(query), 1), [last])
    })
  }

  test('from a file that has them already', async () => {
    await using directory = await LogDirectory.create()
    {
      await using log = await directory.start()
      for (const [, id] of unfit) await log.transport.publish(createTestUpdate({ id, topics: [topic], data: 'x' }))
    }
    const transport_url = `bolt://${directory.file}`
    await using hub = await startHub({ transport_url, recent: { entries: 1, bytes: '64KiB' } })
    const last = await hub.publish({ topic, data: 'y' })
    const stream = await hub.subscribe(`topic=${topic}&lastEventID=earliest`)
    const events = await stream.take(unfit.length + 1)
    assert.deepEqual(
      events.map(({ id, data }) => [id, data]),
      [...unfit.map(() => [undefined, 'x']), [last, 'y']],
    )
  })
})
