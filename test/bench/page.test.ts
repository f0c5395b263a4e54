import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { replaceFigures } from './page.ts'

async function pageAfter(page: string, part: string, figures: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'page-'))
  try {
    await writeFile(join(directory, 'performance.md'), page)
    await replaceFigures(directory, part, figures)
    return await readFile(join(directory, 'performance.md'), 'utf8')
  } finally {
    await rm(directory, { recursive: true })
  }
}

const place = (part: string, figures: string) =>
  `<!-- Written by npm run bench -- ${part}: -->\n${figures}\n<!-- Until here. -->`
const page = (hub: string, backends: string) =>
  `# Title\n\n${place('hub', hub)}\n\nBetween.\n\n${place('backends', backends)}\n\nRest.\n`

test('figures take the place of older ones of their part, and everything else stays', async () => {
  const before = page('old\n\nold', 'others')
  assert.equal(await pageAfter(before, 'hub', '| new |'), page('| new |', 'others'))
  assert.equal(await pageAfter(before, 'backends', '| new |'), page('old\n\nold', '| new |'))
})

test('a page without a place for figures is not touched', async () => {
  await assert.rejects(pageAfter('# Title\n', 'hub', 'new'), /has no place for figures/)
  await assert.rejects(pageAfter(page('old', 'old'), 'others', 'new'), /has no place for figures/)
})
