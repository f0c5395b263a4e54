import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Database, open } from 'lmdb'
import { LogDirectory } from '../../support/bolt.ts'
import { createTestKey, createTestUpdate } from '../../support/node.ts'

const publishOnce = async (directory: LogDirectory, id: string, key: ReturnType<typeof createTestKey>) => {
  await using log = await directory.start()
  return await log.transport.publishOnce!(createTestUpdate({ id }), key)
}

/** How many rows the tables of keys have. */
async function count(directory: LogDirectory): Promise<number[]> {
  const root = open({ path: directory.file, noSubdir: true, readOnly: true })
  const counts = ['updates:keys', 'updates:key-ends'].map(name => {
    const table: Database | undefined = root.openDB(name, { encoding: 'binary' })
    return table === undefined ? -1 : (table.getStats() as { entryCount: number }).entryCount
  })
  await root.close()
  return counts
}

describe('keys in a file', () => {
  test('there are none where nobody has published with one', async () => {
    await using directory = await LogDirectory.create()
    {
      await using log = await directory.start()
      await log.publish({ id: 'a' })
    }
    assert.deepEqual(await count(directory), [-1, -1])
    assert.equal(await publishOnce(directory, 'b', createTestKey('one')), undefined)
    assert.deepEqual(await count(directory), [1, 1])
  })

  test('those that have ended are removed, some with each commit, and those that are used again are not', async () => {
    await using directory = await LogDirectory.create()
    {
      await using log = await directory.start()
      const ended = Array.from({ length: 100 }, (_, i) => createTestKey(`key-${i}`, { rememberMs: 1 }))
      await Promise.all(ended.map((key, i) => log.transport.publishOnce!(createTestUpdate({ id: `${i}` }), key)))
      while (
        (await log.transport.publishOnce!(createTestUpdate({ id: 'again' }), createTestKey('key-99'))) !== undefined
      );
      await log.publish({ id: 'plain' })
    }
    const [before = 0] = await count(directory)
    assert.ok(before < 100, `${before} of 100 are left`)
    for (let left = before; left > 1; [left = 0] = await count(directory)) {
      await using log = await directory.start()
      await log.publish({ id: 'next' })
    }
    assert.deepEqual(await count(directory), [1, 1])
    assert.equal((await publishOnce(directory, 'late', createTestKey('key-99')))?.id, 'again')
  })
})
