import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Batch } from '../../src/hub/batch.ts'
import { Subscriber } from '../../src/hub/subscriber.ts'
import { Collector } from '../support/collector.ts'

const maxQueueBytes = 1000

function createReader(): { collector: Collector; send: (bytes: number) => void } {
  const collector = new Collector({ paused: true })
  const subscriber = new Subscriber({ id: 'x', matchers: [], grant: null, sink: collector, maxQueueBytes })
  subscriber.state = 'live'
  const send = (bytes: number) => {
    subscriber.pending = new Batch(new Uint8Array(bytes))
    subscriber.flush()
  }
  return { collector, send }
}

test('a reader is ended when more than max_queue_bytes of several batches wait', () => {
  const { collector, send } = createReader()
  for (let i = 0; i < 11; i++) send(100)
  assert.equal(collector.ended, undefined)
  send(1)
  assert.equal(collector.ended, 'too slow')
})

test('a batch above the bound does not count against its reader, for as long as it is on its way', () => {
  const { collector, send } = createReader()
  send(50_000)
  for (let i = 0; i < 10; i++) send(100)
  assert.equal(collector.ended, undefined)
  collector.readOne()
  send(101)
  send(1)
  assert.equal(collector.ended, 'too slow')
})

test('batches above the bound do not add up', () => {
  const { collector, send } = createReader()
  send(50_000)
  send(40_000)
  send(1)
  assert.equal(collector.ended, 'too slow')
  assert.ok(collector.mostWaiting <= 2 * 50_000 + maxQueueBytes)
})
