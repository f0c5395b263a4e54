import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseWorkers } from '../../../src/config/values/workers.ts'

test('a number of processes, or auto', () => {
  for (const [text, value] of [
    ['1', 1],
    ['16', 16],
    ['128', 128],
    ['auto', 'auto'],
    ['AUTO', 'auto'],
  ] as const) {
    assert.equal(parseWorkers(text), value)
  }
})

for (const text of ['0', '129', '-1', '1.5', '1e1', ' 2', 'all', '']) {
  test(`${JSON.stringify(text)} is refused, with a word on what may stand there`, () => {
    const message = `${JSON.stringify(text)} is neither auto nor a number of processes from 1 to 128.`
    assert.throws(() => parseWorkers(text), { code: 'configuration_invalid', message })
  })
}
