import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { encodeEvent } from '../../../src/protocol/event-stream.ts'
import { encodeEntry } from '../../../transports/bolt/entry.ts'
import { openLog } from '../../../transports/bolt/open.ts'
import { Retention, type RetentionBounds } from '../../../transports/bolt/retention.ts'
import { LogDirectory, StartedLog } from '../../support/bolt.ts'
import { createTestUpdate, startNode } from '../../support/node.ts'

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)
const none: RetentionBounds = { entries: 0, ageMs: 0, bytes: 0, cleanupFrequency: 1 }
const newEntry = (id: string, timeMs: number, data = '') => {
  const update = createTestUpdate({ id, data })
  return { update, bytes: encodeEntry(update, encodeEvent(update), timeMs) }
}

test('size: the newest so many stay, and their ids with them', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start('?size=5&cleanup_frequency=1')
  for (const id of range(0, 20)) await log.publish({ id })
  await log.trimmedTo(5)
  assert.deepEqual(await log.ids('earliest'), range(15, 20))
  assert.equal(await log.ids({ id: 'id-14' }), undefined)
  assert.deepEqual(await log.ids({ id: 'id-15' }), range(16, 20))
})

test('size: the topics of what was removed go too', async () => {
  await using directory = await LogDirectory.create()
  const file = await openLog(directory.file, 'updates')
  const retention = new Retention(file, { ...none, entries: 10 })
  const blocks = () => [...file.readTopicBlocks(0, 100)].map(({ last }) => last)
  for (let i = 0; i < 5; i++)
    await file.commit(
      range(0, 1000).map(id => newEntry(id, 0)),
      [],
    )
  assert.deepEqual(blocks(), [1024, 2048, 3072, 4096])
  for (let more = true; more; ) {
    const selected = retention.select([], 0)
    await file.commit([], selected.removed)
    more = selected.more
  }
  assert.deepEqual([file.first, file.last], [4991, 5000])
  assert.deepEqual(blocks(), [])
  await file.close()
})

test('a reused id resolves to what is left of it', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start('?size=4&cleanup_frequency=1')
  for (const id of ['twice', 'a', 'b', 'twice', 'c']) await log.publish({ id })
  await log.trimmedTo(4)
  assert.deepEqual(await log.ids({ id: 'twice' }), ['c'])
  assert.deepEqual(
    log.delivered.map(({ update, reused }) => [update.id, reused]),
    [
      ['twice', false],
      ['a', false],
      ['b', false],
      ['twice', true],
      ['c', false],
    ],
  )
})

test('bounds that a start finds exceeded are restored in the background; the last event stays', async () => {
  await using directory = await LogDirectory.create()
  const before = await directory.start()
  await Promise.all(range(0, 3000).map(id => before.publish({ id })))
  await before.transport.close()
  await using log = await directory.start('?size=1')
  assert.deepEqual(
    log.delivered.map(({ update }) => update.id),
    range(2990, 3000),
  )
  await log.trimmedTo(1)
  assert.deepEqual(await log.ids('earliest'), ['id-2999'])
})

test('max_age: what is older than that is removed, also when nobody publishes, but for the newest', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start('?max_age=1ms')
  for (const id of range(0, 3)) await log.publish({ id })
  while ((await log.ids('earliest'))!.length > 1) await nextTurn()
  assert.deepEqual(await log.ids('earliest'), ['id-2'])
})

test('max_age: what has expired is not in the log, though it is still in the file', async () => {
  await using directory = await LogDirectory.create()
  const hour = 3_600_000
  const timesMs = [2 * hour, 2 * hour, 0].map(ageMs => Date.now() - ageMs)
  const file = await openLog(directory.file, 'updates')
  const entries = ['old', 'twice', 'twice'].map((id, i) => newEntry(id, timesMs[i]!))
  await file.commit(entries, [])
  await file.commit(
    range(0, 2000).map(id => newEntry(id, Date.now() - 2 * hour)),
    [],
  )
  await file.commit([newEntry('new', Date.now()), newEntry('newest', Date.now() - 2 * hour)], [])
  await file.close()
  // Nothing is removed before the transport is started.
  await using transport = new StartedLog(await directory.open('?max_age=1h'))
  const { holds } = transport.transport
  const held = [1, 2, 3, 4, 2003, 2004, 2005, 2006].filter(position =>
    holds!.call(transport.transport, String(position)),
  )
  assert.deepEqual(held, [3, 2004, 2005])
  assert.deepEqual(await transport.ids('earliest'), ['twice', 'new', 'newest'])
  assert.deepEqual(await transport.ids({ id: 'twice' }), ['new', 'newest'])
  assert.deepEqual(await transport.ids({ position: '1000' }), ['new', 'newest'])
  assert.equal(await transport.ids({ id: 'old' }), undefined)
  assert.equal(await transport.ids({ id: 'id-0' }), undefined)
  assert.deepEqual(await transport.ids({ id: 'new' }), ['newest'])
  const topics = ['https://example.com/a']
  assert.deepEqual(await transport.ids('earliest', topics), ['twice', 'new', 'newest'])
  assert.deepEqual(await transport.ids('earliest', ['https://example.com/none']), ['new', 'newest'])
})

