import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readDocument } from '../support/documents.ts'
import { root } from '../support/process.ts'

test('the drawing of docs/architecture.md names files and functions that there are', async () => {
  const { text } = await readDocument('docs/architecture.md')
  const [drawing = ''] = /^```\n an update.*?^```$/ms.exec(text) ?? []
  const named = [...drawing.matchAll(/((?:http|hub|transports)\/[\w-]+\.ts)(?: +(\w+)\(\))?/g)]
  assert.ok(named.length > 8)
  for (const [, file = '', name] of named) {
    const path = join(root, file.startsWith('transports/') ? '' : 'src', file)
    assert.ok(existsSync(path), file)
    if (name !== undefined)
      assert.match(await readFile(path, 'utf8'), new RegExp(`\\b${name}\\(`), `${file}: ${name}()`)
  }
})
