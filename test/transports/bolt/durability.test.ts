import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { LogDirectory } from '../../support/bolt.ts'
import { LogProcess } from '../../support/log-process.ts'

const skip = spawnSync('strace', ['-V']).status !== 0 && 'there is no strace here to count system calls with'

/** The calls that tell when the disk has something, and the answers to what the process was asked, in the order in which they ended. */
async function readCalls(path: string): Promise<('flush' | 'answer')[]> {
  const lines = (await readFile(path, 'utf8')).split('\n')
  return lines.flatMap(line => {
    if (/fdatasync.* = 0$/.test(line)) return ['flush']
    return line.includes('delivered') ? ['answer'] : []
  })
}

/** A process that is killed leaves what it wrote to the operating system: only the calls tell whether the disk has it. */
test('the disk has an update before its publisher is answered, and updates published at once share the wait', {
  skip,
}, async () => {
  await using directory = await LogDirectory.create()
  const path = join(directory.path, 'calls')
  const strace = ['strace', '-f', '-qq', '-s', '100', '-e', 'trace=fdatasync,write,writev,sendmsg', '-o', path] as const
  {
    await using log = await LogProcess.start(strace, `bolt://${directory.file}`)
    for (let i = 0; i < 10; i++) await log.ask({ publish: [{ id: `one-${i}` }] })
    await log.ask({ publish: Array.from({ length: 500 }, (_, i) => ({ id: `all-${i}` })) })
  }
  const calls = await readCalls(path)
  const answers = calls.flatMap((call, i) => (call === 'answer' ? [i] : []))
  // The first answers that the log is open, the last that it is closed.
  assert.equal(answers.length, 13)
  const flushesBefore = answers.map((at, i) => at - (answers[i - 1] ?? -1) - 1)
  for (let i = 1; i <= 10; i++) assert.ok(flushesBefore[i]! >= 1, `publish ${i} was answered before the disk had it`)
  assert.ok(
    flushesBefore[11]! >= 1 && flushesBefore[11]! <= 20,
    `${flushesBefore[11]} flushes for 500 publishes at once`,
  )
})
