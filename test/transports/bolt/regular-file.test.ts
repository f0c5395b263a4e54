import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { chmod, chown, link, mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openLog } from '../../../transports/bolt/open.ts'
import { LogDirectory } from '../../support/bolt.ts'

test('a link to a file that is not there yet makes that file, and the same log has one writer by either name', async () => {
  await using directory = await LogDirectory.create()
  const alias = join(directory.path, 'alias.db')
  await symlink(directory.file, alias)
  const first = await directory.open('', alias)
  for (const name of [directory.file, alias]) {
    await assert.rejects(directory.open('', name), { message: new RegExp(`^The log ${directory.file} is in use`) })
  }
  await first.close()
  await (await directory.open()).close()
})

test('a link into a directory that is not there', async () => {
  await using directory = await LogDirectory.create()
  const alias = join(directory.path, 'alias.db')
  await symlink(join(directory.path, 'none', 'updates.db'), alias)
  await assert.rejects(directory.open('', alias), {
    code: 'configuration_invalid',
    message: /alias\.db is a link to .*none\/updates\.db, whose directory is not there: make that directory/,
  })
})

test('a file with a second name is refused, for reading too', async () => {
  await using directory = await LogDirectory.create()
  await (await directory.open()).close()
  const alias = join(directory.path, 'alias.db')
  await link(directory.file, alias)
  const message = /has another name \(a hard link\)/
  await assert.rejects(directory.open(), { code: 'configuration_invalid', message })
  await assert.rejects(openLog(alias, 'updates', { readOnly: true }), { message })
  await rm(alias)
  await (await directory.open()).close()
})

test('what is no file is refused', async () => {
  await using directory = await LogDirectory.create()
  const pipe = join(directory.path, 'pipe')
  execFileSync('mkfifo', [pipe])
  for (const [path, message] of [
    ['/dev/null', /^The file \/dev\/null is no regular file/],
    [pipe, /pipe is no regular file/],
    [directory.path, /is a directory: name a file in it/],
  ] as const) {
    const refused = { code: 'configuration_invalid', message }
    await assert.rejects(directory.open('', path), refused)
    await assert.rejects(openLog(path, 'updates', { readOnly: true }), refused)
  }
  for (const suffix of ['-lock', '-writer']) {
    const file = join(directory.path, `beside${suffix}.db`)
    await mkdir(`${file}${suffix}`)
    await assert.rejects(directory.open('', file), { message: new RegExp(`${suffix} is a directory`) })
  }
})

test('a file where a directory should be', async () => {
  await using directory = await LogDirectory.create()
  await writeFile(directory.file, '')
  for (const path of [join(directory.file, 'a.db'), join(directory.file, 'b', 'c.db')]) {
    await assert.rejects(directory.open('', path), {
      code: 'configuration_invalid',
      message: `The log ${path} cannot be made: ${directory.file} is not a directory.`,
    })
  }
})

test('a lock that is something else is named', async () => {
  await using directory = await LogDirectory.create()
  await writeFile(`${directory.file}-writer`, 'x'.repeat(5000))
  await assert.rejects(directory.open(), {
    code: 'transport_unavailable',
    message: new RegExp(
      `^The lock ${directory.file}-writer cannot be taken: file is not a database\\. It is an empty file`,
    ),
  })
})

const nobody = 65_534
const source = (path: string): string => JSON.stringify(import.meta.resolve(`../../../${path}`))
const skip = process.getuid?.() !== 0 && 'only root can be somebody else'

/** An export of one update. */
const exported = `${JSON.stringify({ id: 'one', topics: ['https://example.com/books/1'], data: 'sold' })}\n`

/** Runs `talaria history` on a file as a user without rights, and says what it answered. */
function askAsNobody(file: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  // It becomes that user when all is loaded: the checkout may be where only this one can look.
  const program = `
    import { run } from ${source('src/cli/program.ts')}
    import { checkTransportUrl } from ${source('transports/index.ts')}
    await checkTransportUrl(new URL('bolt://' + process.argv[3]))
    process.setgroups([])
    process.setgid(${nobody})
    process.setuid(${nobody})
    await run()`
  const directory = mkdtempSync(join(tmpdir(), 'talaria-nobody-'))
  try {
    const main = join(directory, 'main.mjs')
    writeFileSync(main, program)
    const options = { cwd: '/', input: exported, encoding: 'utf8', timeout: 30_000 } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'history', file, ...args], options)
    return { status, stdout, stderr }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

test('a file that this process may not use is named, with its owner', { skip }, async () => {
  await using directory = await LogDirectory.create()
  await chmod(directory.path, 0o755)
  await chown(directory.path, nobody, nobody)
  await (await directory.open()).close()
  const { file } = directory
  const paths = [file, `${file}-lock`, `${file}-writer`]
  for (const path of paths) {
    for (const other of paths) await chown(other, nobody, nobody)
    assert.equal(askAsNobody(file, '--import', '-').status, 0)
    await chown(path, 0, 0)
    for (const [mode, purpose] of path.endsWith('-writer') || path === file
      ? ([['644', 'written']] as const)
      : ([
          ['600', 'written'],
          ['644', 'written'],
        ] as const)) {
      await chmod(path, Number.parseInt(mode, 8))
      assert.deepEqual(askAsNobody(file, '--import', '-'), {
        status: 1,
        stdout: '',
        stderr: `The file ${path} cannot be ${purpose} by this process, which runs as user ${nobody}: it belongs to user 0 and has mode ${mode}. Give it to that user (chown ${nobody} ${path}).\n`,
      })
    }
  }
})

test('what root makes beside a log is for its owner', { skip }, async () => {
  await using directory = await LogDirectory.create()
  await chmod(directory.path, 0o755)
  await chown(directory.path, nobody, nobody)
  await (await directory.open()).close()
  await chown(directory.file, nobody, nobody)
  for (const [imported, readOnly] of [true, false].entries()) {
    for (const suffix of ['-lock', '-writer']) await rm(`${directory.file}${suffix}`, { force: true })
    await (await openLog(directory.file, 'updates', { readOnly })).close()
    const { uid, gid, mode } = await stat(`${directory.file}-lock`)
    assert.deepEqual([uid, gid, mode & 0o777], [nobody, nobody, 0o600])
    assert.equal(askAsNobody(directory.file, '--count').stdout, `${imported}\n`)
    assert.equal(askAsNobody(directory.file, '--import', '-').status, 0)
  }
})

test('a directory that takes no file', { skip }, async () => {
  await using directory = await LogDirectory.create()
  await chmod(directory.path, 0o755)
  const { status, stderr } = askAsNobody(directory.file, '--import', '-')
  assert.equal(status, 1)
  assert.match(
    stderr,
    /^The file .*updates\.db cannot be made: this process runs as user 65534, who may not write to the directory .*talaria-bolt/,
  )
})
