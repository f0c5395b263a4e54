import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type ErrorCode, HubError } from '../../src/errors.ts'
import { encodeEvent } from '../../src/protocol/event-stream.ts'
import type { Generation } from '../../src/protocol/generation.ts'
import { checkAddress, createUpdate, type Update, type UpdateFields } from '../../src/protocol/update.ts'
import { anyText } from '../support/text.ts'

const generations = ['0.x', '1.0'] as const

/** Fields as a request with nothing but a topic gives them. */
const fieldsOf = (fields: Partial<UpdateFields>): UpdateFields => ({
  topics: ['https://example.com/a'],
  data: '',
  id: '',
  type: '',
  retry: '',
  private: false,
  notUtf8: new Set(),
  ...fields,
})

/** Both halves of the checks, as a publish request passes them when its token grants every topic. */
function check(fields: Partial<UpdateFields>, generation: Generation): Update {
  const whole = fieldsOf(fields)
  checkAddress(whole, generation)
  return createUpdate(whole, generation, () => 'an id of the hub')
}

/** The code of the refusal; `undefined`: there was none. */
function refusalOf(action: () => unknown, generation: Generation): ErrorCode | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    assert.ok(error instanceof HubError, `${error}`)
    assert.equal(error.generation, generation)
    return error.code
  }
}

suite('an update', () => {
  test('has what the fields say', () => {
    const fields = { topics: ['a', 'b'], data: 'd', id: 'i', type: 't', retry: '5', private: true }
    for (const generation of generations) assert.deepEqual(check(fields, generation), { ...fields, retry: 5 })
  })

  test('has an id of its own where the publisher gave none', () => {
    for (const generation of generations) {
      const { id, ...rest } = check({}, generation)
      assert.equal(id, 'an id of the hub')
      assert.deepEqual(rest, { topics: ['https://example.com/a'], data: '', type: '', retry: 0, private: false })
    }
  })
})

suite('what each generation refuses', () => {
  type Verdict = ErrorCode | 'accepted'
  const rows: readonly (readonly [name: string, Partial<UpdateFields>, old: Verdict, current: Verdict])[] = [
    ['no topic', { topics: [] }, 'topic_missing', 'topic_missing'],
    ['1,000 topics', { topics: Array(1000).fill('a') }, 'accepted', 'accepted'],
    ['1,001 topics', { topics: Array(1001).fill('a') }, 'topics_too_many', 'topics_too_many'],
    ['a control character in a topic', { topics: ['a', 'b\x01'] }, 'accepted', 'topic_invalid'],
    ['DEL in a topic', { topics: ['a\x7f'] }, 'accepted', 'topic_invalid'],
    ['a C1 control character in a topic', { topics: ['a\x85'] }, 'accepted', 'topic_invalid'],
    ['a zero width character in a topic', { topics: ['a\u200b'] }, 'accepted', 'topic_invalid'],
    ['a topic that is not UTF-8', { topics: ['a\ufffd'], notUtf8: new Set(['topic']) }, 'accepted', 'topic_invalid'],
    ['the empty topic', { topics: [''] }, 'accepted', 'topic_reserved'],
    ['the topic *', { topics: ['*'] }, 'accepted', 'topic_wildcard'],
    ['* among alternates', { topics: ['a', '*'] }, 'accepted', 'topic_wildcard'],
    ['a topic that has * in it', { topics: ['a*'] }, 'accepted', 'accepted'],
    ['the hub as topic', { topics: ['/.well-known/mercure'] }, 'topic_reserved', 'topic_reserved'],
    ['the hub among alternates', { topics: ['a', '/.well-known/mercure/x'] }, 'topic_reserved', 'topic_reserved'],
    ['a neighbour of the hub', { topics: ['/.well-known/mercure-x'] }, 'topic_reserved', 'accepted'],
    ['a name that resolves to the hub', { topics: ['mercure'] }, 'accepted', 'topic_reserved'],
    ['CR in an id', { id: 'a\rb' }, 'id_invalid', 'id_invalid'],
    ['LF in an id', { id: 'a\nb' }, 'id_invalid', 'id_invalid'],
    ['NUL in an id', { id: '\0' }, 'id_invalid', 'id_invalid'],
    ['a tab in an id', { id: 'a\tb' }, 'id_invalid', 'id_invalid'],
    ['a control character in an id', { id: 'a\x01b' }, 'id_invalid', 'id_invalid'],
    ['DEL in an id', { id: 'a\x7fb' }, 'id_invalid', 'id_invalid'],
    ['a space before an id', { id: ' a' }, 'id_invalid', 'id_invalid'],
    ['a space after an id', { id: 'a ' }, 'id_invalid', 'id_invalid'],
    ['a space as id', { id: ' ' }, 'id_invalid', 'id_invalid'],
    ['a space in an id', { id: 'a b' }, 'accepted', 'accepted'],
    ['an id of 1,024 bytes', { id: 'é'.repeat(512) }, 'accepted', 'accepted'],
    ['an id of 1,025 bytes', { id: `${'é'.repeat(512)}a` }, 'id_invalid', 'id_invalid'],
    ['an id of a megabyte', { id: 'a'.repeat(1 << 20) }, 'id_invalid', 'id_invalid'],
    ['a bidirectional override in an id', { id: '\u202e' }, 'accepted', 'id_invalid'],
    ['a line separator in an id', { id: 'a\u2028b' }, 'accepted', 'accepted'],
    ['an id that is not UTF-8', { id: '\ufffd', notUtf8: new Set(['id']) }, 'accepted', 'id_invalid'],
    ['an id that starts with #', { id: '#a' }, 'accepted', 'id_invalid'],
    ['an id that has # in it', { id: 'a#' }, 'accepted', 'accepted'],
    ['the id earliest', { id: 'earliest' }, 'accepted', 'id_invalid'],
    ['the id Earliest', { id: 'Earliest' }, 'accepted', 'accepted'],
    ['CR in a type', { type: 'a\rb' }, 'type_invalid', 'type_invalid'],
    ['LF in a type', { type: 'a\nb' }, 'type_invalid', 'type_invalid'],
    ['NUL in a type', { type: '\0' }, 'type_invalid', 'type_invalid'],
    ['a tab in a type', { type: 'a\tb' }, 'accepted', 'type_invalid'],
    ['a type that is not UTF-8', { type: '\ufffd', notUtf8: new Set(['type']) }, 'accepted', 'type_invalid'],
    ['the type mercure', { type: 'mercure' }, 'accepted', 'type_invalid'],
    ['the type Mercure', { type: 'Mercure' }, 'accepted', 'accepted'],
    ['the type #a', { type: '#a' }, 'accepted', 'accepted'],
    ['data that is not UTF-8', { data: '\ufffd', notUtf8: new Set(['data']) }, 'accepted', 'data_invalid'],
    ['a replacement character that was sent as one', { data: '\ufffd' }, 'accepted', 'accepted'],
    ['every control character in data', { data: '\0\x01\r\n\x7f\x85\u200b' }, 'accepted', 'accepted'],
    ['bytes of an unknown field that are not UTF-8', { notUtf8: new Set(['other']) }, 'accepted', 'accepted'],
  ]
  for (const [name, fields, old, current] of rows) {
    test(`${name}: ${old} in 0.x, ${current} in 1.0`, () => {
      assert.equal(refusalOf(() => check(fields, '0.x'), '0.x') ?? 'accepted', old)
      assert.equal(refusalOf(() => check(fields, '1.0'), '1.0') ?? 'accepted', current)
    })
  }
})

