import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { type Key, keys, schema } from '../../src/config/schema.ts'
import { parseYaml } from '../../src/config/sources/file.ts'
import { load } from '../support/configuration.ts'

const file = new URL('../../mercure.yaml', import.meta.url)
const text = await readFile(file, 'utf8')
/** Lines of keys, those that are commented out included; comments proper have a space behind the `#`. */
const lines = [...text.matchAll(/^(#?)([a-z_]+):(.*)$/gm)].map(([, mark, key = '', value = '']) => ({
  isOff: mark === '#',
  key,
  value,
}))
const defaults = schema.parse({})
/** Their values stand on lines of their own. */
const withExample = ['issuers', 'limits']

describe('mercure.yaml, the reference of the configuration', () => {
  test('has every key once, and no other', () => {
    assert.deepEqual(lines.map(({ key }) => key).toSorted(), [...keys].toSorted())
  })

  test('is accepted as it is, and warns of its key alone', async () => {
    const { config, warnings } = await load({ yaml: text })
    assert.deepEqual(config.listen, { host: '127.0.0.1', port: 3000 })
    assert.equal(config.allowAnonymous && config.subscriptions, true)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0]!, /is the one of the documentation/)
  })

  for (const { key, value } of lines.filter(({ isOff, key }) => isOff && !withExample.includes(key))) {
    test(`shows the default of ${key}`, () => {
      const { values, problems } = parseYaml(`${key}:${value}`, 'line', '/')
      assert.deepEqual(problems, [])
      assert.deepEqual(schema.parse(values)[key as Key], defaults[key as Key])
    })
  }

  test('has an example of issuers that is accepted', async () => {
    const [commented = ''] = /^#issuers:\n(# {2}.*\n)+/m.exec(text) ?? []
    const { config } = await load({
      yaml:
        commented.replace(/^#/gm, '') +
        lines.map(line => (line.key === 'jwt_key' ? `jwt_key:${line.value}\n` : '')).join(''),
    })
    assert.equal(config.issuers.length, 1)
    assert.notEqual(config.issuers[0]?.publisher, null)
    assert.notEqual(config.issuers[0]?.subscriber, null)
  })

  test('shows the default of limits', () => {
    const [commented = ''] = /^#limits:\n(# {2}.*\n)+/m.exec(text) ?? []
    const { values, problems } = parseYaml(commented.replace(/^#/gm, ''), 'line', '/')
    assert.deepEqual(problems, [])
    assert.deepEqual(values.limits, defaults.limits)
  })

  test('says the default of every key that it sets', () => {
    const set = lines.filter(({ isOff }) => !isOff).map(({ key }) => key)
    const silent = set.filter(key => {
      const before =
        text
          .slice(0, text.search(new RegExp(`^${key}:`, 'm')))
          .split('\n\n')
          .at(-1) ?? ''
      const comment = /(?:^#.*\n)+$/m.exec(before)?.[0] ?? ''
      return !comment.includes('Default: ')
    })
    assert.deepEqual(silent, [])
  })
})
