import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createTraceState } from '@opentelemetry/api'
import { readTraceContext } from '../../src/tracing/trace-context.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'

const read = (traceparent: string[], tracestate: string[] = []) =>
  readTraceContext({ traceparent, tracestate }, createTraceState)

suite('traceparent and tracestate', () => {
  for (const [name, header, traceFlags] of [
    ['sampled', `00-${traceId}-${spanId}-01`, 1],
    ['not sampled', `00-${traceId}-${spanId}-00`, 0],
    ['with flags that nobody knows yet', `00-${traceId}-${spanId}-ff`, 1],
    ['of a later version, with more behind it', `cc-${traceId}-${spanId}-01-what-the-future-holds`, 1],
    ['with white space around it', ` 00-${traceId}-${spanId}-01\t`, 1],
  ] as const) {
    test(`are read: ${name}`, () => assert.deepEqual(read([header]), { traceId, spanId, traceFlags, isRemote: true }))
  }

  for (const [name, ...headers] of [
    ['there is none'],
    ['there are two', `00-${traceId}-${spanId}-01`, `00-${traceId}-${spanId}-01`],
    ['it is empty', ''],
    ['its version is none', `ff-${traceId}-${spanId}-01`],
    ['it has more than its version', `00-${traceId}-${spanId}-01-x`],
    ['it is in capitals', `00-${traceId.toUpperCase()}-${spanId}-01`],
    ['its trace is none', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['its span is none', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['it is too short', `00-${traceId}-${spanId.slice(1)}-01`],
    ['it is something else', 'x'.repeat(100_000)],
  ] as const) {
    test(`begin nothing where ${name}`, () => assert.equal(read([...headers]), undefined))
  }

  test('tracestate is one list, however many headers it comes in', () => {
    const context = read([`00-${traceId}-${spanId}-01`], ['a=1', 'b=2'])
    assert.equal(context?.traceState?.serialize(), 'a=1,b=2')
  })
})