suite('retry', () => {
  const accepted = { '': 0, '0': 0, '00': 0, '1': 1, '007': 7, '3000': 3000, '9007199254740991': 2 ** 53 - 1 }
  const refused = [
    ...['-1', '+1', '-0', '1.0', '1e3', '0x10', '1_000', '1,000', ' 1', '1 ', '1\n', 'a', 'NaN', 'Infinity', '٣'],
    ...['9007199254740992', '18446744073709551616', '9'.repeat(1000)],
  ]
  for (const generation of generations) {
    test(`is a whole number of milliseconds, generation ${generation}`, () => {
      for (const [text, retry] of Object.entries(accepted))
        assert.equal(check({ retry: text }, generation).retry, retry)
      for (const retry of refused)
        assert.equal(
          refusalOf(() => check({ retry }, generation), generation),
          'retry_invalid',
        )
    })
  }
})

suite('what is asked before the grant and what after it', () => {
  const wrong = fieldsOf({ topics: ['mercure', '*'], id: '#', type: 'mercure', notUtf8: new Set(['data']) })

  test('the address alone is checked before: topics as such, and retry', () => {
    assert.equal(
      refusalOf(() => checkAddress(wrong, '1.0'), '1.0'),
      undefined,
    )
    assert.equal(
      refusalOf(() => checkAddress({ ...wrong, retry: 'x' }, '1.0'), '1.0'),
      'retry_invalid',
    )
    assert.equal(
      refusalOf(() => checkAddress({ ...wrong, topics: ['\0'], retry: 'x' }, '1.0'), '1.0'),
      'topic_invalid',
    )
  })

  test('then the namespace, the wildcard, id, type and data, in this order', () => {
    const order: [Partial<UpdateFields>, ErrorCode][] = [
      [{}, 'topic_reserved'],
      [{ topics: ['*'] }, 'topic_wildcard'],
      [{ topics: ['a'] }, 'id_invalid'],
      [{ topics: ['a'], id: '' }, 'type_invalid'],
      [{ topics: ['a'], id: '', type: '' }, 'data_invalid'],
    ]
    for (const [fields, code] of order) {
      assert.equal(
        refusalOf(() => createUpdate({ ...wrong, ...fields }, '1.0', () => ''), '1.0'),
        code,
      )
    }
  })
})

test('whatever the fields hold, what is accepted cannot break out of its line of the stream', () => {
  const fields = fc.record({
    topics: fc.array(anyText, { minLength: 1, maxLength: 3 }),
    id: anyText,
    type: anyText,
    data: anyText,
  })
  fc.assert(
    fc.property(fields, fc.constantFrom(...generations), (fields, generation) => {
      let update: Update
      try {
        update = check(fields, generation)
      } catch (error) {
        assert.ok(error instanceof HubError)
        return
      }
      const lines = new TextDecoder().decode(encodeEvent(update)).split(/\r\n|\r|\n/)
      const names = lines.map(line => line.split(':', 1)[0])
      const data = fields.data.split(/\r\n|\r|\n/).map(() => 'data')
      assert.deepEqual(names, [...(fields.type === '' ? [] : ['event']), 'id', ...data, '', ''])
    }),
    { numRuns: 2000 },
  )
})
