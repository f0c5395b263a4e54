import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '../../../transports/backend/failure.ts'
import { FrameLimit } from '../../../transports/pulsar/too-large.ts'

const ended = (words: string) => new Failure('broken', `it has ended the connection (1009: ${words})`, '1009')

test('the limit is what the server says of it, and not the size that was tried', () => {
  const limit = new FrameLimit()
  assert.equal(limit.check(1e9), undefined)
  limit.learn(ended('Text message size [1333500] exceeds maximum size [1048576]'), 1_333_500)
  assert.equal(limit.check(1_048_576), undefined)
  assert.match(limit.check(1_048_577)!.error.message, /of 1048577 bytes.* larger than Pulsar takes: 1048576 bytes/)
  assert.equal(limit.check(1_048_577)!.error.code, 'body_too_large')
  // It has been told to take more.
  limit.learn(ended('Text message size [3000000] exceeds maximum size [2000000]'))
  assert.equal(limit.check(2_000_000), undefined)
})

test('a server that does not say it: no more than what it has refused is known', () => {
  const limit = new FrameLimit()
  limit.learn(new Failure('broken', 'the connection was closed'), 10)
  assert.equal(limit.check(1e9), undefined)
  limit.learn(ended('too big'), 5000)
  assert.equal(limit.check(4999), undefined)
  assert.equal(limit.check(5000)!.setting, 'webSocketMaxTextFrameSize')
})
