import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32c, createRecordsBatch, Reader, readRecordsBatch } from '@platformatic/kafka'
import fc from 'fast-check'
import { decodeUpdate, encodeAfter, encodeUpdate } from '../../../transports/kafka/entry.ts'
import { decodeBatches, encodeBatch, encodeRecord, sizeOf } from '../../../transports/kafka/records.ts'
import { createTestUpdate } from '../../support/node.ts'

const incompressible = (): never => assert.fail('nothing is compressed here')
const timeMs = 1_700_000_000_123

describe('batches of records', () => {
  const header = fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }))
  const record = fc.record({ value: fc.uint8Array({ maxLength: 300 }), headers: fc.array(header, { maxLength: 5 }) })
  const records = fc.array(record, { minLength: 1, maxLength: 200 })

  test('the client library reads what is written here', () => {
    fc.assert(
      fc.property(records, written => {
        const batch = encodeBatch(
          written.map(({ value, headers }) => encodeRecord(value, headers)),
          timeMs,
          crc32c,
        )
        const read = readRecordsBatch(Reader.from(batch))
        assert.equal(read.length, batch.length - 12)
        assert.equal(read.crc, crc32c(batch.subarray(21)))
        assert.equal(read.firstTimestamp, BigInt(timeMs))
        assert.equal(read.lastOffsetDelta, written.length - 1)
        assert.deepEqual(
          read.records.map(({ offsetDelta, key, value, headers }) => [
            ...[offsetDelta, key, value!.toString('hex')],
            (headers as unknown as [Buffer, Buffer][]).map(([name, text]) => [String(name), String(text)]),
          ]),
          written.map(({ value, headers }, i) => [i, null, Buffer.from(value).toString('hex'), headers]),
        )
      }),
      { numRuns: 50 },
    )
  })

  test('what the client library writes is read here, from any offset in it', () => {
    fc.assert(
      fc.property(records, fc.nat(), fc.array(fc.integer({ min: -5000, max: 5000 })), (written, from, delays) => {
        const messages = written.map(({ value, headers }, i) => ({
          ...{ topic: 't', partition: 0, key: i % 2 === 0 ? undefined : Buffer.from('k'), value: Buffer.from(value) },
          headers: new Map(headers.map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
          timestamp: BigInt(timeMs + (delays[i] ?? 0)),
        }))
        const batch = Buffer.from(createRecordsBatch(messages as never).buffer)
        batch.writeBigInt64BE(1000n, 0)
        const start = 1000 + (from % (written.length + 1))
        const { records: read, end } = decodeBatches(batch, start, incompressible)
        assert.equal(end, start > 1000 + written.length - 1 ? start : 1000 + written.length)
        assert.deepEqual(
          read.map(one => [one.offset, one.timeMs, one.value?.toString('hex'), one.headers.map(String)]),
          written
            .map(({ value, headers }, i) => [
              ...[1000 + i, timeMs + (delays[i] ?? 0), Buffer.from(value).toString('hex')],
              headers.map(String),
            ])
            .slice(start - 1000),
        )
      }),
      { numRuns: 50 },
    )
  })

  test('a batch that is cut off is left for the next time, at whatever byte', () => {
    const batch = encodeBatch([encodeRecord(Buffer.from('a'), [['id', '1']])], timeMs, crc32c)
    const second = Buffer.from(batch)
    second.writeBigInt64BE(1n, 0)
    for (let cut = 0; cut < second.length; cut++) {
      const { records: read, end } = decodeBatches(Buffer.concat([batch, second.subarray(0, cut)]), 0, incompressible)
      assert.deepEqual([read.length, end], [1, 1])
    }
  })

  test('what marks the end of transactions is passed over, and its place with it', () => {
    const batch = encodeBatch([encodeRecord(Buffer.from('a'), [])], timeMs, crc32c)
    batch.writeInt16BE(0b10_0000, 21)
    assert.deepEqual(decodeBatches(batch, 0, incompressible), { records: [], end: 1 })
  })

  test('the time at which a broker stored it, where the topic is told so', () => {
    const batch = encodeBatch([encodeRecord(Buffer.from('a'), [])], timeMs, crc32c)
    batch.writeInt16BE(0b1000, 21)
    batch.writeBigInt64BE(BigInt(timeMs + 777), 35)
    assert.equal(decodeBatches(batch, 0, incompressible).records[0]!.timeMs, timeMs + 777)
  })
})

describe('an update as a record', () => {
  const updates = [
    createTestUpdate({ id: 'a' }),
    createTestUpdate({ id: 'ünï', topics: ['https://example.com/a', 'b', 'b'], data: 'línea\0\n🎉', type: 'tÿpe' }),
    createTestUpdate({ id: '', data: '', retry: 1234, private: true }),
    createTestUpdate({ id: 'large', data: 'x'.repeat(3_000_000) }),
  ]

  test('comes back as it was, and takes no more room than was said', () => {
    const encoded = updates.map(encodeUpdate)
    const batch = encodeBatch(encoded, timeMs, crc32c)
    assert.ok(batch.length <= 61 + encoded.reduce((sum, record) => sum + sizeOf(record), 0))
    const decoded = decodeBatches(batch, 0, incompressible).records.map(decodeUpdate)
    assert.deepEqual(
      decoded,
      updates.map((update, offset) => ({ offset, timeMs, after: undefined, update })),
    )
  })

  test('tells what messages were sent before it', () => {
    const batch = encodeBatch([encodeAfter(encodeUpdate(updates[0]!), 4_294_967_296)], timeMs, crc32c)
    const [record] = decodeBatches(batch, 0, incompressible).records
    assert.equal(decodeUpdate(record!)?.after, 4_294_967_296)
    assert.deepEqual(decodeUpdate(record!)?.update, updates[0])
  })

  test('a record of others is none', () => {
    const batch = encodeBatch([encodeRecord(Buffer.from('a'), [['id', 'a']])], timeMs, crc32c)
    assert.equal(decodeUpdate(decodeBatches(batch, 0, incompressible).records[0]!), undefined)
  })
})
