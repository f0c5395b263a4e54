import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { keys } from '../../src/config/schema.ts'
import { retiredVariables } from '../../src/config/sources/retired.ts'
import { load } from '../support/configuration.ts'
import { readDocument } from '../support/documents.ts'
import { root } from '../support/process.ts'
import { testKey } from '../support/token.ts'

const { text } = await readDocument('docs/moving.md')

/** The rows of the table under a heading: both cells. */
function rowsUnder(heading: string): { left: string; right: string }[] {
  const [, part = ''] = new RegExp(`^### ${heading}$(.*?)(?=^##|$(?![^]))`, 'ms').exec(text) ?? []
  const rows = [...part.matchAll(/^\| (.*?) \| (.*?) \|$/gm)].map(([, left = '', right = '']) => ({ left, right }))
  assert.ok(rows.length > 1, `no table under ${heading}`)
  return rows.slice(1)
}
/** What stands between backticks. */
const words = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(match => match[1]!)
/** Without what follows a colon, which says more. */
const keysOf = (cell: string): string[] => words(cell.replace(/:.*/, ''))

describe('docs/moving.md', () => {
  const base = { MERCURE_PUBLISHER_JWT_KEY: testKey, MERCURE_SUBSCRIBER_JWT_KEY: testKey }

  for (const { left, right } of rowsUnder('Directives')) {
    // A block has lines of its own.
    const example = words(left).join('\n')
    const name = example.split(/\s/, 1)[0]!
    test(`the directive ${name} sets ${right}`, async () => {
      const lines = example.replaceAll('KEY', testKey)
      const { sources, warnings } = await load({ env: { ...base, MERCURE_EXTRA_DIRECTIVES: lines } })
      const set = Object.keys(sources).filter(key => sources[key]!.includes('MERCURE_EXTRA_DIRECTIVES'))
      if (!right.startsWith('–')) assert.deepEqual(set.toSorted(), keysOf(right).toSorted())
      else if (name !== 'protocol_version_compatibility')
        assert.ok(
          warnings.some(warning => warning.includes(name)),
          name,
        )
    })
  }

  test('has every directive', async () => {
    const source = await readFile(join(root, 'src/config/sources/directives.ts'), 'utf8')
    const [, rules = ''] = /^const rules: .*? = \{$(.*?)^\}$/ms.exec(source) ?? []
    const known = [...rules.matchAll(/^ {2}(\w+): /gm)].map(match => match[1])
    assert.ok(known.length > 20)
    const listed = rowsUnder('Directives').map(({ left }) => words(left)[0]?.split(' ', 1)[0])
    assert.deepEqual(listed.toSorted(), known.toSorted())
  })

  const values: Readonly<Record<string, string>> = {
    MERCURE_PUBLISHER_JWT_ALG: 'HS256',
    MERCURE_SUBSCRIBER_JWT_ALG: 'HS256',
    MERCURE_TRUSTED_ISSUERS: 'https://issuer.example',
    MERCURE_TRANSPORT_URL: 'local://local',
    MERCURE_LICENSE: 'x',
    MERCURE_PUBLISHER_JWT_KEY_FILE: 'secret',
    MERCURE_SUBSCRIBER_JWT_KEY_FILE: 'secret',
    MERCURE_TRANSPORT_URL_FILE: 'url',
  }
  const files = { secret: testKey, url: 'local://local' }
  for (const { left, right } of rowsUnder('Variables of the image')) {
    const [variable = '', value] = words(left)[0]!.split('=')
    if (variable === 'MERCURE_EXTRA_DIRECTIVES') continue
    test(`the variable ${variable} sets ${right}`, async () => {
      // A file is in the place of the value.
      const replaced = { [variable.replace(/_FILE$/, '')]: '' }
      const example = { [variable]: value ?? values[variable] ?? testKey }
      const { sources } = await load({ env: { ...base, ...replaced, ...example }, files })
      for (const key of keysOf(right)) assert.ok(sources[key]?.includes(variable), `${key}: ${sources[key]}`)
    })
  }

  test('says of every key that has gone what is in its place', () => {
    const rows = rowsUnder('The standalone server')
    assert.deepEqual(rows.flatMap(({ left }) => words(left)).toSorted(), Object.keys(retiredVariables).toSorted())
    const named = rows.flatMap(({ right }) => words(right)).filter(word => /^[a-z_]+$/.test(word))
    for (const key of named) assert.ok((keys as readonly string[]).includes(key), key)
  })
})
