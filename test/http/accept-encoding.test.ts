import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseCoding } from '../../src/http/accept-encoding.ts'

const rows: readonly [header: string | undefined, chosen: string | undefined][] = [
  [undefined, undefined],
  ['', undefined],
  ['gzip', 'gzip'],
  ['GZip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['zstd', 'zstd'],
  ['br', 'br'],
  // what browsers, curl and Node send
  ['gzip, deflate, br, zstd', 'gzip'],
  ['deflate, gzip, br, zstd', 'gzip'],
  ['br, gzip, deflate', 'gzip'],
  ['br;q=1, gzip;q=0.8', 'br'],
  ['zstd;q=1.0,gzip;q=0.5,br;q=0.9', 'zstd'],
  ['gzip;q=0.5, zstd;q=0.5', 'gzip'],
  ['*', 'gzip'],
  ['*;q=0.1', 'gzip'],
  ['gzip;q=0, *', 'zstd'],
  ['gzip ; q=0 , zstd ; q=0 , *;q=0.001', 'br'],
  ['deflate, compress, dcb', undefined],
  ['identity', undefined],
  ['identity, gzip', 'gzip'],
  ['identity;q=0.5, gzip;q=1', 'gzip'],
  ['identity;q=1, gzip;q=0.5', undefined],
  ['identity;q=0.5, *;q=0.1', undefined],
  ['identity;q=0, br', 'br'],
  ['identity;q=0', undefined],
  ['*;q=0', undefined],
  ['gzip;q=0', undefined],
  ['gzip;q=0.000', undefined],
  ['gzip;level=9;q=0.7, br;q=0.6', 'gzip'],
  // malformed
  ['gzip;q=2', undefined],
  ['gzip;q=-1, zstd', 'zstd'],
  ['gzip;q=high, br', 'br'],
  [';q=1,,;,', undefined],
]

for (const [header, chosen] of rows) {
  test(`Accept-Encoding: ${header ?? '(none)'} → ${chosen ?? 'none'}`, () => {
    assert.equal(chooseCoding(header), chosen)
  })
}

test('a header as long as a head may be costs no more than its length', () => {
  const began = performance.now()
  assert.equal(chooseCoding(`${'a;b=c;q=0.5,;'.repeat(20_000)}, gzip`), 'gzip')
  assert.ok(performance.now() - began < 5000)
})
