import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { keys } from '../../src/config/schema.ts'
import { readDocument } from '../support/documents.ts'
import { root } from '../support/process.ts'

test('docs/configuration.md is what `npm run docs` makes of the schema and of mercure.yaml', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/docs.mjs'), '--check'], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
})

test('docs/configuration.md has a place for every key', async () => {
  const { anchors } = await readDocument('docs/configuration.md')
  assert.deepEqual(
    keys.filter(key => !anchors.has(key)),
    [],
  )
})
