import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFrame, FrameReader, opcodes } from '../../../transports/pulsar/frames.ts'
import { createRandom } from '../../support/random.ts'

/** As a server sends them: without a mask. RFC 6455, section 5.2. */
function frame(opcode: number, payload: Buffer, isFinal = true): Buffer {
  const { length } = payload
  const first = (isFinal ? 0x80 : 0) | opcode
  if (length < 126) return Buffer.concat([Buffer.from([first, length]), payload])
  const head = Buffer.alloc(length < 65_536 ? 4 : 10)
  head[0] = first
  if (length < 65_536) {
    head[1] = 126
    head.writeUInt16BE(length, 2)
  } else {
    head[1] = 127
    head.writeBigUInt64BE(BigInt(length), 2)
  }
  return Buffer.concat([head, payload])
}

test('frames are what they are, however the network cuts them', () => {
  const random = createRandom(3)
  const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]
  const payloads = sizes.map(size => Buffer.from(Array.from({ length: size }, () => random.below(256))))
  const bytes = Buffer.concat(
    payloads.map((payload, i) => frame(i % 2 ? opcodes.text : opcodes.ping, payload, i % 3 > 0)),
  )
  for (let round = 0; round < 30; round++) {
    const reader = new FrameReader(1 << 20)
    const frames = []
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + random.below(random.next() < 0.5 ? 10 : 100_000)
      frames.push(...reader.push(bytes.subarray(at, at + length)))
      at += length
    }
    assert.equal(frames.length, payloads.length)
    for (const [i, { opcode, isFinal, payload }] of frames.entries()) {
      assert.deepEqual([opcode, isFinal], [i % 2 ? opcodes.text : opcodes.ping, i % 3 > 0])
      assert.ok(payload.equals(payloads[i]!))
    }
  }
})

test('what a client sends is masked, each time in another way', () => {
  for (const size of [0, 5, 125, 126, 65_535, 65_536]) {
    const payload = Buffer.alloc(size, 'mercure')
    const sent = encodeFrame(opcodes.text, payload)
    const start = sent.length - size
    const mask = sent.subarray(start - 4, start)
    assert.equal(sent[1]! & 0x80, 0x80)
    assert.ok(payload.equals(sent.subarray(start).map((byte, i) => byte ^ mask[i % 4]!)))
  }
  const frames = new Set(Array.from({ length: 3000 }, () => encodeFrame(opcodes.ping, Buffer.alloc(0)).toString('hex')))
  assert.ok(frames.size > 2900)
})

test('what is not the protocol, or too large, is refused', () => {
  const reader = () => new FrameReader(1000)
  assert.throws(() => reader().push(frame(opcodes.text, Buffer.alloc(1001)).subarray(0, 4)), RangeError)
  assert.throws(() => reader().push(encodeFrame(opcodes.text, Buffer.from('masked'))), RangeError)
  assert.throws(() => reader().push(Buffer.from([0xc1, 0])), RangeError)
})
