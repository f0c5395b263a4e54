import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HubError } from '../src/errors.ts'
import { KeyMemory } from '../src/key-memory.ts'
import { createTestKey, createTestUpdate } from './support/node.ts'

/** A log that stores when it is told to. */
class SlowLog {
  readonly asked: { readonly id: string; readonly fate: PromiseWithResolvers<void> }[] = []
  readonly memory: KeyMemory

  constructor(bounds?: { keys: number; size: number }) {
    this.memory = new KeyMemory(({ id }) => {
      const fate = Promise.withResolvers<void>()
      this.asked.push({ id, fate })
      return fate.promise
    }, bounds)
  }

  publish(id: string, key: string, fingerprint = 'same') {
    return this.memory.publishOnce(createTestUpdate({ id }), createTestKey(key, { fingerprint }))
  }

  async store(id: string, key: string): Promise<void> {
    const published = this.publish(id, key)
    this.asked.at(-1)!.fate.resolve()
    assert.equal(await published, undefined)
  }
}

describe('a memory of keys', () => {
  test('the second waits for the first, and is told of it', async () => {
    const log = new SlowLog()
    const [first, second] = [log.publish('a', 'key'), log.publish('b', 'key')]
    assert.deepEqual(
      log.asked.map(({ id }) => id),
      ['a'],
    )
    log.asked[0]!.fate.resolve()
    assert.deepEqual([await first, await second], [undefined, { id: 'a', fingerprint: 'same' }])
  })

  test('where the first fails both are told, and the next one is stored', async () => {
    const log = new SlowLog()
    const published = Promise.allSettled([log.publish('a', 'key'), log.publish('b', 'key')])
    log.asked[0]!.fate.reject(new HubError('transport_unavailable', 'away'))
    assert.deepEqual(
      (await published).map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    await log.store('c', 'key')
    assert.equal((await log.publish('d', 'key'))?.id, 'c')
  })

  test('another update with the key of one under way is told at once', async () => {
    const log = new SlowLog()
    const first = log.publish('a', 'key')
    assert.deepEqual(await log.publish('b', 'key', 'other'), { id: 'a', fingerprint: 'same' })
    log.asked[0]!.fate.resolve()
    await first
  })

  test('the oldest keys are forgotten where there are too many, or they are too long', async () => {
    for (const [bounds, long] of [
      [{ keys: 3, size: 1 << 20 }, 'short'],
      [{ keys: 1000, size: 1000 }, 'x'.repeat(300)],
    ] as const) {
      const log = new SlowLog(bounds)
      for (const key of ['a', 'b', 'c', 'd']) await log.store(`${key} ${long}`, key)
      for (const key of ['b', 'c', 'd']) assert.equal((await log.publish('again', key))?.id, `${key} ${long}`)
      await log.store('forgotten', 'a')
    }
  })
})
