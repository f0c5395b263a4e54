import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { LogDirectory } from '../support/bolt.ts'
import { idsOf, linesOf, runHistory } from '../support/history.ts'

const updates = [
  { id: 'a', topics: ['https://example.com/books/1', 'other'], data: 'plain' },
  { id: 'b', topics: ['https://example.com/books/2'], data: 'two\r\nlines', private: true },
  { id: 'c', topics: ['https://example.com/pens'], data: '', type: 'changed', retry: 500 },
]

async function createLog(): Promise<LogDirectory> {
  const directory = await LogDirectory.create()
  await using log = await directory.start()
  for (const update of updates) await log.publish(update)
  return directory
}

test('lists updates, one a line, oldest first', async () => {
  await using directory = await createLog()
  const rows = linesOf(await runHistory([directory.file]))
  const times = rows.map(row => Date.parse(row.slice(0, 24)))
  for (const time of times) assert.ok(Math.abs(Date.now() - time) < 600_000, `${time}`)
  assert.deepEqual(
    rows.map(row => row.slice(26)),
    [
      'a  https://example.com/books/1 other  plain',
      'b  https://example.com/books/2  private  two\\u{d}\\nlines',
      'c  https://example.com/pens  type=changed  ',
    ],
  )
})

test('what a publisher sent does nothing to the terminal, and long data is cut', async () => {
  await using directory = await LogDirectory.create()
  {
    await using log = await directory.start()
    await log.publish({ id: 'a\x1b[2J', topics: ['t\u202e'], data: `\x07\u2028${'x'.repeat(100)}` })
  }
  const [row] = linesOf(await runHistory([directory.file]))
  assert.equal(row?.slice(26), `a\\u{1b}[2J  t\\u{202e}  \\u{7}\\u{2028}${'x'.repeat(58)}… (102 characters)`)
})

test('--json and --export - print every field, and the time', async () => {
  await using directory = await createLog()
  const output = await runHistory([directory.file, '--json'])
  const printed = linesOf(output).map(line => JSON.parse(line))
  assert.deepEqual(
    printed.map(({ time, ...update }) => update),
    updates.map(update => ({ type: '', retry: 0, private: false, ...update })),
  )
  for (const { time } of printed) assert.equal(new Date(time).toISOString(), time)
  assert.equal(await runHistory([`bolt://${directory.file}`, '--export', '-']), output)
})

test('--topic: topics and URI Templates, any of several', async () => {
  await using directory = await createLog()
  const ids = async (...topics: string[]) =>
    idsOf(await runHistory([directory.file, '--json', ...topics.flatMap(topic => ['--topic', topic])]))
  assert.deepEqual(await ids('other'), ['a'])
  assert.deepEqual(await ids('https://example.com/books/{id}'), ['a', 'b'])
  assert.deepEqual(await ids('other', 'https://example.com/pens'), ['a', 'c'])
  assert.deepEqual(await ids('*'), ['a', 'b', 'c'])
  assert.deepEqual(await ids('none'), [])
})

test('--since and --until: from a time, before a time, or how long ago; --count', async () => {
  await using directory = await LogDirectory.create()
  const times = [
    '2020-01-01T00:00:00.000Z',
    '2020-01-02T00:00:00.000Z',
    '2020-01-03T00:00:00.000Z',
    new Date().toISOString(),
  ]
  const input = times.map((time, i) => JSON.stringify({ id: `id-${i}`, topics: ['t'], time })).join('\n')
  await runHistory([directory.file, '--import', '-'], input)
  const ids = async (...args: string[]) => idsOf(await runHistory([directory.file, '--json', ...args]))
  assert.deepEqual(await ids('--since', '2020-01-02T00:00:00Z'), ['id-1', 'id-2', 'id-3'])
  assert.deepEqual(await ids('--since', '2020-01-02', '--until', '2020-01-03'), ['id-1'])
  assert.deepEqual(await ids('--until', '2020-01-01T01:00:00+02:00'), [])
  assert.deepEqual(await ids('--since', '24h'), ['id-3'])
  assert.deepEqual(await ids('--until', '1h30m'), ['id-0', 'id-1', 'id-2'])
  assert.equal(await runHistory([directory.file, '--count']), '4\n')
  assert.equal(await runHistory([directory.file, '--count', '--until', '24h']), '3\n')
})

