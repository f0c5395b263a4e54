import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatSize, parseSize } from '../../../src/config/values/size.ts'

describe('a size', () => {
  const good: readonly [text: string, bytes: number][] = [
    ['0', 0],
    ['65536', 65_536],
    ['10B', 10],
    ['1KB', 1000],
    ['1k', 1000],
    ['1KiB', 1024],
    ['64 kib', 65_536],
    ['1Mi', 1_048_576],
    ['1.5GB', 1_500_000_000],
    ['2TiB', 2 * 1024 ** 4],
  ]
  for (const [text, bytes] of good) test(`${text} is ${bytes} bytes`, () => assert.equal(parseSize(text), bytes))

  for (const text of ['', 'B', '-1', '1XB', '1 M B', '1iB', '1e3', '0x10', '1,000', 'constructor']) {
    test(`"${text}" is refused`, () => {
      assert.throws(() => parseSize(text), {
        code: 'configuration_invalid',
        message: /is not a size; write it like 64KiB/,
      })
    })
  }

  test('beyond what a number counts exactly is refused', () => {
    assert.throws(() => parseSize('99999TiB'), { message: /^"99999TiB" is too large a size\.$/ })
  })

  test('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.nat(2), (number, power) => {
        const bytes = number * 1024 ** power
        assert.equal(parseSize(formatSize(bytes)), bytes)
      }),
    )
  })

  test('is written in the largest unit that divides it', () => {
    assert.deepEqual([0, 1000, 1024, 1_048_576, 1536].map(formatSize), ['0B', '1000B', '1KiB', '1MiB', '1536B'])
  })
})
