import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatDuration, parseDuration } from '../../../src/config/values/duration.ts'

describe('a duration', () => {
  const good: readonly [text: string, ms: number][] = [
    ['15s', 15_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['1h0m0s', 3_600_000],
    ['100ms', 100],
    ['250us', 0.25],
    ['250\u00b5s', 0.25],
    ['250\u03bcs', 0.25],
    ['1ns', 0.000001],
    ['.5s', 500],
    ['1.s', 1000],
    ['1.001s', 1001],
    ['4.35s', 4350],
    ['0', 0],
    ['00', 0],
    ['0s', 0],
  ]
  for (const [text, ms] of good) test(`${text} is ${ms} ms`, () => assert.equal(parseDuration(text), ms))

  const bad: readonly [text: string, sentence: RegExp][] = [
    ['15', /^"15" has no unit\. Did you mean 15s\?$/],
    ['1.5', /^"1\.5" has no unit\. Did you mean 1\.5s\?$/],
    ['15000000000', /Did you mean 15s \(it counted nanoseconds once\)\?$/],
    ['-1s', /^"-1s" has a sign/],
    ['+1s', /^"\+1s" has a sign/],
    ['1d', /"d" is not a unit of time; use h, m, s, ms, µs or ns\.$/],
    ['1constructor', /"constructor" is not a unit of time/],
    ['1m 30s', /is not a duration; write it like 15s, 1m30s, 1\.5h or 100ms\.$/],
    ['15S', /is not a duration/],
    ['soon', /is not a duration/],
    ['1s2', /is not a duration/],
    ['', /is empty/],
    ['99999999999h', /is too long a time\.$/],
  ]
  for (const [text, sentence] of bad) {
    test(`"${text}" is refused: ${sentence.source}`, () => {
      assert.throws(() => parseDuration(text), { name: 'HubError', code: 'configuration_invalid', message: sentence })
    })
  }

  test('is read back as it was written, to the nanosecond', () => {
    const ms = fc.oneof(
      fc.maxSafeNat(),
      fc.nat(100_000),
      fc.nat(1_000_000_000).map(ns => ns / 1_000_000),
    )
    fc.assert(fc.property(ms, ms => assert.equal(parseDuration(formatDuration(ms)), ms)))
  })

  test('is written short', () => {
    const written = [0, 0.25, 100, 1500, 90_000, 3_600_000, 5_400_000, 600_000].map(formatDuration)
    assert.deepEqual(written, ['0s', '0.25ms', '100ms', '1.5s', '1m30s', '1h', '1h30m', '10m'])
  })
})
