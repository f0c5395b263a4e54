import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { HubError } from '../../src/errors.ts'
import { Form } from '../../src/http/form.ts'
import { anyText } from '../support/text.ts'

const parse = (text: string): Form => new Form().append(text, 'body')
/** All pairs, as their names and the values of each. */
const pairsOf = (form: Form): Record<string, string[]> =>
  Object.fromEntries([...form.names()].map(name => [name, form.getAll(name)]))

suite('a form', () => {
  const rows: readonly (readonly [name: string, text: string, pairs: Record<string, string[]>])[] = [
    ['nothing', '', {}],
    ['a pair', 'a=b', { a: ['b'] }],
    ['a repeated name keeps its values in order', 'a=2&b=x&a=1', { a: ['2', '1'], b: ['x'] }],
    ['a name alone has an empty value', 'a', { a: [''] }],
    ['a name with nothing after its equals sign', 'a=', { a: [''] }],
    ['a value alone has an empty name', '=a', { '': ['a'] }],
    ['an equals sign alone', '=', { '': [''] }],
    ['only the first equals sign separates', 'a=b=c', { a: ['b=c'] }],
    ['empty pairs are passed over', '&&a=b&&', { a: ['b'] }],
    ['a semicolon separates nothing', 'a=b;c=d', { a: ['b;c=d'] }],
    ['a plus is a space', '+a+=+b+', { ' a ': [' b '] }],
    ['an escaped plus is a plus', 'a%2Bb=%2B', { 'a+b': ['+'] }],
    ['an escaped separator separates nothing', 'a%26b=c%3Dd', { 'a&b': ['c=d'] }],
    ['an escape is decoded once', 'a=%2541', { a: ['%41'] }],
    ['digits of an escape may be in either case', 'a=%c3%A9', { a: ['é'] }],
    ['characters beyond the basic plane', 'a=%F0%9F%98%80😀', { a: ['😀😀'] }],
    ['a byte order mark is kept', '%EF%BB%BFa=%EF%BB%BFb', { '\ufeffa': ['\ufeffb'] }],
    ['control characters are kept', 'a=%00%0D%0A%7F', { a: ['\0\r\n\x7f'] }],
    ['names differ by case', 'a=1&A=2', { a: ['1'], A: ['2'] }],
  ]
  for (const [name, text, pairs] of rows) {
    test(name, () => {
      const form = parse(text)
      assert.deepEqual(pairsOf(form), pairs)
      assert.deepEqual([...form.notUtf8], [])
      for (const [name, values] of Object.entries(pairs))
        assert.deepEqual([form.has(name), form.get(name)], [true, values[0]])
    })
  }

  test('names of the language are names like any other', () => {
    const form = parse('__proto__=a&constructor=b')
    assert.deepEqual([form.get('__proto__'), form.get('constructor')], ['a', 'b'])
    assert.deepEqual([form.has('toString'), form.get('toString'), form.getAll('toString')], [false, undefined, []])
  })

  test('what is appended comes after what was there', () => {
    const form = parse('a=1&b=2').append('a=3&c=4', 'body')
    assert.deepEqual(pairsOf(form), { a: ['1', '3'], b: ['2'], c: ['4'] })
    assert.equal(form.get('a'), '1')
  })

  test('agrees with the URL Standard on whatever is encoded as it should be', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyText, anyText), { maxLength: 8 }), pairs => {
        const standard = new URLSearchParams(pairs)
        const form = parse(standard.toString())
        for (const name of standard.keys()) assert.deepEqual(form.getAll(name), standard.getAll(name))
        assert.deepEqual(form.names(), new Set(standard.keys()))
        assert.deepEqual([...form.notUtf8], [])
      }),
    )
  })
})

suite('bytes that are not UTF-8', () => {
  const anyBytes = fc.uint8Array({ maxLength: 20 })
  const percentEncode = (bytes: Uint8Array): string =>
    [...bytes].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('')

  test('are told by the name of their field and become replacement characters', () => {
    const form = parse('a=1%FF2&b=fine&c=%ED%A0%80&d%FF=x')
    assert.deepEqual(pairsOf(form), { a: ['1\ufffd2'], b: ['fine'], c: ['\ufffd\ufffd\ufffd'], 'd\ufffd': ['x'] })
    assert.deepEqual([...form.notUtf8], ['a', 'c'])
  })

  test('one bad value among good ones marks the name', () => {
    assert.deepEqual([...parse('a=x&a=%FF&a=y').notUtf8], ['a'])
  })

  test('whatever the bytes, the value is what the Encoding Standard makes of them', () => {
    fc.assert(
      fc.property(anyBytes, anyText, (bytes, text) => {
        const form = parse(`a=${encodeURIComponent(text.toWellFormed())}${percentEncode(bytes)}`)
        const whole = Buffer.concat([Buffer.from(text.toWellFormed()), bytes])
        assert.equal(form.get('a'), new TextDecoder('utf-8', { ignoreBOM: true }).decode(whole))
        assert.equal(form.notUtf8.has('a'), !isUtf8(whole))
      }),
      { numRuns: 1000 },
    )
  })
})

suite('a percent sign that two hexadecimal digits do not follow', () => {
  const rows: readonly (readonly [text: string, sentence: RegExp])[] = [
    ['a=%', /"%" in the value of "a"/],
    ['a=100%', /"%" in the value of "a"/],
    ['a=%4', /"%4" in the value of "a"/],
    ['a=%zz', /"%zz" in the value of "a"/],
    ['a=%0gb', /"%0g" in the value of "a"/],
    ['a=%%41', /"%%4" in the value of "a"/],
    ['a=%+1', /"% 1" in the value of "a"/],
    ['a=%FF%', /"%" in the value of "a"/],
    ['a=b&%=c', /"%" in a name/],
    ['a=b&%2', /"%2" in a name/],
    ['a=%e9%zz', /"%zz" in the value of "a"/],
  ]
  for (const [text, sentence] of rows) {
    test(`${text} is refused by name`, () => {
      assert.throws(
        () => parse(text),
        (error: unknown) => {
          assert.ok(error instanceof HubError)
          assert.equal(error.code, 'body_malformed')
          assert.match(error.message, /^body: /)
          assert.match(error.message, sentence)
          return true
        },
      )
    })
  }
})