test('max_age: who reads from the start gets nothing that has expired from the hub either', async () => {
  await using directory = await LogDirectory.create()
  const file = await openLog(directory.file, 'updates')
  const expired = range(0, 5000).map(id => newEntry(id, Date.now() - 7_200_000))
  await file.commit([...expired, newEntry('new', Date.now())], [])
  await file.close()
  await using node = await startNode(await directory.open('?max_age=1h'), {
    recent: { entries: 10_000, bytes: 1 << 28 },
  })
  const { collector } = await node.subscribe({ topics: ['*'], lastEventId: 'earliest' })
  await collector.received(1)
  assert.deepEqual(collector.ids, ['new'])
})

test('max_age: a hub that remembers what has expired does not resume from it', async () => {
  await using directory = await LogDirectory.create()
  await using node = await startNode(await directory.open('?max_age=1ms&cleanup_frequency=0.000001'))
  for (const id of range(0, 3)) await node.publish({ id })
  const locate = async (lastEventId: string) =>
    (await node.subscribe({ topics: ['*'], lastEventId })).cursor.lastEventId
  while ((await locate('id-1')) === 'id-1') await nextTurn()
  assert.equal(await locate('id-0'), 'earliest')
  assert.equal(await locate('id-2'), 'id-2', 'the newest one stays')
})

test('max_age: looks at each time, oldest first', async () => {
  await using directory = await LogDirectory.create()
  const file = await openLog(directory.file, 'updates')
  await file.commit([newEntry('a', 1000), newEntry('b', 2000), newEntry('c', 1500), newEntry('d', 3000)], [])
  const retention = new Retention(file, { ...none, ageMs: 1000 })
  const select = (nowMs: number) => retention.select([], nowMs).removed.map(({ id }) => id)
  assert.deepEqual(select(1999), [])
  assert.deepEqual(select(2000), ['a'])
  assert.deepEqual(select(2999), ['a'])
  assert.deepEqual(select(3000), ['a', 'b', 'c'])
  assert.deepEqual(select(99_000), ['a', 'b', 'c'])
  assert.equal(retention.untilExpiryMs(0), 2000)
  assert.equal(retention.untilExpiryMs(5000), 1000)
  await file.close()
})

test('size_bytes: the log stays within that much of the file, and the file reuses what was removed', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start('?size_bytes=1MiB')
  for (let i = 0; i < 40; i++) {
    await Promise.all(range(i * 100, (i + 1) * 100).map(id => log.publish({ id, data: 'x'.repeat(1000) })))
  }
  while ((await stat(directory.file)).size === 0 || (await log.ids('earliest'))!.length > 1000) await nextTurn()
  const kept = (await log.ids('earliest'))!
  assert.ok(kept.length > 500, `${kept.length} updates of 1 KB are left in 1 MiB`)
  assert.deepEqual(kept, range(4000 - kept.length, 4000))
  const { size } = await stat(directory.file)
  assert.ok(size < 3 << 20, `the file has ${size} bytes`)
})

test('large updates leave as fast as they come', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start('?size=10')
  for (let i = 0; i < 20; i++) await Promise.all(range(0, 10).map(id => log.publish({ id, data: 'x'.repeat(400_000) })))
  await log.trimmedTo(13)
  const { size } = await stat(directory.file)
  assert.ok(size < 40 << 20, `the file has ${size} bytes after 80 MB went through it`)
})

test('cleanup_frequency: the fraction of the publishes after which the bounds are looked at', async () => {
  await using directory = await LogDirectory.create()
  const file = await openLog(directory.file, 'updates')
  const looks = (cleanupFrequency: number, published: readonly number[]) => {
    const retention = new Retention(file, { ...none, entries: 1, cleanupFrequency })
    return published.map(count => retention.isDue(count))
  }
  const ten = Array<number>(10).fill(1)
  assert.equal(looks(1, ten).filter(Boolean).length, 10)
  assert.equal(looks(0.25, [...ten, ...ten]).filter(Boolean).length, 5)
  assert.equal(looks(0, ten).filter(Boolean).length, 0)
  assert.deepEqual(looks(0.1, [25, 1, 4, 1]), [true, false, true, false])
  await file.close()
})

test('cleanup_frequency=0 keeps everything, over a restart too', async () => {
  await using directory = await LogDirectory.create()
  for (const end of [10, 20]) {
    await using log = await directory.start('?size=2&max_age=1ms&cleanup_frequency=0')
    for (const id of range(end - 10, end)) await log.publish({ id })
    assert.deepEqual(await log.ids('earliest'), range(0, end))
  }
})
