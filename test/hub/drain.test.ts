import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../src/hub/cluster/clock.ts'
import { drain, timeToDrain } from '../../src/hub/drain.ts'
import { Subscriber } from '../../src/hub/subscriber.ts'
import { Collector } from '../support/collector.ts'

/** Time that passes when the test says so. */
class TestClock implements Clock {
  #nowMs = 1000
  #interval: { readonly everyMs: number; readonly action: () => void; nextAt: number } | undefined

  now(): number {
    return this.#nowMs
  }

  every(everyMs: number, action: () => void): () => void {
    this.#interval = { everyMs, action, nextAt: this.#nowMs + everyMs }
    return () => {
      this.#interval = undefined
    }
  }

  get isTicking(): boolean {
    return this.#interval !== undefined
  }

  pass(ms: number): void {
    const end = this.#nowMs + ms
    while (this.#interval !== undefined && this.#interval.nextAt <= end) {
      this.#nowMs = this.#interval.nextAt
      this.#interval.nextAt += this.#interval.everyMs
      this.#interval.action()
    }
    this.#nowMs = end
  }

  /** The process is held up: its timer comes late, and once. */
  stall(ms: number): void {
    this.#nowMs += ms
    this.#interval?.action()
  }
}

/** A crowd that is drained within `timeMs`. */
function beginDrain(count: number, timeMs: number) {
  const clock = new TestClock()
  const crowd = Array.from({ length: count }, (_, i) => {
    const sink = new Collector()
    const subscriber = new Subscriber({ id: `${i}`, matchers: [], grant: null, sink, maxQueueBytes: 1000 })
    sink.onEnd = () => {
      subscriber.state = 'closed'
    }
    return { sink, subscriber }
  })
  const drained = drain(
    crowd.map(({ subscriber }) => subscriber),
    timeMs,
    clock,
  )
  const reasons = () => crowd.flatMap(({ sink: { ended } }) => ended ?? [])
  return { clock, crowd, drained, reasons, ended: () => reasons().length }
}

test('many end evenly, in the order in which they came, the last one just before the time is over', async () => {
  const { clock, crowd, drained, ended, reasons } = beginDrain(5000, 10_000)
  assert.equal(ended(), 1)
  for (let second = 1; second < 10; second++) {
    clock.pass(1000)
    assert.equal(ended(), 1 + second * 500)
    assert.ok(crowd[ended() - 1]!.sink.ended !== undefined && crowd[ended()]!.sink.ended === undefined)
  }
  clock.pass(980)
  assert.equal(ended(), 4991)
  clock.pass(20)
  await drained
  assert.deepEqual(new Set(reasons()), new Set(['shutdown']))
  assert.equal(ended(), 5000)
  assert.ok(!clock.isTicking)
})

test('few are not spread over a long time: a hundred in a second', async () => {
  const { clock, drained, ended } = beginDrain(50, 24_000)
  clock.pass(200)
  assert.equal(ended(), 21)
  clock.pass(300)
  assert.equal(ended(), 50)
  await drained
})

test('one, or nobody, takes no time', async () => {
  for (const count of [0, 1]) {
    const { clock, drained, ended } = beginDrain(count, 24_000)
    assert.equal(ended(), count)
    await drained
    assert.ok(!clock.isTicking)
  }
})

test('without a time all end at once', async () => {
  const { drained, ended } = beginDrain(5000, 0)
  assert.equal(ended(), 5000)
  await drained
})

test('those who leave by themselves make it shorter, and no faster', async () => {
  const { clock, crowd, drained, ended } = beginDrain(1000, 10_000)
  clock.pass(1000)
  for (const { sink } of crowd.slice(500)) sink.end('client closed')
  clock.pass(3000)
  assert.equal(ended(), 901)
  clock.pass(1000)
  await drained
  assert.equal(ended(), 1000)
})

test('a process that was held up is in time all the same', async () => {
  const { clock, drained, ended } = beginDrain(1000, 10_000)
  clock.pass(1000)
  clock.stall(8000)
  assert.equal(ended(), 901)
  clock.stall(5000)
  await drained
  assert.equal(ended(), 1000)
})

test('a fifth of the time to shut down, and no more than five seconds, is left for what is under way', () => {
  const rows = [
    [0, 0],
    [1000, 800],
    [10_000, 8000],
    [30_000, 25_000],
    [600_000, 595_000],
  ] as const
  for (const [shutdownMs, ms] of rows) assert.equal(timeToDrain(shutdownMs), ms)
})
