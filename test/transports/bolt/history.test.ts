import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HistoryStart } from '../../../src/transport.ts'
import { LogDirectory } from '../../support/bolt.ts'
import { createRandom } from '../../support/random.ts'

/** What a log should have: the model that the file is compared with. */
class Model {
  readonly entries: { readonly position: number; readonly id: string; readonly topics: readonly string[] }[] = []
  #last = 0

  append(id: string, topics: readonly string[]): void {
    this.entries.push({ position: ++this.#last, id, topics })
  }

  keep(newest: number): void {
    this.entries.splice(0, Math.max(0, this.entries.length - newest))
  }

  ids(from: HistoryStart, topics?: readonly string[]): string[] | undefined {
    const at =
      from === 'earliest'
        ? -1
        : this.entries.findIndex(e => ('id' in from ? e.id === from.id : String(e.position) === from.position))
    if (at < 0 && from !== 'earliest') return undefined
    return this.entries
      .slice(at + 1)
      .filter(entry => topics === undefined || entry.topics.some(topic => topics.includes(topic)))
      .map(({ id }) => id)
  }
}

test('any log reads as it was written, over restarts and removals', async () => {
  for (let seed = 0; seed < 8; seed++) {
    const random = createRandom(seed)
    await using directory = await LogDirectory.create()
    const size = random.pick([0, 1, 40, 1500])
    const query = `?size=${size}&cleanup_frequency=1`
    const topics = Array.from({ length: random.pick([1, 5, 300]) }, (_, i) => `https://example.com/${i}`)
    const model = new Model()
    const ids = random.pick([20, 1000, 1e9])
    let log = await directory.start(query)
    for (let step = 0; step < 25; step++) {
      if (random.below(5) === 0) {
        await log.transport.close()
        log = await directory.start(query)
      }
      const publishes = Array.from({ length: random.pick([1, 3, 300]) }, () => {
        const id = `id-${random.below(ids)}`
        const own = Array.from({ length: 1 + random.below(3) }, () => random.pick(topics))
        model.append(id, own)
        return log.publish({ id, topics: own, data: 'x'.repeat(random.pick([0, 10, 3000])) })
      })
      await Promise.all(publishes)
      if (size > 0) {
        model.keep(size)
        await log.trimmedTo(size)
      }
      const known = random.pick(model.entries)
      for (const from of [
        'earliest',
        { id: known.id },
        { position: String(known.position) },
        { id: 'none' },
      ] as const) {
        assert.deepEqual(await log.ids(from), model.ids(from), `seed ${seed}, step ${step}`)
        const wanted = [random.pick(topics), random.pick(topics), 'https://example.com/none']
        const pages = await log.pages(from, wanted)
        const found = pages?.flat().filter(({ update }) => update.topics.some(topic => wanted.includes(topic)))
        assert.deepEqual(
          found?.map(({ update }) => update.id),
          model.ids(from, wanted),
          `seed ${seed}, step ${step}`,
        )
      }
    }
    await log.transport.close()
  }
})

const rare = 'https://example.com/rare'
const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

test('who wants few topics pays for their entries, and for the newest that are in no block yet', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start()
  await Promise.all(
    range(0, 5000).map((id, i) => log.publish({ id, topics: [i % 1000 === 500 ? rare : `https://example.com/${i}`] })),
  )
  const pages = (await log.pages('earliest', [rare]))!
  const read = pages.flat().map(({ update }) => update.id)
  const rareIds = range(0, 5).map((_, i) => `id-${i * 1000 + 500}`)
  assert.deepEqual(
    read.filter(id => rareIds.includes(id)),
    rareIds,
  )
  // Blocks have 1024 entries: four are complete, the rest is read entry by entry.
  assert.deepEqual(read.slice(0, 4), rareIds.slice(0, 4))
  assert.deepEqual(read.slice(4), range(4096, 5000))
})

test('pages are bounded in entries and in bytes, and say where they end', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start()
  await Promise.all(range(0, 2500).map(id => log.publish({ id })))
  const small = (await log.pages('earliest'))!
  assert.deepEqual(
    small.map(page => page.length),
    [1000, 1000, 500],
  )
  await Promise.all(range(2500, 2505).map(id => log.publish({ id, data: 'x'.repeat(300_000) })))
  const large = (await log.pages({ id: 'id-2499' }))!
  assert.deepEqual(
    large.map(page => page.length),
    [2, 2, 1],
  )

  const { signal } = new AbortController()
  const { pages, position } = await log.transport.history!({ id: 'id-1999' }, { topics: new Set([rare]), signal })
  assert.equal(position, '2000')
  const last = (await Array.fromAsync(pages)).at(-1)!
  assert.equal(last.end, '2505')
})

