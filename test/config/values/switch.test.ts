import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSwitch } from '../../../src/config/values/switch.ts'

for (const on of ['1', 't', 'T', 'true', 'TRUE', 'True']) test(`${on} is on`, () => assert.equal(parseSwitch(on), true))
for (const off of ['0', 'f', 'F', 'false', 'FALSE', 'False']) {
  test(`${off} is off`, () => assert.equal(parseSwitch(off), false))
}
for (const text of ['', 'yes', 'no', 'on', 'off', 'tRUE', '2', ' true', 'constructor', '__proto__']) {
  test(`"${text}" is neither`, () => {
    assert.throws(() => parseSwitch(text), { code: 'configuration_invalid', message: /neither true nor false/ })
  })
}
