import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Batch } from '../../src/hub/batch.ts'
import { FanOut } from '../../src/hub/fan-out.ts'
import { Subscriber } from '../../src/hub/subscriber.ts'
import { Collector } from '../support/collector.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (batch: Batch) => new TextDecoder().decode(batch.bytes)

/** Keeps what is written, batch by batch. */
class Recorder extends Collector {
  readonly batches: Batch[] = []
  override write(batch: Batch): void {
    this.batches.push(batch)
  }
}

function createSubscriber(): { subscriber: Subscriber; recorder: Recorder } {
  const recorder = new Recorder()
  const subscriber = new Subscriber({ id: 'x', matchers: [], grant: null, sink: recorder, maxQueueBytes: 1 << 20 })
  subscriber.state = 'live'
  return { subscriber, recorder }
}

test('the events of a turn are one write, and subscribers with the same events share its bytes', async () => {
  const fanOut = new FanOut()
  const [first, second, third] = [createSubscriber(), createSubscriber(), createSubscriber()]
  const [a, b, c] = [bytes('a'), bytes('b'), bytes('c')]
  for (const event of [a, b, c]) {
    fanOut.enqueue(first.subscriber, event)
    fanOut.enqueue(second.subscriber, event)
    if (event !== b) fanOut.enqueue(third.subscriber, event)
  }
  assert.deepEqual(first.recorder.batches, [])
  await nextTurn()
  assert.deepEqual(first.recorder.batches.map(text), ['abc'])
  assert.deepEqual(third.recorder.batches.map(text), ['ac'])
  assert.equal(first.recorder.batches[0], second.recorder.batches[0])
  fanOut.enqueue(first.subscriber, b)
  await nextTurn()
  assert.deepEqual(first.recorder.batches.map(text), ['abc', 'b'])
})

test('many subscribers are written to over several turns, each in order and none twice', async () => {
  const fanOut = new FanOut()
  const many = Array.from({ length: 5000 }, createSubscriber)
  const events = Array.from({ length: 20 }, (_, i) => bytes(`${i} `))
  for (const event of events) {
    for (const { subscriber } of many) fanOut.enqueue(subscriber, event)
    await nextTurn()
  }
  const expected = events.map(event => new TextDecoder().decode(event)).join('')
  const joined = () => many.map(({ recorder }) => recorder.batches.map(text).join(''))
  while (joined().some(got => got.length < expected.length)) await nextTurn()
  assert.deepEqual(new Set(joined()), new Set([expected]))
})
