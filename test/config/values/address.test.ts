import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clash, formatAddress, parseAddress } from '../../../src/config/values/address.ts'

describe('an address', () => {
  const good: readonly [text: string, host: string, port: number][] = [
    [':3000', '', 3000],
    ['127.0.0.1:3000', '127.0.0.1', 3000],
    ['localhost:http', 'localhost', 80],
    [':https', '', 443],
    ['[::1]:3000', '::1', 3000],
    [':0', '', 0],
  ]
  for (const [text, host, port] of good) {
    test(`${text} is host "${host}", port ${port}`, () => assert.deepEqual(parseAddress(text), { host, port }))
  }

  const bad: readonly [text: string, sentence: RegExp][] = [
    ['3000', /^3000 is only a port\. Did you mean ":3000" \(every interface\) or "127\.0\.0\.1:3000"\?$/],
    ['http://localhost:3000', /is a URL; write host:port/],
    ['localhost', /is not an address; write host:port, like ":3000", "127\.0\.0\.1:3000" or "\[::1\]:3000"\.$/],
    ['::1:3000', /is not an address/],
    ['[localhost]:3000', /is not an address/],
    ['a b:80', /is not an address/],
    [':65536', /the port must be a number up to 65535, "http" or "https"\.$/],
    [':ftp', /the port must be a number up to 65535/],
    [':constructor', /the port must be a number up to 65535/],
  ]
  for (const [text, sentence] of bad) {
    test(`"${text}" is refused: ${sentence.source}`, () => {
      assert.throws(() => parseAddress(text), { code: 'configuration_invalid', message: sentence })
    })
  }

  test('is written with brackets around IPv6', () => {
    assert.equal(formatAddress({ host: '::1', port: 80 }), '[::1]:80')
    assert.equal(formatAddress({ host: '', port: 80 }), ':80')
  })

  const pairs: readonly [a: string, b: string, clash: boolean][] = [
    [':80', ':80', true],
    [':80', '127.0.0.1:80', true],
    ['127.0.0.1:80', '0.0.0.0:80', true],
    ['[::]:80', '127.0.0.1:80', true],
    ['127.0.0.1:80', '127.0.0.1:80', true],
    ['127.0.0.1:80', '127.0.0.2:80', false],
    [':80', ':81', false],
    [':0', ':0', false],
  ]
  for (const [a, b, expected] of pairs) {
    test(`${a} and ${b} ${expected ? 'clash' : 'go together'}`, () => {
      assert.equal(clash(parseAddress(a), parseAddress(b)), expected)
    })
  }
})
