import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { networksOf, parseNetwork } from '../../../src/config/values/network.ts'

suite('a network', () => {
  for (const [text, expected] of [
    ['192.0.2.1', '192.0.2.1/32'],
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:db8::1', '2001:db8::1/128'],
    ['FC00::/7', 'FC00::/7'],
    ['private_ranges', 'private_ranges'],
    ['PRIVATE_RANGES', 'private_ranges'],
  ] as const) {
    test(`${text} is one`, () => assert.equal(parseNetwork(text), expected))
  }

  for (const text of [
    ...[
      '',
      'proxy.example',
      '10.0.0',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/8/8',
      '010.0.0.1',
      '::/129',
    ],
    ...['[::1]', '10.0.0.1:80', 'fe80::1%eth0', '::ffff:10.0.0.0/104', '0:0:0:0:0:FFFF:0a00:0/104', 'private', '*'],
  ]) {
    test(`${JSON.stringify(text)} is none`, () =>
      assert.throws(() => parseNetwork(text), { code: 'configuration_invalid' }))
  }

  test('private_ranges are networks', () => {
    assert.deepEqual(networksOf('192.0.2.1/32'), ['192.0.2.1/32'])
    for (const network of networksOf('private_ranges')) assert.equal(parseNetwork(network), network)
  })
})
