import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ResponseReader } from '../../../src/cli/bench/response-reader.ts'
import { createRandom } from '../../support/random.ts'

interface Response {
  status: number
  body: string
  ended: boolean
}

/** Reads bytes cut into pieces of at most so many. */
function read(text: string, pieceLength: () => number): { responses: Response[]; isWithin: boolean } {
  const responses: Response[] = []
  const reader = new ResponseReader({
    head: status => responses.push({ status, body: '', ended: false }),
    body: (bytes, from, to) => {
      responses.at(-1)!.body += bytes.toString('latin1', from, to)
    },
    end: () => {
      responses.at(-1)!.ended = true
    },
  })
  const bytes = Buffer.from(text, 'latin1')
  const shared = Buffer.alloc(bytes.length)
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(pieceLength(), bytes.length - at)
    bytes.copy(shared, 0, at, at + length)
    reader.read(shared, length)
    at += length
  }
  return { responses, isWithin: reader.isWithin }
}

const sized = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const chunked = (...chunks: string[]) =>
  `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks.map(c => `${c.length.toString(16)}\r\n${c}\r\n`).join('')}`

test('answers are the same however they are cut', () => {
  const random = createRandom(1)
  const text = [
    sized('one'),
    'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n',
    `${chunked('data: a\n\n', 'x'.repeat(300))}A;extension=1f\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n`,
    'HTTP/1.1 204 No Content\r\n\r\n',
    `HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno`,
    sized(''),
    `${chunked()}0\r\n\r\n`,
  ].join('')
  const expected = ['one', `data: a\n\n${'x'.repeat(300)}0123456789`, '', 'no', '', ''].map((body, index) => ({
    status: [200, 200, 204, 401, 200, 200][index],
    body,
    ended: true,
  }))
  for (let round = 0; round < 300; round++) {
    const most = 1 + random.below(40)
    assert.deepEqual(
      read(text, () => 1 + random.below(most)),
      { responses: expected, isWithin: false },
    )
  }
  assert.deepEqual(
    read(text, () => text.length),
    { responses: expected, isWithin: false },
  )
})

test('a stream that goes on, and a body without a length, have no end', () => {
  for (const text of [chunked('data: a\n\n'), 'HTTP/1.1 200 OK\r\n\r\ndata: a\n\n']) {
    const { responses, isWithin } = read(text, () => 7)
    assert.deepEqual([responses, isWithin], [[{ status: 200, body: 'data: a\n\n', ended: false }], true])
  }
})

test('what is not HTTP/1.1 is refused', () => {
  for (const text of ['SSH-2.0-OpenSSH\r\n\r\n', `${chunked()}xyz\r\n`, `HTTP/1.1 200 OK\r\n${'x'.repeat(70_000)}`]) {
    assert.throws(() => read(text, () => 1000), /not HTTP\/1\.1|has no size|has no end/)
  }
})
