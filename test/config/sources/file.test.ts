import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseYaml } from '../../../src/config/sources/file.ts'

const parse = (text: string) => parseYaml(text, 'm.yaml', '/')

describe('a configuration file', () => {
  test('knows the line of every key and item', () => {
    const { where, values } = parse(
      '# comment\naddr: :80\nissuers:\n  - id: a\n    publisher:\n      key: x\n  - id: b\n',
    )
    assert.deepEqual(values, { addr: ':80', issuers: [{ id: 'a', publisher: { key: 'x' } }, { id: 'b' }] })
    assert.equal(where(['addr']), 'm.yaml:2')
    assert.equal(where(['issuers']), 'm.yaml:3')
    assert.equal(where(['issuers', 0, 'publisher', 'key']), 'm.yaml:6')
    assert.equal(where(['issuers', 1]), 'm.yaml:7')
    assert.equal(where(['issuers', 1, 'publisher', 'key']), 'm.yaml:7', 'the deepest part that is there')
  })

  for (const text of ['', '# nothing but a comment\n', '---\n', 'null\n']) {
    test(`may be empty: ${JSON.stringify(text)}`, () => {
      const { values, problems, unreadable } = parse(text)
      assert.deepEqual({ values, problems, unreadable }, { values: {}, problems: [], unreadable: false })
    })
  }

  test('may use anchors', () => assert.deepEqual(parse('a: &x [1]\nb: *x').values, { a: [1], b: [1] }))

  test('goes on after a key that comes twice', () => {
    const { problems, unreadable } = parse('jwt_key: hidden\ndebug: true\njwt_key: hidden')
    assert.equal(unreadable, false)
    assert.deepEqual(problems, [{ key: 'jwt_key', where: 'm.yaml:3', message: 'the key is given a second time.' }])
  })

  const bad: readonly [text: string, line: number, sentence: string][] = [
    ['jwt_key: !Hidden!', 1, 'a value that starts with "!" must be in quotes.'],
    ['a: 1\ncors_allowed_origins: *', 2, 'a value that starts with "*" must be in quotes.'],
    ['jwt_key: *hidden', 1, 'a value that starts with "*" must be in quotes.'],
    ['jwt_key: @hidden', 1, 'a value that starts with "@", "`" or "%" must be in quotes.'],
    ['jwt_key: hid: den', 1, 'a value with ": " in it must be in quotes.'],
    ['jwt_key: "hidden', 1, 'a quote, bracket, comma or the space after ":" is missing.'],
    ['jwt_key: "hid\\qden"', 1, 'this is not valid YAML.'],
    ['\taddr: hidden', 1, 'YAML is indented with spaces, not tabs.'],
    [
      'a:\n  b: 1\n c: hidden',
      3,
      'this line is not indented like its neighbours, or a bracket before it is not closed.',
    ],
    ['a: [hidden', 1, 'this line is not indented like its neighbours, or a bracket before it is not closed.'],
    ['a: 1\n---\nb: hidden', 2, 'the file must hold one YAML document, not several.'],
    ['- hidden', 1, 'the file must be a mapping: lines of "key: value".'],
    ['hidden', 1, 'the file must be a mapping: lines of "key: value".'],
  ]
  for (const [text, line, sentence] of bad) {
    test(`that holds ${JSON.stringify(text)} is refused, its text not shown`, () => {
      const { problems, unreadable, values } = parse(text)
      assert.equal(unreadable, true)
      assert.deepEqual(values, {})
      assert.deepEqual(problems[0], { key: null, where: `m.yaml:${line}`, message: sentence })
      assert.doesNotMatch(JSON.stringify(problems), /hid(den)?/i)
    })
  }
})
