import assert from 'node:assert/strict'
import { test } from 'node:test'
import { embedHub, listenWith } from '../support/embedding.ts'
import { EventStream } from '../support/event-stream.ts'
import { bearer } from '../support/subscriptions.ts'
import { signToken } from '../support/token.ts'

const topic = 'https://example.com/1'
const path = `/.well-known/mercure?topic=${topic}`

test('limits are for requests, and not for the application itself', async t => {
  const hub = await embedHub(t, { limits: { connections: 1, publishes_per_second: 1, topics: 1 } })
  const origin = await listenWith(t, hub.listener)
  const stream = await EventStream.open(origin + path)
  const refused = await fetch(origin + path)
  assert.equal(refused.status, 503)
  assert.match(await refused.text(), /^connections_too_many: /)

  const own = await hub.subscribe({ topics: topic })
  for (let i = 0; i < 20; i++) await hub.publish({ topics: [topic, `${topic}/a`], data: `${i}` })
  await stream.take(20)
  for (let i = 0; i < 20; i++) assert.equal((await own.next()).value?.data, `${i}`)
  const authorization = bearer(await signToken({ mercure: { publish: ['*'] } }))
  for (;;) {
    const body = new URLSearchParams({ topic })
    const answer = await fetch(origin + path, { method: 'POST', headers: authorization, body })
    if (answer.status === 200) continue
    assert.match(await answer.text(), /^publishes_too_many: /)
    break
  }
  stream.close()
})

test('requests in memory have no address but the one that is forwarded, where that is to be read', async t => {
  const limits = { connections_per_ip: 1 }
  const plain = await embedHub(t, { limits })
  const behind = await embedHub(t, { limits, use_forwarded_headers: true })
  const open = async (hub: typeof plain, address: string): Promise<Response> =>
    await hub.fetch(new Request(`http://hub.example${path}`, { headers: { 'X-Forwarded-For': address } }))
  for (let i = 0; i < 3; i++) assert.equal((await open(plain, '198.51.100.7')).status, 200)
  const first = await open(behind, '198.51.100.7')
  assert.equal(first.status, 200)
  assert.equal((await open(behind, '198.51.100.8')).status, 200)
  assert.equal((await open(behind, '192.0.2.1, 198.51.100.7')).status, 429)
  await first.body?.cancel()
  for (;;) {
    const { status } = await open(behind, '198.51.100.7')
    if (status === 200) break
    assert.equal(status, 429)
  }
})
