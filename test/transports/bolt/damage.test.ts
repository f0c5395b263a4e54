import assert from 'node:assert/strict'
import { open as openFile, readFile, stat, truncate } from 'node:fs/promises'
import { test } from 'node:test'
import { open as openLmdb } from 'lmdb'
import type { HistoryStart } from '../../../src/transport.ts'
import { sequenceKeys } from '../../../transports/bolt/sequence.ts'
import { openArchive } from '../../../transports/bolt.ts'
import { LogDirectory, type StartedLog } from '../../support/bolt.ts'

const topic = 'https://example.com/a'
const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)
const advice =
  'restore a backup of it, or move it away to begin anew; "talaria history .* --export - > FILE" saves what can be read'
const damagedBy = (what: string) => ({
  code: 'transport_unavailable',
  message: new RegExp(`^The log .*updates\\.db is damaged \\(${what}\\): ${advice}\\.$`),
})

/** A closed log of so many updates, id-0 and following, at the positions 1 and following. */
async function createLog(directory: LogDirectory, updates: number, data = ''): Promise<void> {
  await using log = await directory.start()
  await Promise.all(range(0, updates).map(id => log.publish({ id, topics: [topic], data })))
}

type Tables = Record<'entries' | 'topics', ReturnType<typeof openTable>>
/** lmdb-js documents the second option, its types do not have it. */
const tableOptions: object = { encoding: 'binary', keyEncoder: sequenceKeys }
const openTable = (root: ReturnType<typeof openLmdb>, name: string) =>
  root.openDB<Buffer, number>(`updates:${name}`, tableOptions)

/** Does to the tables what damage may do. */
async function damage(directory: LogDirectory, change: (tables: Tables) => Promise<unknown>): Promise<void> {
  const root = openLmdb({ path: directory.file, noSubdir: true })
  await change({ entries: openTable(root, 'entries'), topics: openTable(root, 'topics') })
  await root.close()
}

/** Reads until the history fails, and tells what came before. */
async function readUntilFailure(log: StartedLog, from: HistoryStart, topics?: ReadonlySet<string>) {
  const { signal } = new AbortController()
  const { pages } = await log.transport.history!(from, topics === undefined ? { signal } : { topics, signal })
  const ids: string[] = []
  try {
    for await (const { entries } of pages) ids.push(...entries.map(({ update }) => update.id))
  } catch (error) {
    return { ids, error }
  }
  return { ids, error: undefined }
}

test('a hole in the log ends a replay that comes to it: nothing is passed over', async () => {
  for (const [what, wanted, change] of [
    ['entry 1501 is missing', undefined, tables => tables.entries.remove(1501)],
    ['entry 1501 is missing', topic, tables => tables.entries.remove(1501)],
    ['entry 1025 is missing', topic, tables => tables.topics.remove(2048)],
    ['entry 1501 cannot be read', undefined, tables => tables.entries.put(1501, Buffer.from([0]))],
    ['entry 1501 cannot be read', topic, tables => tables.entries.put(1501, Buffer.from([0]))],
  ] satisfies [string, string | undefined, (tables: Tables) => Promise<unknown>][]) {
    await using directory = await LogDirectory.create()
    await createLog(directory, 4000)
    await damage(directory, change)
    await using log = await directory.start()
    const { ids, error } = await readUntilFailure(log, 'earliest', wanted === undefined ? undefined : new Set([wanted]))
    await assert.rejects(Promise.reject(error), damagedBy(what))
    assert.deepEqual(ids, range(0, ids.length))
    assert.ok(ids.length <= 1500)
    assert.deepEqual(await log.ids({ position: '2048' }), range(2048, 4000))
  }
})

test('a log that ends early ends a replay, too', async () => {
  await using directory = await LogDirectory.create()
  await createLog(directory, 1500)
  await using log = await directory.start()
  await damage(directory, async ({ entries }) => {
    for (let position = 1201; position <= 1500; position++) await entries.remove(position)
  })
  const { ids, error } = await readUntilFailure(log, 'earliest')
  await assert.rejects(Promise.reject(error), damagedBy('entry 1201 is missing'))
  assert.deepEqual(ids, range(0, 1200))
})

test('damage in the newest updates is told when the log is started', async () => {
  for (const [what, change] of [
    ['entry 95 is missing', ({ entries }) => entries.remove(95)],
    ['entry 95 cannot be read', ({ entries }) => entries.put(95, Buffer.from([0]))],
  ] satisfies [string, (tables: Tables) => Promise<unknown>][]) {
    await using directory = await LogDirectory.create()
    await createLog(directory, 100)
    await damage(directory, change)
    await assert.rejects(directory.start(), damagedBy(what))
  }
})

test('what can be read of a damaged log is read, and then how much could not', async () => {
  await using directory = await LogDirectory.create()
  await createLog(directory, 3000)
  await damage(directory, async ({ entries }) => {
    await entries.remove(500)
    for (const position of [1500, 3000]) await entries.put(position, Buffer.from([0]))
  })
  const archive = await openArchive(new URL(`bolt://${directory.file}`), { writable: false })
  const ids: string[] = []
  const read = async () => {
    for await (const page of archive.read()) ids.push(...page.map(({ update }) => update.id))
  }
  await assert.rejects(read(), { message: /is damaged: 3 of its updates cannot be read\. The others were\.$/ })
  assert.deepEqual(
    ids,
    range(0, 3000).filter(id => !['id-499', 'id-1499', 'id-2999'].includes(id)),
  )
  await archive.close()
})

test('a file that was cut short is refused, and stays as it is', async () => {
  await using directory = await LogDirectory.create()
  await createLog(directory, 50, 'x'.repeat(1000))
  const whole = await readFile(directory.file)
  const described = /is cut short \(\d+ of \d+ bytes\): restore a backup of it, or move it away to begin anew\.$/
  for (const [bytes, message] of [
    [whole.length / 2, described],
    [20_000, described],
    [8192, described],
    [5000, described],
    [4200, /is cut short: restore it, or choose another file/],
    [100, /is cut short: restore it, or choose another file/],
  ] as const) {
    await truncate(directory.file, bytes)
    await assert.rejects(directory.start(), { message })
    assert.ok((await readFile(directory.file)).equals(whole.subarray(0, bytes)), `${bytes} bytes`)
  }
})

test('free pages may be missing at the end', async () => {
  await using directory = await LogDirectory.create()
  await createLog(directory, 50)
  await using file = await openFile(directory.file, 'r+')
  const { size } = await file.stat()
  // Where the two meta pages hold the number of the last page: there may be more of them, not yet written.
  for (const page of [0, 1]) {
    const last = Buffer.alloc(8)
    last.writeBigUInt64LE(BigInt(size / 4096 + 9))
    await file.write(last, 0, 8, page * 4096 + 144)
  }
  await using log = await directory.start()
  assert.deepEqual(await log.ids('earliest'), range(0, 50))
  await log.publish({ id: 'more' })
  assert.equal((await log.ids('earliest'))!.length, 51)
  assert.ok((await stat(directory.file)).size > size)
})
