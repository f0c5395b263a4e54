import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

test('docs/errors.md explains every code with its statuses, and none that does not exist', async () => {
  const [docs, errors, problem] = await Promise.all([
    read('docs/errors.md'),
    read('src/errors.ts'),
    read('src/http/problem.ts'),
  ])
  const codes = [...errors.matchAll(/^ {2}\| '(\w+)'/gm)].map(match => match[1]!)
  assert.ok(codes.length > 40)
  const rows = new Map(
    [...docs.split('# Why a stream ended')[0]!.matchAll(/^\| `(\w+)` \| ([^|]+) \|/gm)].map(match => [
      match[1]!,
      match[2]!.trim(),
    ]),
  )
  assert.deepEqual([...rows.keys()].sort(), [...codes].sort())
  const statuses = new Map(
    [...problem.matchAll(/^ {2}(\w+): (?:(\d+)|\{ '0\.x': (\d+), '1\.0': (\d+) \}),$/gm)].map(
      ([, code, same, old, current]) => [code!, same ?? `${old}, ${current}`] as const,
    ),
  )
  for (const [code, status] of rows) assert.equal(status, statuses.get(code), code)
})

test('docs/errors.md explains every reason for which a stream ends', async () => {
  const [docs, subscriber] = await Promise.all([read('docs/errors.md'), read('src/hub/subscriber.ts')])
  const reasons = [...subscriber.matchAll(/^ {2}\| '([\w ]+)'/gm)].map(match => match[1]!)
  assert.ok(reasons.length > 5)
  for (const reason of reasons) assert.match(docs, new RegExp(`^\\| \`${reason}\` \\|`, 'm'))
})
