import assert from 'node:assert/strict'
import { copyFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { LogDirectory } from '../../support/bolt.ts'

const refused = {
  code: 'transport_unavailable',
  message: /^The update was not stored: the file of this hub's log was deleted or replaced\./,
}

test('a log whose file is deleted or replaced takes nothing more, and is not ready, until it is opened again', async () => {
  for (const [what, suffix] of [
    ['the log', ''],
    ['its lock', '-writer'],
    ['its table of readers', '-lock'],
  ] as const) {
    for (const change of ['delete', 'replace'] as const) {
      await using directory = await LogDirectory.create()
      const file = `${directory.file}${suffix}`
      {
        await using log = await directory.start()
        await log.publish({ id: 'a' })
        await log.transport.ready!()
        const copy = join(directory.path, 'copy')
        await copyFile(file, copy)
        if (change === 'delete') await rm(file)
        else await rename(copy, file)
        await assert.rejects(
          log.transport.ready!(),
          { code: 'transport_unavailable', message: new RegExp(`^The file ${file} was deleted or replaced while`) },
          `${change} ${what}`,
        )
        await assert.rejects(log.publish({ id: 'b' }), refused)
        await assert.rejects(log.transport.ready!(), /was deleted or replaced/)
        assert.deepEqual(
          directory.logged.map(({ level }) => level).filter(level => level !== 'info'),
          ['error'],
          'it is logged once',
        )
      }
      await using log = await directory.start()
      await log.publish({ id: 'c' })
      assert.deepEqual(await log.ids('earliest'), change === 'delete' && suffix === '' ? ['c'] : ['a', 'c'])
    }
  }
})

test('publishers alone find that the file is gone', async () => {
  await using directory = await LogDirectory.create()
  await using log = await directory.start()
  await log.publish({ id: 'a' })
  await rm(directory.file)
  const publishUntilRefused = async () => {
    for (;;) await log.publish({ id: 'b' })
  }
  await assert.rejects(publishUntilRefused(), refused)
  const delivered = log.delivered.length
  await assert.rejects(log.publish({ id: 'c' }), refused)
  assert.equal(log.delivered.length, delivered, 'what is refused is not delivered')
})
