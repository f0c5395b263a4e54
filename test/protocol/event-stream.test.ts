import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import fc from 'fast-check'
import { comment, defaultRetryMs, encodeEvent, opening } from '../../src/protocol/event-stream.ts'
import type { Update } from '../../src/protocol/update.ts'
import { anyText } from '../support/text.ts'

const update = (fields: Partial<Update>): Update => ({
  id: 'i',
  topics: ['a'],
  data: '',
  type: '',
  retry: 0,
  private: false,
  ...fields,
})
const textOf = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)

suite('the bytes of an event', () => {
  const rows: readonly (readonly [name: string, Partial<Update>, expected: string])[] = [
    ['no data: one empty data line', {}, 'id: i\ndata: \n\n'],
    ['data on one line', { data: 'x' }, 'id: i\ndata: x\n\n'],
    [
      'every field, in the order of the specification',
      { type: 'type', retry: 5, id: 'custom-id', data: 'several\nlines\rwith\r\neol' },
      'event: type\nretry: 5\nid: custom-id\ndata: several\ndata: lines\ndata: with\ndata: eol\n\n',
    ],
    ['a type without retry', { type: 't', data: 'x' }, 'event: t\nid: i\ndata: x\n\n'],
    ['retry without a type', { retry: 1, data: 'x' }, 'retry: 1\nid: i\ndata: x\n\n'],
    ['line breaks alone', { data: '\n\r\r\n' }, 'id: i\ndata: \ndata: \ndata: \ndata: \n\n'],
    ['a line break at each end', { data: '\nx\n' }, 'id: i\ndata: \ndata: x\ndata: \n\n'],
    ['LF and CR are two line breaks', { data: 'a\n\rb' }, 'id: i\ndata: a\ndata: \ndata: b\n\n'],
    ['data that looks like fields', { data: 'id: x\n: y\nevent' }, 'id: i\ndata: id: x\ndata: : y\ndata: event\n\n'],
    ['spaces are kept', { data: '  x ', id: ' y ', type: ' z ' }, 'event:  z \nid:  y \ndata:   x \n\n'],
    [
      'line separators that are none of an event stream',
      { data: 'a\u2028b\u2029c\x85d\x0be' },
      'id: i\ndata: a\u2028b\u2029c\x85d\x0be\n\n',
    ],
    ['NUL and a byte order mark in data', { data: '\ufeff\0' }, 'id: i\ndata: \ufeff\0\n\n'],
    ['a large retry is written out', { retry: 2 ** 53 - 1 }, 'retry: 9007199254740991\nid: i\ndata: \n\n'],
    ['privacy and topics leave no trace', { private: true, topics: ['a', 'b'] }, 'id: i\ndata: \n\n'],
  ]
  for (const [name, fields, expected] of rows)
    test(name, () => assert.equal(textOf(encodeEvent(update(fields))), expected))

  test('are UTF-8', () => {
    const bytes = encodeEvent(update({ id: 'é', data: '😀\ud800' }))
    assert.deepEqual(Buffer.from(bytes), Buffer.from('id: \xc3\xa9\ndata: \xf0\x9f\x98\x80\xef\xbf\xbd\n\n', 'latin1'))
  })

  test('a heartbeat is a colon and a line end', () => assert.equal(textOf(comment), ':\n'))

  test('a stream begins with a comment and the reconnection time', () => {
    assert.equal(textOf(opening), `:\nretry: ${defaultRetryMs}\n`)
  })
})

suite('round trip through a parser of event streams', () => {
  /** What both generations keep out of an id and a type, and an id is never empty: the hub gives one. */
  const line = anyText.map(text => text.replace(/[\r\n\0]/g, ''))
  const anyUpdate = fc
    .record({ id: line, type: line, data: anyText, retry: fc.oneof(fc.constant(0), fc.nat()) })
    .map(fields => update({ ...fields, id: fields.id === '' ? '0' : fields.id }))

  /** As the specification has it: bytes that are no UTF-8 are U+FFFD, and a line ends in LF. */
  const expected = ({ id, type, data }: Update): EventSourceMessage => ({
    id: id.toWellFormed(),
    event: type === '' ? undefined : type.toWellFormed(),
    data: data.toWellFormed().replace(/\r\n|\r/g, '\n'),
  })

  function parse(chunks: Iterable<Uint8Array>): { events: EventSourceMessage[]; retries: number[] } {
    const events: EventSourceMessage[] = []
    const retries: number[] = []
    const onError = (error: Error) => assert.fail(error)
    const parser = createParser({ onEvent: event => events.push(event), onRetry: ms => retries.push(ms), onError })
    const decoder = new TextDecoder()
    for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }))
    parser.feed(decoder.decode())
    return { events, retries }
  }

  test('every update comes out as it went in, between heartbeats, wherever the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyUpdate, { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        (updates, sizes) => {
          const stream = Buffer.concat([opening, ...updates.flatMap(one => [encodeEvent(one), comment])])
          const { events, retries } = parse(cut(stream, sizes))
          assert.deepEqual(events, updates.map(expected))
          assert.deepEqual(retries, [defaultRetryMs, ...updates.map(({ retry }) => retry).filter(retry => retry !== 0)])
        },
      ),
      { numRuns: 1000 },
    )
  })

  function* cut(bytes: Uint8Array, sizes: Iterator<number>): Generator<Uint8Array> {
    let from = 0
    while (from < bytes.length) {
      const size: number = sizes.next().value ?? 1
      yield bytes.subarray(from, from + size)
      from += size
    }
  }
})
