import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMarker, MarkerScanner } from '../../../src/cli/bench/marker.ts'
import { createRandom } from '../../support/random.ts'

test('markers are found however the bytes around them are cut', () => {
  const random = createRandom(2)
  for (let round = 0; round < 500; round++) {
    const markers = Array.from({ length: random.below(6) }, () => ({
      run: random.below(2 ** 31),
      publisher: random.below(100),
      number: random.below(2 ** 32),
      micros: random.below(2 ** 45),
    }))
    const noise = () => random.pick(['', 'data: ', '\n\n', '~', '~1.2', '~~', '~1.2.3~', '~1.2.3.4.', '~a.b~', 'é'])
    const text = markers.map(marker => `${noise()} ${formatMarker(marker, random.below(100))}`).join('') + noise()
    const bytes = Buffer.from(text)
    const found: object[] = []
    const scanner = new MarkerScanner()
    for (let at = 0; at < bytes.length; ) {
      const to = Math.min(bytes.length, at + 1 + random.below(30))
      // What lies outside is another stream's.
      const around = Buffer.concat([Buffer.from('~9.9'), bytes.subarray(at, to), Buffer.from('9.9~~9.9.9.9~')])
      scanner.scan(around, 4, 4 + to - at, (run, publisher, number, micros) =>
        found.push({ run, publisher, number, micros }),
      )
      at = to
    }
    assert.deepEqual(found, markers, text)
  }
})

test('a marker is filled up to the size, and needs no encoding in a form', () => {
  const marker = formatMarker({ run: 1, publisher: 2, number: 3, micros: 4.4 }, 100)
  assert.equal(marker, `~1.2.3.4~${'x'.repeat(91)}`)
  assert.equal(new URLSearchParams(`data=${marker}`).get('data'), marker)
  assert.equal(formatMarker({ run: 1, publisher: 2, number: 3, micros: 4 }, 0), '~1.2.3.4~')
})