test('what is published after the call is not in its pages', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start()
  await Promise.all(range(0, 1500).map(id => log.publish({ id })))
  const { pages } = await log.transport.history!('earliest', { signal: new AbortController().signal })
  const ids: string[] = []
  for await (const { entries } of pages) {
    ids.push(...entries.map(({ update }) => update.id))
    await log.publish({ id: `late-${ids.length}` })
  }
  assert.deepEqual(ids, range(0, 1500))
})

test('the same for who wants few topics, where later updates share a block with earlier ones', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start()
  await Promise.all(range(0, 10).map(id => log.publish({ id, topics: [rare] })))
  const { signal } = new AbortController()
  const { pages } = await log.transport.history!('earliest', { topics: new Set([rare]), signal })
  await Promise.all(range(10, 1100).map(id => log.publish({ id, topics: [rare] })))
  const read = await Array.fromAsync(pages)
  assert.deepEqual(
    read.flatMap(({ entries }) => entries.map(({ update }) => update.id)),
    range(0, 10),
  )
  assert.equal(read.at(-1)!.end, '10')
  assert.deepEqual(await log.ids({ position: '10' }, [rare]), range(10, 1100))
})

test('a reader that the removal of old updates overtakes is told, instead of missing some', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start('?size=2000&cleanup_frequency=1')
  await Promise.all(range(0, 2000).map(id => log.publish({ id })))
  const { pages } = await log.transport.history!('earliest', { signal: new AbortController().signal })
  const reader = pages[Symbol.asyncIterator]()
  assert.equal((await reader.next()).value.entries.length, 1000)
  await Promise.all(range(2000, 3500).map(id => log.publish({ id })))
  await log.trimmedTo(2000)
  await assert.rejects(reader.next(), { code: 'transport_unavailable', message: /left the log before a slow reader/ })
})

test('a position stays one until something after it is gone', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start('?size=3&cleanup_frequency=1')
  for (const id of range(0, 8)) await log.publish({ id })
  await log.trimmedTo(3)
  assert.deepEqual(await log.ids({ position: '5' }), range(5, 8))
  assert.deepEqual(await log.ids({ position: '8' }), [])
  for (const position of ['4', '9', '0', '', '-1', 'five', '1e1'])
    assert.equal(await log.ids({ position }), undefined, position)
})

test('reading stops when it is aborted, and when the log is closed', async () => {
  await using directory = await LogDirectory.create()
  const log = await directory.start()
  await Promise.all(range(0, 2500).map(id => log.publish({ id })))
  const read = async (signal: AbortSignal) => {
    const { pages } = await log.transport.history!('earliest', { signal })
    const reader = pages[Symbol.asyncIterator]()
    await reader.next()
    return reader
  }
  const gone = new AbortController()
  const aborted = await read(gone.signal)
  gone.abort()
  await assert.rejects(aborted.next(), { name: 'AbortError' })
  const closed = await read(new AbortController().signal)
  await log.transport.close()
  await assert.rejects(closed.next(), { code: 'transport_unavailable', message: 'The log is closed.' })
})
