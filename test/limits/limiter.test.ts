import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type ErrorCode, HubError } from '../../src/errors.ts'
import { type Limits, NodeLimiter } from '../../src/limits/limiter.ts'

const none: Limits = {
  connections: 0,
  connectionsPerIp: 0,
  connectionsPerSubject: 0,
  publishesPerSecond: 0,
  publishesPerSecondPerSubject: 0,
}

function assertRefused(action: () => unknown, code: ErrorCode): HubError {
  try {
    action()
  } catch (error) {
    assert.ok(error instanceof HubError)
    assert.equal(error.code, code)
    return error
  }
  return assert.fail('it was admitted')
}

suite('streams', () => {
  const stream = (address?: string, subject?: string) => ({ address, subject })

  test('each limit has its own refusal, what is the fault of the sender first', () => {
    const limiter = new NodeLimiter({ ...none, connections: 4, connectionsPerIp: 2, connectionsPerSubject: 1 })
    limiter.admitStream(stream('a', 'one'))
    limiter.admitStream(stream('a', 'two'))
    assertRefused(() => limiter.admitStream(stream('a', 'three')), 'connections_of_ip_too_many')
    assertRefused(() => limiter.admitStream(stream('b', 'one')), 'connections_of_subject_too_many')
    limiter.admitStream(stream('b'))
    limiter.admitStream(stream())
    assertRefused(() => limiter.admitStream(stream()), 'connections_too_many')
    assertRefused(() => limiter.admitStream(stream('a', 'three')), 'connections_of_ip_too_many')
  })

  test('whose address or subject is not known is not counted by it', () => {
    const limiter = new NodeLimiter({ ...none, connectionsPerIp: 1, connectionsPerSubject: 1 })
    for (let i = 0; i < 10; i++) limiter.admitStream(stream())
    assert.equal(limiter.remembered, 0)
  })

  test('a stream is given back once, and nothing is remembered of who has none', () => {
    const limiter = new NodeLimiter({ ...none, connections: 2, connectionsPerIp: 2, connectionsPerSubject: 2 })
    const releases = [limiter.admitStream(stream('a', 'one')), limiter.admitStream(stream('a', 'one'))]
    assertRefused(() => limiter.admitStream(stream('b', 'two')), 'connections_too_many')
    for (let i = 0; i < 3; i++) releases[0]!()
    const again = limiter.admitStream(stream('a', 'one'))
    assertRefused(() => limiter.admitStream(stream('a', 'one')), 'connections_of_ip_too_many')
    again()
    releases[1]!()
    assert.equal(limiter.remembered, 0)
  })

  test('who is refused takes no place', () => {
    const limiter = new NodeLimiter({ ...none, connectionsPerIp: 1, connectionsPerSubject: 1 })
    const release = limiter.admitStream(stream('a', 'one'))
    assertRefused(() => limiter.admitStream(stream('b', 'one')), 'connections_of_subject_too_many')
    release()
    assert.equal(limiter.remembered, 0)
    limiter.admitStream(stream('b', 'one'))
  })

  test('those who are sent away come back one after another', () => {
    const limiter = new NodeLimiter({ ...none, connections: 1 })
    limiter.admitStream(stream())
    const seconds = new Set<number>()
    for (let i = 0; i < 200; i++) {
      const { retryAfterMs = 0 } = assertRefused(() => limiter.admitStream(stream()), 'connections_too_many')
      assert.ok(retryAfterMs >= 5000 && retryAfterMs <= 30_000)
      seconds.add(Math.ceil(retryAfterMs / 1000))
    }
    assert.ok(seconds.size > 10, `${seconds.size}`)
  })
})

suite('publishing', () => {
  test('of one subject, and of all; a refusal tells when, and costs nothing', () => {
    let now = 0
    const limiter = new NodeLimiter({ ...none, publishesPerSecond: 6, publishesPerSecondPerSubject: 4 }, () => now)
    for (let i = 0; i < 4; i++) limiter.admitPublish('one')
    for (let i = 0; i < 100; i++) {
      const { retryAfterMs } = assertRefused(() => limiter.admitPublish('one'), 'publishes_of_subject_too_many')
      assert.equal(retryAfterMs, 250)
    }
    // The others have what is left for all.
    limiter.admitPublish('two')
    limiter.admitPublish(undefined)
    assertRefused(() => limiter.admitPublish('two'), 'publishes_too_many')
    assertRefused(() => limiter.admitPublish(undefined), 'publishes_too_many')
    now = 500
    limiter.admitPublish('two')
    now = 3000
    assert.equal(limiter.remembered, 0)
  })

  test('several updates at once count as several', () => {
    let now = 0
    const limiter = new NodeLimiter({ ...none, publishesPerSecondPerSubject: 10 }, () => now)
    limiter.admitPublish('one')
    limiter.admitPublish('one', 10)
    const { retryAfterMs = 0 } = assertRefused(() => limiter.admitPublish('one'), 'publishes_of_subject_too_many')
    assert.equal(retryAfterMs, 200)
    now = 201
    limiter.admitPublish('one')
  })

  test("a batch of more than a second's is refused, and takes nothing: nobody has to wait for long", () => {
    const limiter = new NodeLimiter({ ...none, publishesPerSecond: 20, publishesPerSecondPerSubject: 10 }, () => 0)
    const ofSubject = assertRefused(() => limiter.admitPublish('one', 11), 'updates_too_many')
    assert.match(ofSubject.message, /, 10 \(limits\.publishes_per_second_per_subject\); this one has 11\./)
    // Without a subject the limit of the node holds alone.
    const ofAll = assertRefused(() => limiter.admitPublish(undefined, 21), 'updates_too_many')
    assert.match(ofAll.message, /, 20 \(limits\.publishes_per_second\); this one has 21\./)
    assert.equal(limiter.remembered, 0)
    for (let i = 0; i < 19; i++) limiter.admitPublish(undefined)
    limiter.admitPublish(undefined, 20)
    const { retryAfterMs = 0 } = assertRefused(() => limiter.admitPublish('one'), 'publishes_too_many')
    assert.ok(retryAfterMs <= 1000)
  })
})