test('an export that is imported gives the same log', async () => {
  await using directory = await createLog()
  const exported = join(directory.path, 'export.ndjson')
  const copy = join(directory.path, 'copy.db')
  assert.equal(await runHistory([directory.file, '--export', exported]), `Exported to ${exported}: 3 updates.\n`)
  assert.equal((await stat(exported)).mode & 0o777, 0o600)
  assert.equal(await runHistory([copy, '--import', exported]), 'Imported: 3 updates.\n')
  assert.equal(await runHistory([copy, '--json']), await runHistory([directory.file, '--json']))
  assert.equal(await readFile(exported, 'utf8'), await runHistory([copy, '--json']))
  await using log = await directory.start()
  assert.deepEqual(await log.ids({ id: 'a' }), ['b', 'c'])
})

test('imports follow what is there, in batches, with the time of now where none is given', async () => {
  await using directory = await createLog()
  const before = Date.now()
  const input = Array.from({ length: 2500 }, (_, i) => `{"id":"more-${i}","topics":["t"]}\n\n`).join('')
  assert.equal(await runHistory([directory.file, '--import', '-'], input), 'Imported: 2,500 updates.\n')
  const output = await runHistory([directory.file, '--json'])
  assert.deepEqual(idsOf(output), ['a', 'b', 'c', ...Array.from({ length: 2500 }, (_, i) => `more-${i}`)])
  const { time } = JSON.parse(linesOf(output).at(-1)!)
  assert.ok(Date.parse(time) >= before)
})

test('--from-line goes on where an import stopped', async () => {
  await using directory = await LogDirectory.create()
  const input = ['a', '', 'b', 'c']
    .map(id => (id === '' ? '\n' : `${JSON.stringify({ id, topics: ['t'] })}\n`))
    .join('')
  assert.equal(await runHistory([directory.file, '--import', '-', '--from-line', '4'], input), 'Imported: 1 update.\n')
  assert.deepEqual(idsOf(await runHistory([directory.file, '--json'])), ['c'])
  assert.equal(await runHistory([directory.file, '--import', '-', '--from-line', '5'], input), 'Imported: 0 updates.\n')
  await assert.rejects(runHistory([directory.file, '--import', '-', '--from-line', '9'], input), {
    code: 'configuration_invalid',
    message: '--import: --from-line 9 is behind the end: the last line is 4.',
  })
})

test('what generation 0.x may publish, and a line break that JSON does not escape, survive export and import', async () => {
  await using directory = await LogDirectory.create()
  const odd = {
    id: 'earliest',
    topics: ['*', '/.well-known/mercure/subscriptions/s'],
    data: 'a\u2028b\u2029c\ud83d\ude00',
  }
  {
    await using log = await directory.start()
    await log.publish(odd)
  }
  const exported = await runHistory([directory.file, '--json'])
  const copy = join(directory.path, 'copy.db')
  assert.equal(await runHistory([copy, '--import', '-'], exported), 'Imported: 1 update.\n')
  const { id, topics, data } = JSON.parse(await runHistory([copy, '--json']))
  assert.deepEqual({ id, topics, data }, odd)
})

test('an export does not replace a file, nor one that is being written', async () => {
  await using directory = await createLog()
  const exported = join(directory.path, 'e')
  await writeFile(`${exported}.part`, 'mine')
  await assert.rejects(runHistory([directory.file, '--export', exported]), {
    code: 'configuration_invalid',
    message: /^--export: .*e\.part exists: another export writes it/,
  })
  assert.equal(await readFile(`${exported}.part`, 'utf8'), 'mine')
})

