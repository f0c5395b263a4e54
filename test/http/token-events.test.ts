import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Form } from '../../src/http/form.ts'
import { expiryNotice, lifetimeOf } from '../../src/http/lifetime.ts'
import { TimerWheel } from '../../src/http/timer-wheel.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { subscribeGrant } from '../support/node.ts'
import { signToken } from '../support/token.ts'

const topic = 'https://example.com/1'
const query = `topic=${encodeURIComponent(topic)}`

async function open(hub: TestHub, query: string, claims: object) {
  const token = await signToken({ mercure: { subscribe: ['*'] }, ...claims })
  return await hub.subscribe(query, { headers: { Authorization: `Bearer ${token}` } })
}

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

test('a client that asks is told at once of a token that soon expires, by an event without an id', async () => {
  await using hub = await startHub()
  const exp = inSeconds(20)
  const stream = await open(hub, `${query}&token_events=1`, { exp })
  const [event] = await stream.take()
  assert.deepEqual([event!.event, event!.id], ['mercure-token-expiring', undefined])
  const { expires_at: at, expires_in: left, ...rest } = JSON.parse(event!.data)
  assert.deepEqual([at, rest], [new Date(exp * 1000).toISOString(), {}])
  assert.ok(Number.isInteger(left) && left <= 20 && left >= 0, String(left))
  const id = await hub.publish({ topic, data: 'x' })
  assert.equal((await stream.take())[0]!.id, id)
  // Once: it is what the stream has beside updates.
  assert.equal(stream.text.split('mercure-token-expiring').length, 2)
})

test('a QUERY may ask in its body', async () => {
  await using hub = await startHub()
  const token = await signToken({ mercure: { subscribe: ['*'] }, exp: inSeconds(20) })
  const stream = await hub.subscribe('', {
    method: 'QUERY',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/x-www-form-urlencoded' },
    body: `${query}&token_events=1`,
  })
  assert.equal((await stream.take())[0]!.event, 'mercure-token-expiring')
})

test('nobody else is told', async () => {
  await using hub = await startHub()
  const streams = [
    await open(hub, query, { exp: inSeconds(20) }),
    await open(hub, `${query}&token_events=0`, { exp: inSeconds(20) }),
    await open(hub, `${query}&token_events=1`, { exp: inSeconds(3600) }),
    await open(hub, `${query}&token_events=1`, {}),
    await hub.subscribe(`${query}&token_events=1`),
  ]
  // One who is told comes last: the hub has had the time to tell the others.
  await (await open(hub, `${query}&token_events=1`, { exp: inSeconds(20) })).take()
  await hub.publish({ topic, data: 'x' })
  for (const stream of streams) assert.equal((await stream.take())[0]!.data, 'x')
})

describe('in the time of the wheel', () => {
  const wheel = new TimerWheel(100)
  const grantFor = (ms: number) => ({ ...subscribeGrant('*'), expiresAt: Date.now() + ms })
  const form = new Form().append('token_events=1', 'query')

  test('the notice comes 30 s before the end', () => {
    const grant = grantFor(3_600_000)
    const { endsAt } = lifetimeOf(grant, { wheel, writeTimeoutMs: 0, dispatchTimeoutMs: 5000 })!
    const { at } = expiryNotice(form, grant, wheel)!
    // The stream ends a tick early; and both ask their clocks one after the other.
    assert.ok(Math.abs(endsAt + wheel.tickMs - 30_000 - at) < 1000)
  })

  test('a stream ends with its token, and at no other time that is random', () => {
    const grant = grantFor(3_600_000)
    const { endsAt, reason } = lifetimeOf(grant, { wheel, writeTimeoutMs: 0, dispatchTimeoutMs: 5000 })!
    assert.equal(reason, 'token expired')
    assert.ok(endsAt <= wheel.now + 3_600_000 - wheel.tickMs && endsAt > wheel.now + 3_590_000)
  })

  test('the shorter of the two bounds is the life of a stream', () => {
    const options = { wheel, writeTimeoutMs: 600_000, dispatchTimeoutMs: 5000 }
    assert.equal(lifetimeOf(grantFor(3_600_000), options)!.reason, 'write timeout')
    assert.equal(lifetimeOf(grantFor(400_000), options)!.reason, 'token expired')
    assert.equal(lifetimeOf(null, { ...options, writeTimeoutMs: 0 }), undefined)
  })
})

test('a stream is over before its token is, whenever it was opened', async () => {
  await using hub = await startHub({ transport_url: 'local://local' })
  const ends = Array.from({ length: 20 }, async (_, i) => {
    const expiresAt = Date.now() + 200 + i * 37
    const stream = await open(hub, query, { exp: expiresAt / 1000 })
    await stream.end()
    return expiresAt
  })
  await Promise.all(ends)
  const left = hub.logs.filter(({ msg }) => msg === 'subscriber left')
  assert.deepEqual(new Set(left.map(({ reason }) => reason)), new Set(['token expired']))
  assert.equal(left.length, 20)
})
