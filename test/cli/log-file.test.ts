import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { describeLogFile } from '../../src/cli/log-file.ts'
import { LogDirectory } from '../support/bolt.ts'

const describe = (text: string): string[] => describeLogFile(new URL(text))

test('what a log keeps, in words', () => {
  for (const [query, sentence] of [
    ['', 'All updates are kept: neither size, nor max_age, nor size_bytes is set.'],
    ['?size=0&max_age=&cleanup_frequency=0', 'All updates are kept: neither size, nor max_age, nor size_bytes is set.'],
    ['?size=100000', 'Kept of the updates: the newest 100,000.'],
    [
      '?size=10&max_age=36h&size_bytes=1GiB',
      'Kept of the updates: the newest 10, none older than 36h, in 1GiB at most.',
    ],
    [
      '?size_bytes=5MB&cleanup_frequency=0.0',
      'Kept of the updates: in 5000000B at most. None is removed: cleanup_frequency is 0.',
    ],
  ] as const) {
    assert.equal(describe(`bolt://updates.db${query}`)[1], sentence)
  }
})

test('where its file is, and whether a hub could use it', async () => {
  const [relative] = describe('bolt://no%20log.db')
  assert.equal(
    relative,
    `The file is ${resolve('no log.db')}, seen from the working directory. It is not there yet; the hub makes it.`,
  )
  await using directory = await LogDirectory.create()
  await writeFile(join(directory.path, 'a.db'), '')
  await mkdir(join(directory.path, 'folder'))
  for (const [name, sentence] of [
    ['a.db', 'It is there.'],
    ['none.db', 'It is not there yet; the hub makes it.'],
    ['none/deep/b.db', 'It is not there yet, and neither is its directory; the hub makes both.'],
    ['folder', 'It is no file: a hub would not start.'],
    ['a.db/b.db', `It cannot be made: ${join(directory.path, 'a.db')} is not a directory.`],
  ] as const) {
    const path = join(directory.path, name)
    assert.equal(describe(`bolt://${path}`)[0], `The file is ${path}. ${sentence}`)
  }
})

test('a directory that this user may not write to', async t => {
  if (process.getuid?.() !== 0) return t.skip('only root can become another user')
  await using directory = await LogDirectory.create()
  const path = join(directory.path, 'a.db')
  const program = `
    import { describeLogFile } from ${JSON.stringify(import.meta.resolve('../../src/cli/log-file.ts'))}
    process.setgroups([])
    process.setgid(65534)
    process.setuid(65534)
    console.log(describeLogFile(new URL('bolt://' + ${JSON.stringify(path)}))[0])`
  // It becomes that user when it has been loaded: the checkout may be where only this one can look.
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: '/',
  })
  assert.equal(
    stdout,
    `The file is ${path}. It is not there, and cannot be made: this user may not write to ${directory.path}.\n`,
  )
})
