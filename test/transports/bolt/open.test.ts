import assert from 'node:assert/strict'
import { readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { open as openLmdb } from 'lmdb'
import { openLog } from '../../../transports/bolt/open.ts'
import { open } from '../../../transports/bolt.ts'
import { LogDirectory } from '../../support/bolt.ts'

const context = { log: { info() {}, warn() {}, error() {} } }

test('the path: a host is relative to the working directory, as is ./', async () => {
  await using directory = await LogDirectory.create()
  const before = process.cwd()
  process.chdir(directory.path)
  try {
    for (const [url, file] of [
      ['bolt://updates.db', 'updates.db'],
      ['bolt://./a/b.db', 'a/b.db'],
      ['bolt://c/d.db', 'c/d.db'],
      ['bolt:e.db', 'e.db'],
      [`bolt://${directory.path}/f%20%23.db`, 'f #.db'],
    ] as const) {
      const transport = await open(new URL(url), context)
      await transport.close()
      assert.ok((await stat(join(directory.path, file))).size > 0, url)
    }
  } finally {
    process.chdir(before)
  }
})

test('URLs that name no file, and options that are none', async () => {
  for (const [url, message] of [
    ['bolt://', /path of the file is missing; write bolt:\/\/updates\.db/],
    ['bolt:///', /path of the file is missing/],
    ['bolt:', /path of the file is missing/],
    ['bolt://me@updates.db', /names a file, not a server/],
    ['bolt://updates.db:80', /names a file, not a server/],
    ['bolt:///tmp/%zz.db', /a "%" that begins no escape/],
    ['bolt:///tmp/a%00.db', /^transport_url, bolt: the path has a %00, which no file can have in its name\.$/],
    ['bolt://a.db?size=many', /size: "many" is not a whole number/],
    ['bolt://a.db?size=-1', /size: "-1" is not a whole number/],
    ['bolt://a.db?max_age=5', /max_age: "5" has no unit/],
    ['bolt://a.db?size_bytes=1XB', /size_bytes: "1XB" is not a size/],
    ['bolt://a.db?cleanup_frequency=2', /cleanup_frequency: "2" is not a number from 0 to 1/],
    ['bolt://a.db?bucket_name=a%20b', /bucket_name may have letters/],
    ['bolt://a.db?sizes=1', /no option "sizes"/],
  ] as const) {
    await assert.rejects(open(new URL(url), context), { code: 'configuration_invalid', message }, url)
  }
})

test('a new file and its directories are for their owner only', async () => {
  await using directory = await LogDirectory.create()
  const parent = join(directory.path, 'a', 'b')
  const transport = await directory.open('', join(parent, 'updates.db'))
  await transport.close()
  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)
  assert.deepEqual([await mode(join(directory.path, 'a')), await mode(parent)], ['700', '700'])
  for (const name of ['updates.db', 'updates.db-lock', 'updates.db-writer']) {
    assert.equal(await mode(join(parent, name)), '600', name)
  }
})

test('a second hub on a file is refused, by whatever name it comes, until the first has closed', async () => {
  await using directory = await LogDirectory.create()
  const first = await directory.open()
  const alias = join(directory.path, 'alias.db')
  await symlink(directory.file, alias)
  for (const name of [directory.file, alias, `${directory.path}/./updates.db`]) {
    await assert.rejects(directory.open('', name), {
      code: 'transport_unavailable',
      message: new RegExp(`^The log .*${directory.file} is in use: another process writes it`),
    })
  }
  await first.close()
  const second = await directory.open('', alias)
  await second.close()
})

test('a file of something else is refused and left as it is', async () => {
  await using directory = await LogDirectory.create()
  const bolt = Buffer.alloc(32_768)
  bolt.writeUInt32LE(0xed0cdaed, 16)
  bolt.writeUInt32LE(2, 20)
  const lmdbOne = Buffer.alloc(8192)
  lmdbOne.writeUInt32LE(0xbeefc0de, 16)
  lmdbOne.writeUInt32LE(1, 20)
  for (const [content, message] of [
    [Buffer.from('hello'), /updates\.db is not a log of this hub/],
    [Buffer.alloc(10_000, 'x'), /is not a log of this hub/],
    [bolt, /is another hub's Bolt file \(bbolt\), which this hub cannot read/],
    [lmdbOne, /is an LMDB file of format 1/],
  ] as const) {
    await writeFile(directory.file, content)
    await assert.rejects(directory.open(), { code: 'configuration_invalid', message })
    assert.deepEqual(await readFile(directory.file), content)
  }
  await assert.rejects(directory.open('', directory.path), { code: 'configuration_invalid', message: /is a directory/ })
})

test('an LMDB file of another program is refused and left as it is', async () => {
  await using directory = await LogDirectory.create()
  const other = openLmdb({ path: directory.file, noSubdir: true })
  await other.put('greeting', 'hello')
  await other.close()
  await assert.rejects(directory.open(), { code: 'configuration_invalid', message: /LMDB file of another program/ })
  const again = openLmdb({ path: directory.file, noSubdir: true })
  assert.deepEqual([...again.getRange({})], [{ key: 'greeting', value: 'hello' }])
  await again.close()
})

test('a log of a later format is refused', async () => {
  await using directory = await LogDirectory.create()
  await (await directory.open()).close()
  const root = openLmdb({ path: directory.file, noSubdir: true })
  const mark = root.openDB<string, string>('talaria', { encoding: 'string' })
  await mark.put('format', '2')
  await root.close()
  await assert.rejects(directory.open(), {
    code: 'configuration_invalid',
    message: /is a log of format 2, where this version of the hub knows format 1/,
  })
})

test('an empty file becomes a log; so does one whose making was interrupted before anything was in it', async () => {
  await using directory = await LogDirectory.create()
  await writeFile(directory.file, '')
  await (await directory.open()).close()
  const interrupted = join(directory.path, 'interrupted.db')
  await openLmdb({ path: interrupted, noSubdir: true }).close()
  await (await directory.open('', interrupted)).close()
})

test('several logs in one file, by bucket_name', async () => {
  await using directory = await LogDirectory.create()
  for (const bucket of ['a', 'b']) {
    await using log = await directory.start(`?bucket_name=${bucket}`)
    await log.publish({ id: `in ${bucket}` })
  }
  for (const bucket of ['a', 'b']) {
    await using log = await directory.start(`?bucket_name=${bucket}`)
    assert.deepEqual(await log.ids('earliest'), [`in ${bucket}`])
  }
})

test('a log is read while a hub writes it, and grows', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start()
  await log.publish({ id: 'a' })
  const reader = await openLog(directory.file, 'updates', { readOnly: true })
  const read = () => [...reader.iterate(0, Number.MAX_SAFE_INTEGER - 1)].map(({ update }) => update.id)
  assert.deepEqual(read(), ['a'])
  await log.publish({ id: 'b', data: 'x'.repeat(5_000_000) })
  await reader.close()
  const later = await openLog(directory.file, 'updates', { readOnly: true })
  assert.deepEqual(
    [...later.iterate(0, later.last)].map(({ update }) => update.id),
    ['a', 'b'],
  )
  await later.close()
  await assert.rejects(openLog(directory.file, 'other', { readOnly: true }), { message: /has no bucket "other"/ })
  await assert.rejects(openLog(join(directory.path, 'none.db'), 'updates', { readOnly: true }), {
    message: /^There is no log in .*none\.db: the file is empty, or it is not there\.$/,
  })
})
