import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { LogDirectory } from '../../support/bolt.ts'
import { LogProcess } from '../../support/log-process.ts'

const skip = spawnSync('strace', ['-V']).status !== 0 && 'there is no strace here to count system calls with'

/** A process that is killed leaves what it wrote to the operating system: only the calls tell whether the disk has it. */
test('the disk has an update before its publisher is answered, and updates published at once share the wait', {
  skip,
}, async () => {
  await using directory = await LogDirectory.create()
  const calls = join(directory.path, 'calls')
  const flushes = async () => (await readFile(calls, 'utf8')).match(/fdatasync\(\d+\) += 0/g)!.length
  await using log = await LogProcess.start(
    ['strace', '-f', '-qq', '-e', 'trace=fdatasync', '-o', calls],
    `bolt://${directory.file}`,
  )
  const before = await flushes()
  for (let i = 0; i < 10; i++) await log.ask({ publish: [{ id: `one-${i}` }] })
  const after = await flushes()
  assert.ok(after - before >= 10, `${after - before} flushes for 10 publishes, one after the other`)
  await log.ask({ publish: Array.from({ length: 500 }, (_, i) => ({ id: `all-${i}` })) })
  const shared = (await flushes()) - after
  assert.ok(shared >= 1 && shared <= 20, `${shared} flushes for 500 publishes at once`)
})
