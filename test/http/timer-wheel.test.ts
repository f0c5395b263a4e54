import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { type Sleeper, TimerWheel } from '../../src/http/timer-wheel.ts'

/** Emits `awake` with each wake, and asks for the next after `everyMs`. */
class Waker extends EventEmitter implements Sleeper {
  wakesAt = Number.POSITIVE_INFINITY
  readonly times: number[] = []
  readonly #next: (now: number) => number | undefined

  constructor(next: (now: number) => number | undefined) {
    super()
    this.#next = next
  }

  wake(now: number): number | undefined {
    this.times.push(now)
    queueMicrotask(() => this.emit('awake'))
    return this.#next(now)
  }
}

const never = () => undefined

test('wakes sleepers in the order of their times, none early', async t => {
  const wheel = new TimerWheel(1)
  t.after(() => wheel.close())
  const order: number[] = []
  const start = wheel.now
  const wakers = [40, 5, 25, 15, 1].map(ms => {
    const waker = new Waker(never)
    waker.once('awake', () => order.push(ms))
    wheel.schedule(waker, start + ms)
    return { ms, waker }
  })
  await once(wakers[0]!.waker, 'awake')
  assert.deepEqual(order, [1, 5, 15, 25, 40])
  for (const { ms, waker } of wakers) assert.ok(waker.times[0]! >= start + ms, `${ms} ms woke early`)
})

test('an earlier time replaces a later one, and a sleeper wakes once for each', async t => {
  const wheel = new TimerWheel(1)
  t.after(() => wheel.close())
  const start = wheel.now
  const waker = new Waker(now => (now < start + 30 ? start + 30 : undefined))
  wheel.schedule(waker, start + 60)
  wheel.schedule(waker, start + 10)
  wheel.schedule(waker, start + 50)
  const last = new Waker(never)
  wheel.schedule(last, start + 100)
  await once(last, 'awake')
  assert.equal(waker.times.length, 2)
})

test('reaches beyond one turn of the wheel', async t => {
  const wheel = new TimerWheel(0.05)
  t.after(() => wheel.close())
  const start = wheel.now
  // 1024 slots of 0.05 ms are 51 ms.
  const waker = new Waker(now => (now < start + 120 ? start + 120 : undefined))
  wheel.schedule(waker, start + 120)
  while (waker.times.at(-1) === undefined || waker.times.at(-1)! < start + 120) await once(waker, 'awake')
  assert.ok(waker.times.length >= 2)
})

test('a sleeper that was cancelled does not wake, not even in the slot that wakes the one who cancels it', async t => {
  const wheel = new TimerWheel(1)
  t.after(() => wheel.close())
  const at = wheel.now + 20
  const [early, late] = [new Waker(never), new Waker(never)]
  const canceller = new Waker(() => void wheel.cancel(late))
  wheel.schedule(early, at - 15)
  wheel.schedule(canceller, at)
  wheel.schedule(late, at)
  wheel.cancel(early)
  const last = new Waker(never)
  wheel.schedule(last, at + 20)
  await once(last, 'awake')
  assert.equal(canceller.times.length, 1)
  assert.deepEqual([...early.times, ...late.times], [])
})

test('a sleeper that was cancelled can be scheduled again', async t => {
  const wheel = new TimerWheel(1)
  t.after(() => wheel.close())
  const waker = new Waker(never)
  wheel.schedule(waker, wheel.now + 5)
  wheel.cancel(waker)
  wheel.schedule(waker, wheel.now + 10)
  await once(waker, 'awake')
  assert.equal(waker.times.length, 1)
})
