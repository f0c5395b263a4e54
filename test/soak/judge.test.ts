import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judge, judgeLog } from './judge.ts'
import { Ledger } from './ledger.ts'
import { LogOrder } from './log-order.ts'
import { Publications } from './publications.ts'
import { matches, type Selection, type Serial } from './selection.ts'

const everything: Selection = { publishers: undefined, isAuthorized: true }

/** `1:2` for each. */
const parse = (text: string): Serial[] =>
  text
    .split(' ')
    .filter(word => word !== '')
    .map(word => {
      const [publisher = 0, number = 0] = word.split(':').map(Number)
      return { publisher, number }
    })

const log = '0:0 1:0 0:1 1:1 0:2 0:3 1:2 1:3 0:4 1:4'

function orderOf(text: string): LogOrder {
  const order = new LogOrder()
  for (const update of parse(text)) order.append(update)
  return order
}

function faultsOf(
  received: string,
  { selection = everything, after, toEnd = false }: { selection?: Selection; after?: string; toEnd?: boolean } = {},
): string[] {
  const ledger = new Ledger('reader', selection, after === undefined ? undefined : parse(after)[0])
  for (const update of parse(received)) ledger.enter(update)
  return judge(ledger, orderOf(log), { toEnd }).map(
    ({ kind, update, index }) => `${kind} ${update.publisher}:${update.number} at ${index}`,
  )
}

describe('a reader', () => {
  test('who received all, from its first to its last', () => {
    assert.deepEqual(faultsOf(log, { toEnd: true }), [])
    assert.deepEqual(faultsOf('0:1 1:1 0:2'), [])
    assert.deepEqual(faultsOf(''), [])
  })

  test('of some, and of public updates alone, needs no others', () => {
    const ofOne = { publishers: new Set([1]), isAuthorized: false }
    const matching = parse(log).filter(update => matches(ofOne, update))
    assert.deepEqual(matching, parse('1:0 1:1 1:2 1:4'))
    assert.deepEqual(faultsOf('1:0 1:1 1:2 1:4', { selection: ofOne, toEnd: true }), [])
  })

  test('from whom one is kept', () => {
    assert.deepEqual(faultsOf('0:1 1:1 0:3 1:2'), ['lost 0:2 at 2'])
    // Nobody else of its publisher is missed, and no publisher's turn is broken.
    assert.deepEqual(faultsOf('0:0 0:1 0:2 0:3 0:4 1:4'), [
      ...['lost 1:0 at 1', 'lost 1:1 at 2', 'lost 1:2 at 4', 'lost 1:3 at 4'],
    ])
  })

  test('from whom the first after its cursor is kept, or the last, or all', () => {
    assert.deepEqual(faultsOf('1:1 0:2', { after: '1:0' }), ['lost 0:1 at 0'])
    assert.deepEqual(faultsOf('1:2 1:3', { after: '0:3', toEnd: true }), ['lost 0:4 at 2', 'lost 1:4 at 2'])
    assert.deepEqual(faultsOf('', { after: '1:3', toEnd: true }), ['lost 0:4 at 0', 'lost 1:4 at 0'])
  })

  test('who received one twice', () => {
    assert.deepEqual(faultsOf('0:1 1:1 0:1 0:2'), ['repeated 0:1 at 2'])
    assert.deepEqual(faultsOf('0:1 1:1 0:1 0:1'), ['repeated 0:1 at 2', 'repeated 0:1 at 3'])
  })

  test('who received what is before its cursor, or the cursor itself', () => {
    assert.deepEqual(faultsOf('1:0 0:1', { after: '1:0' }), ['repeated 1:0 at 0'])
    assert.deepEqual(faultsOf('0:1 0:0', { after: '1:0' }), ['repeated 0:0 at 1'])
  })

  test('who received in another order than that of the log, though each publisher is in its own', () => {
    assert.deepEqual(faultsOf('0:0 0:1 1:0 1:1'), ['reordered 1:0 at 2'])
    assert.deepEqual(faultsOf('0:1 0:0'), ['reordered 0:0 at 1'])
  })

  test('who received what the log does not have', () => {
    assert.deepEqual(faultsOf('0:0 1:0 5:5 0:1'), ['lost 5:5 at 2'])
  })
})

describe('a log', () => {
  const publications = new Publications()
  for (const [index, fate] of (['stored', 'stored', 'unknown', 'stored'] as const).entries()) {
    publications.settle({ publisher: 0, number: publications.begin(0, index) }, fate)
  }
  const faultsOfLog = (text: string) =>
    judgeLog(orderOf(text), publications).map(({ kind, update }) => `${kind} ${update.publisher}:${update.number}`)

  test('has what was answered 200, and what is unknown or not, anywhere', () => {
    assert.deepEqual(faultsOfLog('0:0 0:1 0:3'), [])
    assert.deepEqual(faultsOfLog('0:0 0:1 0:3 0:2'), [])
  })

  test('that has lost one, has one twice, or in another order', () => {
    assert.deepEqual(faultsOfLog('0:0 0:3'), ['lost 0:1'])
    assert.deepEqual(faultsOfLog('0:0 0:1 0:2 0:2 0:3'), ['repeated 0:2'])
    assert.deepEqual(faultsOfLog('0:1 0:0 0:3'), ['reordered 0:1'])
  })
})
