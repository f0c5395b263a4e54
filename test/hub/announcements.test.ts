import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { HubError } from '../../src/errors.ts'
import type { Update } from '../../src/protocol/update.ts'
import { openTransport } from '../../transports/index.ts'
import { startHub } from '../support/hub.ts'
import { bearer, documentOf } from '../support/subscriptions.ts'
import { subscriberToken } from '../support/token.ts'

test('who comes and goes while the log is away is announced when it is back', async () => {
  let isAway = false
  const refused: Update[] = []
  const changed = new EventEmitter()
  await using hub = await startHub({ subscriptions: true }, async (url, context) => {
    const transport = await openTransport(url, context)
    const publish = transport.publish.bind(transport)
    return Object.assign(transport, {
      async publish(update: Update) {
        if (!isAway) return await publish(update)
        refused.push(update)
        changed.emit('change')
        throw new HubError('transport_unavailable', 'The log is away.')
      },
    })
  })
  const refusals = async (count: number) => {
    while (refused.length < count) await once(changed, 'change')
  }
  const watcher = await hub.subscribe('topic=*', { headers: bearer(await subscriberToken(['*'])) })
  const leaving = await hub.subscribe('topic=leaving')
  // The watcher's own, and that of the one who will leave.
  await watcher.take(2)
  isAway = true
  leaving.close()
  // Once at once, then after a pause, with nothing that overtakes it.
  await refusals(1)
  const passing = await hub.subscribe('topic=passing')
  const coming = await hub.subscribe('topic=coming')
  passing.close()
  const left = () => hub.logs.filter(({ msg }) => msg === 'subscriber left').length === 2
  await hub.logged(left)
  await refusals(2)
  isAway = false
  const heard = new Map<string, boolean[]>()
  await watcher.until(() => {
    heard.clear()
    for (const event of watcher.events.slice(2)) {
      const { topic, active } = documentOf(event)
      heard.set(topic, [...(heard.get(topic) ?? []), active])
    }
    return heard.has('coming') && heard.has('passing')
  })
  assert.deepEqual(heard.get('leaving'), [false])
  assert.deepEqual(heard.get('coming'), [true])
  assert.deepEqual(heard.get('passing'), [false])
  // An outage is told of once.
  assert.equal(hub.logs.filter(({ msg }) => msg === 'failed while announcing a subscription').length, 1)
  coming.close()
  await watcher.until(() => watcher.events.length === 6)
  assert.equal(documentOf(watcher.events.at(-1)).active, false)
})

test('what was stored, whatever its publisher was told, is not announced again', async () => {
  let answers = true
  let published = 0
  await using hub = await startHub({ subscriptions: true }, async (url, context) => {
    const transport = await openTransport(url, context)
    const publish = transport.publish.bind(transport)
    return Object.assign(transport, {
      async publish(update: Update) {
        published++
        await publish(update)
        if (!answers) throw new HubError('transport_unavailable', 'The log has not answered.')
      },
    })
  })
  const watcher = await hub.subscribe('topic=*', { headers: bearer(await subscriberToken(['*'])) })
  await watcher.take()
  answers = false
  const stream = await hub.subscribe('topic=once')
  await watcher.take()
  answers = true
  // Comes after whatever is tried again.
  stream.close()
  assert.equal(documentOf((await watcher.take())[0]).active, false)
  assert.equal(published, 3)
})
