import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { registerEventLoopDelay } from '../../src/metrics/event-loop.ts'

test('a turn that takes long is seen, and what was counted never goes back', async () => {
  const registry = new Registry()
  registerEventLoopDelay(registry)
  let last = new Map<string, number>()
  const read = async () => {
    const text = await registry.metrics()
    const now = new Map(
      [...text.matchAll(/^talaria_event_loop_delay_seconds_(\S+) (\S+)$/gm)].map(m => [m[1]!, Number(m[2])]),
    )
    for (const [name, value] of last) assert.ok(now.get(name)! >= value, `${name}: ${value}, then ${now.get(name)}`)
    let within = 0
    for (const [name, value] of now) {
      if (!name.startsWith('bucket')) continue
      assert.ok(value >= within, name)
      within = value
    }
    assert.equal(within, now.get('count'))
    last = now
    return now
  }
  /** How many were later than a quarter of a second. */
  const late = (figures: ReadonlyMap<string, number>) => figures.get('count')! - figures.get('bucket{le="0.25"}')!
  // Until it has looked for the first time.
  while ((await read()).get('count') === 0) await nextTurn()
  const before = late(last)
  const blockedUntil = performance.now() + 400
  while (performance.now() < blockedUntil);
  while (late(await read()) === before) await nextTurn()
  assert.ok(last.get('sum')! >= 0.25)
})
