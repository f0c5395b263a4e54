import assert from 'node:assert/strict'
import { createTestKey, readUpTo, startNode } from '../support/node.ts'
import type { LogUnderTest } from './contract.ts'

/** For a log whose keys the hub remembers in its place. */
export const remembersNoKeys = {
  reason: 'each hub remembers the keys of its own publishers, for as long as it runs',
  tests: ['keys: a hub that is started again remembers them'],
}

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

type Declare = (title: string, body: () => Promise<void>) => void

/** What the hub promises of keys, whoever remembers them. */
export function promiseKeys(promise: Declare, createLog: (options: { size: number }) => Promise<LogUnderTest>): void {
  promise('keys: what is published again with its key is stored once, and answered with the first id', async () => {
    await using node = await startNode(await (await createLog({ size: 1000 })).open())
    assert.equal(await node.publishOnce({ id: 'a' }, createTestKey('one')), undefined)
    await node.publish({ id: 'b' })
    assert.equal(await node.publishOnce({ id: 'c' }, createTestKey('one')), 'a')
    assert.equal(await node.publishOnce({ id: 'd' }, createTestKey('two')), undefined)
    assert.equal(await node.publishOnce({ id: 'e' }, createTestKey('one')), 'a')
    await assert.rejects(node.publishOnce({ id: 'f' }, createTestKey('one', { fingerprint: 'other' })), {
      code: 'idempotency_key_reused',
    })
    await node.publish({ id: 'last' })
    assert.deepEqual(await readUpTo(node, 'last'), ['a', 'b', 'd', 'last'])
  })

  promise('keys: of many requests at the same time one is stored, among others in their order', async () => {
    await using node = await startNode(await (await createLog({ size: 10_000 })).open())
    const { collector } = await node.subscribe({ topics: ['*'] })
    const others: Promise<void>[] = []
    const rounds = range(0, 50)
    for (const round of rounds) {
      const repeated = Array.from({ length: 5 }, async (_, i) => {
        others.push(node.publish({ id: `${round} beside ${i}` }))
        return await node.publishOnce({ id: `${round} try ${i}` }, createTestKey(round))
      })
      const answers = await Promise.all(repeated)
      const stored = `${round} try ${answers.indexOf(undefined)}`
      assert.deepEqual(new Set(answers), new Set([undefined, stored]))
      assert.equal(answers.filter(answer => answer === undefined).length, 1)
    }
    await Promise.all(others)
    await collector.received(rounds.length * 6)
    await node.publish({ id: 'last' })
    await collector.received(rounds.length * 6 + 1)
    const isOther = (id: string) => id.includes('beside')
    assert.deepEqual(
      collector.ids.filter(isOther),
      rounds.flatMap(round => Array.from({ length: 5 }, (_, i) => `${round} beside ${i}`)),
    )
    assert.equal(collector.ids.filter(id => id.includes('try')).length, rounds.length)
  })

  promise('keys: one is remembered for its time, and no longer', async () => {
    await using node = await startNode(await (await createLog({ size: 1000 })).open())
    const shortLived = createTestKey('short-lived', { rememberMs: 1 })
    assert.equal(await node.publishOnce({ id: 'first' }, shortLived), undefined)
    while ((await node.publishOnce({ id: 'second' }, shortLived)) !== undefined);
    for (const id of range(0, 50)) await node.publishOnce({ id }, createTestKey(id))
    while ((await node.publishOnce({ id: 'third' }, createTestKey('short-lived'))) !== undefined);
    assert.equal(await node.publishOnce({ id: 'fourth' }, createTestKey('short-lived')), 'third')
    assert.deepEqual(await readUpTo(node, 'third'), ['first', 'second', ...range(0, 50), 'third'])
  })

  promise('keys: a hub that is started again remembers them', async () => {
    const log = await createLog({ size: 1000 })
    const first = await startNode(await log.open())
    for (const id of range(0, 20)) await first.publishOnce({ id }, createTestKey(id))
    await first.close()
    await using node = await startNode(await log.open())
    for (const id of range(0, 20)) assert.equal(await node.publishOnce({ id: `again-${id}` }, createTestKey(id)), id)
    assert.equal(await node.publishOnce({ id: 'last' }, createTestKey('last')), undefined)
    assert.deepEqual(await readUpTo(node, 'last'), [...range(0, 20), 'last'])
  })
}
