import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { replaceFigures } from './page.ts'

async function pageAfter(page: string, figures: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'page-'))
  try {
    await writeFile(join(directory, 'performance.md'), page)
    await replaceFigures(directory, figures)
    return await readFile(join(directory, 'performance.md'), 'utf8')
  } finally {
    await rm(directory, { recursive: true })
  }
}

const page = (figures: string) =>
  `# Title\n\n<!-- Written by npm run bench: -->\n${figures}\n<!-- Until here. -->\n\nRest.\n`

test('figures take the place of older ones, and everything else stays', async () => {
  assert.equal(await pageAfter(page('old\n\nold'), '| new |'), page('| new |'))
})

test('a page without a place for figures is not touched', async () => {
  await assert.rejects(pageAfter('# Title\n', 'new'), /has no place for figures/)
})
