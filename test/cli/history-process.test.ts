import assert from 'node:assert/strict'
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { LogDirectory } from '../support/bolt.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const exporting = fileURLToPath(new URL('../support/endless-export.ts', import.meta.url))

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Starts a program; it is killed when the test ends before it. */
function start(t: TestContext, args: readonly string[], stdio: StdioOptions = 'pipe'): ChildProcess {
  const child = spawn(process.execPath, args, { stdio })
  t.after(() => child.kill('SIGKILL'))
  return child
}

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const [out, err, [code]] = await Promise.all([
    child.stdout === null ? '' : text(child.stdout),
    text(child.stderr!),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, out, err }
}

const history = async (t: TestContext, ...args: string[]): Promise<Outcome> => {
  const child = start(t, [main, 'history', ...args])
  child.stdin!.end()
  return await outcomeOf(child)
}

for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} leaves nothing of an export, and says so`, async t => {
    await using directory = await LogDirectory.create()
    const file = join(directory.path, 'export.ndjson')
    const child = start(t, [exporting, file])
    await once(child.stdout!, 'data')
    assert.deepEqual(await readdir(directory.path), ['export.ndjson.part'])
    child.kill(signal)
    const { code, err } = await outcomeOf(child)
    assert.deepEqual(
      { code, err },
      { code: exitCode, err: `\n${signal}: the export was not finished, and nothing of it is left.\n` },
    )
    assert.deepEqual(await readdir(directory.path), [])
  })

  test(`${signal} ends an import, which says how to go on`, async t => {
    await using directory = await LogDirectory.create()
    const ids = Array.from({ length: 3500 }, (_, i) => `id-${i}`)
    const lines = ids.map(id => `${JSON.stringify({ id, topics: ['t'], data: 'x'.repeat(500) })}\n`).join('')
    const child = start(t, [main, 'history', directory.file, '--import', '-'])
    // When a pipe has taken so much, most of it has been read; its end does not come.
    await new Promise(resolve => child.stdin!.write(lines, resolve))
    child.stdin!.on('error', () => {})
    child.kill(signal)
    const { code, out, err } = await outcomeOf(child)
    assert.deepEqual({ code, out }, { code: exitCode, out: '' })
    const [, imported, next] =
      /^\n(?:SIGINT|SIGTERM) stopped the import\. Imported before it: ([\d,]+) updates\. To go on, import with --from-line (\d+)\.\n$/.exec(
        err,
      ) ?? assert.fail(err)
    assert.equal(Number(imported!.replace(',', '')) + 1, Number(next))
    const file = join(directory.path, 'lines.ndjson')
    await writeFile(file, lines)
    assert.equal((await history(t, directory.file, '--import', file, '--from-line', next!)).code, 0)
    const listed = (await history(t, directory.file, '--json')).out.split('\n').slice(0, -1)
    assert.deepEqual(
      listed.map(line => (JSON.parse(line) as { id: string }).id),
      ids,
    )
  })
}

test('a full disk behind standard output is a sentence', async t => {
  await using directory = await LogDirectory.create()
  {
    await using log = await directory.start()
    await log.publish({ id: 'a' })
  }
  await using full = await open('/dev/full', 'w')
  for (const args of [[], ['--json'], ['--count'], ['--export', '-'], ['--export', join(directory.path, 'e')]]) {
    const child = start(t, [main, 'history', directory.file, ...args], ['ignore', full.fd, 'pipe'])
    const { code, err } = await outcomeOf(child)
    assert.equal(code, 1)
    assert.match(err, /^Standard output cannot be written: ENOSPC[^\n]*\.\n$/, args.join(' '))
  }
})

test('a reader that has enough ends a list in silence', async t => {
  await using directory = await LogDirectory.create()
  {
    await using log = await directory.start()
    for (let i = 0; i < 40; i++) await log.publish({ id: `${i}`, data: 'x'.repeat(10_000) })
  }
  const child = start(t, [main, 'history', directory.file, '--json'])
  await once(child.stdout!, 'data')
  child.stdout!.destroy()
  const [err] = await Promise.all([text(child.stderr!), once(child, 'close')])
  assert.deepEqual({ err, code: child.exitCode }, { err: '', code: 0 })
})

test('what is no file to import makes no log', async t => {
  await using directory = await LogDirectory.create()
  const folder = join(directory.path, 'folder')
  await mkdir(folder)
  for (const [input, message] of [
    [folder, /^--import: .*folder is a directory; name a file\.\n$/],
    [join(directory.path, 'none'), /^--import: ENOENT: [^\n]*\.\n$/],
  ] as const) {
    const { code, err } = await history(t, directory.file, '--import', input)
    assert.equal(code, 1)
    assert.match(err, message)
  }
  assert.deepEqual(await readdir(directory.path), ['folder'])
})
