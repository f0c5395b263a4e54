import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, test } from 'node:test'
import { type Document, readDocuments } from '../support/documents.ts'
import { root } from '../support/process.ts'

const documents = await readDocuments()
const byPath = new Map(documents.map(document => [document.path, document]))

/** What is wrong with a link; `undefined`: nothing. */
function faultOf(link: string, { path }: Document): string | undefined {
  if (/^(https?|mailto):/.test(link)) return URL.canParse(link) ? undefined : `${link} is no URL`
  const [file = '', anchor] = link.split('#', 2)
  const target = file === '' ? path : normalize(join(dirname(path), decodeURI(file)))
  if (!existsSync(join(root, target))) return `${link}: there is no ${target}`
  if (anchor === undefined) return undefined
  const document = byPath.get(target)
  if (document === undefined) return `${link}: ${target} is no document with headings`
  return document.anchors.has(anchor) ? undefined : `${link}: ${target} has no such heading`
}

describe('links lead somewhere', () => {
  for (const document of documents) {
    test(document.path, () => {
      const faults = document.links.map(link => faultOf(link, document)).filter(fault => fault !== undefined)
      assert.deepEqual(faults, [])
    })
  }

  test('a broken one is seen', () => {
    const readme = byPath.get('README.md')!
    for (const link of ['docs/nothing.md', 'docs/errors.md#nothing', '#nothing', 'http://', 'package.json#name'])
      assert.notEqual(faultOf(link, readme), undefined, link)
    for (const link of [
      'docs/errors.md',
      '#tokens',
      'docs/transports.md#postgresql',
      'docs/transports.md#kafka-how-far-back',
    ])
      assert.equal(faultOf(link, readme), undefined, link)
  })
})

test('docs/README.md leads to every page, and the README to it', () => {
  const contents = byPath.get('docs/README.md')!
  const pages = documents.map(({ path }) => path).filter(path => /^docs\/[^/]+$/.test(path) && path !== contents.path)
  const listed = new Set(contents.links.map(link => normalize(join('docs', link.replace(/#.*/, '')))))
  assert.deepEqual(
    pages.filter(page => !listed.has(page)),
    [],
  )
  assert.ok(byPath.get('README.md')!.links.includes('docs/README.md'))
})
