import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Layer, merge } from '../../../src/config/sources/layer.ts'

const layer = (name: string, values: Record<string, unknown>): Layer => ({
  values,
  where: path => `${name}:${path.join('.')}`,
  directory: `/${name}`,
})

test('the last source that sets a key has it, with its place', () => {
  const { values, where, directory } = merge([layer('a', { addr: 1, demo: 2 }), layer('b', { addr: 3, demo: null })])
  assert.deepEqual(values, { addr: 3, demo: 2 })
  assert.deepEqual([where(['addr']), where(['demo', 0]), where(['debug'])], ['b:addr', 'a:demo.0', null])
  assert.deepEqual([directory('addr'), directory('demo'), directory('debug')], ['/b', '/a', undefined])
})

test('what is set aside is nowhere', () => {
  const { values, where } = merge([layer('a', { jwt_key: 1 }), layer('b', { jwt_key_file: 2 })])
  assert.deepEqual(values, { jwt_key_file: 2 })
  assert.equal(where(['jwt_key']), null)
})

test('one source may contradict itself: that is for the rules to refuse', () => {
  const both = { publisher_jwt_key: 1, publisher_jwks_url: 2 }
  assert.deepEqual(merge([layer('a', both)]).values, both)
})
