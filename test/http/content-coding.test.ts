import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { Compressor } from '../../src/http/compressor.ts'
import { createCoding } from '../../src/http/content-coding.ts'
import { Batch } from '../../src/hub/batch.ts'

const decode = { gzip: gunzipSync, zstd: zstdDecompressSync, br: brotliDecompressSync }
const batchOf = (text: string) => new Batch(Buffer.from(text))
/** Longer than what is compressed in the event loop. */
const long = () => batchOf(`data: ${'long '.repeat(50_000)}\n\n`)

suite('a batch is compressed once for all streams', () => {
  for (const name of ['gzip', 'zstd'] as const) {
    for (const [size, batch] of [
      ['short', batchOf('data: short\n\n')],
      ['long', long()],
    ] as const) {
      test(`${name}, ${size}`, async () => {
        const [first, second] = [createCoding(name), createCoding(name)]
        for (const coding of [first, second]) await coding.encode(batchOf(':\n'))
        const [a, b] = [first.encode(batch), second.encode(batch)]
        assert.equal(a, b)
        assert.equal(a instanceof Promise, size === 'long', 'the long one leaves the event loop to others')
        assert.equal(await first.encode(batch), await a)
      })
    }
  }

  test('the beginning of gzip too', () => {
    const beginning = batchOf(':\nretry: 3000\n')
    assert.equal(createCoding('gzip').encode(beginning), createCoding('gzip').encode(beginning))
  })
})

for (const name of ['gzip', 'zstd', 'br'] as const) {
  test(`${name}: batches of all sizes come out in order, and the end after them`, async () => {
    const parts: Uint8Array[] = []
    const compressor = new Compressor(
      name,
      ({ bytes }) => parts.push(bytes),
      error => assert.fail(String(error)),
    )
    let text = ''
    const write = (batch: Batch) => {
      text += Buffer.from(batch.bytes)
      compressor.write(batch)
    }
    write(batchOf(':\n'))
    write(long())
    for (let i = 0; i < 20; i++) write(batchOf(`data: ${i}\n\n`))
    write(long())
    assert.ok(compressor.waitingBytes >= 500_000)
    write(batchOf('data: last\n\n'))
    compressor.finish()
    await new Promise<void>(resolve => compressor.whenPut(resolve))
    assert.equal(compressor.waitingBytes, 0)
    assert.equal(decode[name](Buffer.concat(parts)).toString() === text, true)
    compressor.close()
    compressor.close()
  })
}
