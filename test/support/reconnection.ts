import assert from 'node:assert/strict'
import type { TestHub } from './hub.ts'
import type { Reception } from './reception.ts'

/** Sent with updates, in milliseconds: clients then reconnect at once, not after the hub's seconds, which every stream begins with. */
export const retry = '5'

/** Far more than a client misses while it reconnects. */
const tooMany = 20_000

/**
 * Publishes one update after the other until the client has opened so many streams, and expects that it got each of them once, in
 * order. `during` is told how many were published: there the test breaks what it wants to break.
 */
export async function publishAcross(
  streams: number,
  {
    hub,
    received,
    topic,
    during = () => {},
  }: { hub: TestHub; received: Reception; topic: string; during?: (count: number) => void },
): Promise<void> {
  await received.untilOpened()
  const published = [await hub.publish({ topic, data: 'first', retry })]
  while (received.opened < streams) {
    const data = `update ${published.length} ${'.'.repeat(published.length % 3000)}`
    published.push(await hub.publish({ topic, data, retry }))
    during(published.length)
    assert.ok(published.length < tooMany, `the client has opened ${received.opened} streams and comes back no more`)
  }
  published.push(await hub.publish({ topic, data: 'last' }))
  await received.until(() => received.events.at(-1)?.data === 'last')
  const ids = new Set(received.ids)
  const lost = published.filter(id => !ids.has(id)).length
  assert.deepEqual({ lost, repeated: received.ids.length - ids.size }, { lost: 0, repeated: 0 })
  assert.ok(received.ids.join() === published.join(), 'the updates came in another order')
}
