import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { HubError } from '../../src/errors.ts'
import type { Update } from '../../src/protocol/update.ts'
import type { OpenTransport, Transport } from '../../src/transport.ts'
import { openTransport } from '../../transports/index.ts'
import { startHub } from '../support/hub.ts'
import { createTestUpdate } from '../support/node.ts'

/** The in-memory transport, with some methods that fail. */
const failing =
  (faults: Partial<Transport>): OpenTransport =>
  async (url, context) =>
    Object.assign(await openTransport(url, context), faults)

const outage = new HubError('transport_unavailable', 'The backend is down.')
const defect = new Error('a password of the backend')
const isDefect = ({ level, err }: Record<string, unknown>) =>
  level === 50 && (err as { message?: string } | undefined)?.message === defect.message

/** Fails as a promise does, and as code that throws before there is one. */
const ways = {
  'that rejects': (error: Error) => () => Promise.reject(error),
  'that throws': (error: Error) => () => {
    throw error
  },
}

for (const [way, fail] of Object.entries(ways)) {
  suite(`a transport ${way}`, () => {
    test('publishing, with a reason: 503, the reason, and when to try again', async () => {
      await using hub = await startHub({}, failing({ publish: fail(outage) }))
      const response = await hub.post(new URLSearchParams({ topic: 'a' }))
      assert.equal(response.status, 503)
      assert.equal(response.headers.get('retry-after'), '1')
      assert.equal(await response.text(), 'transport_unavailable: The backend is down.\n')
    })

    test('publishing, by a defect: 500 for the client, everything for the log', async () => {
      await using hub = await startHub({}, failing({ publish: fail(defect) }))
      const response = await hub.post(new URLSearchParams({ topic: 'a' }))
      assert.equal(response.status, 500)
      assert.equal(await response.text(), 'internal: Internal Server Error\n')
      await hub.logged(isDefect)
      assert.equal((await hub.fetch('/healthz')).status, 200)
    })

    test('announcing a subscription: the log has it, the stream goes on', async () => {
      const announcing = fail(defect)
      await using hub = await startHub({ subscriptions: true }, async (url, context) => {
        const transport = await openTransport(url, context)
        const publish = transport.publish.bind(transport)
        return Object.assign(transport, {
          publish: (update: Update) => (update.private ? announcing() : publish(update)),
        })
      })
      const stream = await hub.subscribe('topic=a')
      await hub.logged(isDefect)
      await hub.publish({ topic: 'a', data: 'x' })
      assert.deepEqual(
        (await stream.take()).map(({ data }) => data),
        ['x'],
      )
    })

    test('finding where a subscriber resumes: 503 or 500, and no stream', async () => {
      for (const [error, status] of [
        [outage, 503],
        [defect, 500],
      ] as const) {
        await using hub = await startHub({}, failing({ history: fail(error) }))
        const response = await hub.fetch('/.well-known/mercure?topic=a&last_event_id=earliest')
        assert.equal(response.status, status)
        assert.ok(!(await response.text()).includes(defect.message))
        const fresh = await hub.subscribe('topic=a')
        await hub.publish({ topic: 'a', data: 'x' })
        assert.deepEqual(
          (await fresh.take()).map(({ data }) => data),
          ['x'],
        )
      }
    })

    test('in the middle of a replay: the stream ends, and says why', async () => {
      const pages = async function* () {
        yield { entries: [{ position: '1', update: createTestUpdate({ id: 'one', topics: ['a'] }) }], end: '1' }
        await fail(defect)()
      }
      await using hub = await startHub({}, failing({ history: async () => ({ found: true, pages: pages() }) }))
      const stream = await hub.subscribe('topic=a&last_event_id=earliest')
      await stream.end()
      assert.deepEqual(stream.ids, ['one'])
      const { reason } = await hub.logged(({ msg }) => msg === 'subscriber left')
      assert.equal(reason, 'history unavailable')
      await hub.logged(isDefect)
    })

    test('saying whether it is ready: 503, and the hub is alive', async () => {
      await using hub = await startHub({}, failing({ ready: fail(outage) }))
      assert.equal((await hub.fetch('/readyz')).status, 503)
      assert.equal((await hub.fetch('/healthz')).status, 200)
    })

    test('when it starts: the hub does not start', async () => {
      await assert.rejects(startHub({}, failing({ start: fail(outage) })), outage)
    })

    test('when it closes: streams and connections are ended all the same, and who closes is told', async () => {
      const hub = await startHub({}, failing({ close: fail(defect) }))
      const stream = await hub.subscribe('topic=a')
      await assert.rejects(hub.running.close(), defect)
      await stream.end()
      await assert.rejects(hub.fetch('/healthz'))
    })
  })
}

test('a transport that never answers holds up a publish, and nothing else: neither others nor the end', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  const publish = () => {
    resolve()
    return new Promise<void>(() => {})
  }
  const hub = await startHub({ shutdown_timeout: '100ms' }, failing({ publish }))
  const unanswered = assert.rejects(hub.post(new URLSearchParams({ topic: 'a' })))
  await asked
  assert.equal((await hub.fetch('/healthz')).status, 200)
  await hub.close()
  await unanswered
})