test('a line that is no update stops an import, which says where and what', async () => {
  const good = '{"id":"a","topics":["t"]}'
  for (const [bad, message] of [
    ['{', /this is not JSON/],
    ['[]', /the update: Invalid input: expected object/],
    ['{"topics":["t"]}', /id: Invalid input: expected string/],
    ['{"id":"","topics":["t"]}', /id: Too small/],
    ['{"id":"\\ud800","topics":["t"]}', /id: must not contain half of a surrogate pair/],
    ['{"id":"a","topics":["\\udc00t"]}', /topics\.0: must not contain half/],
    ['{"id":"a","topics":["t"],"data":"\\ud800"}', /data: must not contain half/],
    ['{"id":"a\\nb","topics":["t"]}', /id: must not contain CR, LF or NUL/],
    ['{"id":"a","topics":[]}', /topics: Too small/],
    ['{"id":"a","topics":["t"],"type":"\\r"}', /type: must not contain/],
    ['{"id":"a","topics":["t"],"retry":-1}', /retry: Too small/],
    ['{"id":"a","topics":["t"],"time":"today"}', /time: Invalid ISO datetime/],
    ['{"id":"a","topics":["t"],"time":"1969-01-01T00:00:00Z"}', /time: must not be before 1970/],
    ['{"id":"a","topics":["t"],"time":"1970-01-01T00:00:00+01:00"}', /time: must not be before 1970/],
    [Buffer.from('{"id":"\xe9","topics":["t"]}', 'latin1'), /this is not UTF-8/],
    ['{"id":"a","topics":["t"],"topic":"t"}', /the update: Unrecognized key: "topic"/],
  ] as const) {
    await using directory = await LogDirectory.create()
    await assert.rejects(
      runHistory(
        [directory.file, '--import', '-'],
        Buffer.concat([`${good}\n`, bad, `\n${good}\n`].map(part => Buffer.from(part))),
      ),
      error => {
        assert.ok(error instanceof Error)
        assert.match(
          error.message,
          /^--import: line 2: .* Imported before it: 1 update\. To go on, import with --from-line 2\.$/,
        )
        assert.match(error.message, message)
        return true
      },
    )
    assert.equal(await runHistory([directory.file, '--count']), '1\n')
  }
})

test('a log that a hub is using can be read, and not be imported into', async () => {
  await using directory = await createLog()
  await using log = await directory.start()
  await log.publish({ id: 'd' })
  assert.deepEqual(idsOf(await runHistory([directory.file, '--json'])), ['a', 'b', 'c', 'd'])
  await assert.rejects(runHistory([directory.file, '--import', '-'], '{"id":"e","topics":["t"]}'), {
    code: 'transport_unavailable',
    message: /updates\.db is in use: another process writes it/,
  })
  await log.publish({ id: 'e' })
})

test('an id that may not be published any more survives export and import', async () => {
  await using directory = await LogDirectory.create()
  const ids = ['a\x01b', ' a ', 'a'.repeat(2000)]
  {
    await using log = await directory.start()
    for (const id of ids) await log.publish({ id })
  }
  const exported = await runHistory([directory.file, '--json'])
  const copy = join(directory.path, 'copy.db')
  assert.equal(await runHistory([copy, '--import', '-'], exported), 'Imported: 3 updates.\n')
  assert.deepEqual(idsOf(await runHistory([copy, '--json'])), ids)
})

test('what is no export leaves no new log behind', async () => {
  await using directory = await LogDirectory.create()
  const wrong = join(directory.path, 'wrong.txt')
  const log = join(directory.path, 'a', 'new.db')
  for (const content of ['no export\n', '', '\n\n']) {
    await writeFile(wrong, content)
    const done = runHistory([log, '--import', wrong])
    if (content === 'no export\n') await assert.rejects(done, { message: /line 1: this is not JSON/ })
    else assert.equal(await done, 'Imported: 0 updates.\n')
    await assert.rejects(stat(join(directory.path, 'a')), { code: 'ENOENT' })
  }
})

test('what cannot be done is said', async () => {
  await using directory = await createLog()
  const taken = join(directory.path, 'taken')
  await writeFile(taken, 'mine')
  for (const [args, message] of [
    [[directory.file, '--export', taken], /--export: .*taken exists; an export is a new file/],
    [[directory.file, '--import', join(directory.path, 'none')], /--import: ENOENT/],
    [[directory.file, '--count', '--export', '-'], /--count, --export and --import exclude each other/],
    [[directory.file, '--import', taken, '--topic', 't'], /--import takes all of its file/],
    [[directory.file, '--from-line', '2'], /--from-line is for --import/],
    [[directory.file, '--since', 'yesterday'], /--since: "yesterday" is neither a time/],
    [[directory.file, '--until', '2020-13-01'], /--until: "2020-13-01" is neither a time/],
    [[join(directory.path, 'none.db')], /There is no log in .*none\.db/],
    [[taken], /taken is not a log of this hub/],
    [['local://local?size=4'], /local:\/\/ keeps its updates in the memory of its hub: they cannot be read from here/],
    [['nonsense://x'], /there is no transport "nonsense"/],
    [[`bolt://${directory.file}?bucket_name=b`], /has no bucket "b"/],
  ] as const) {
    await assert.rejects(runHistory(args), { code: 'configuration_invalid', message }, args.join(' '))
  }
  assert.equal(await readFile(taken, 'utf8'), 'mine')
})
