import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Directive, expandPlaceholders, parseCaddyfile } from '../../../src/config/sources/caddyfile.ts'

/** Without line numbers. */
const shape = (directives: readonly Directive[]): unknown[] =>
  directives.map(({ name, args, block }) => (block === null ? [name, ...args] : [name, ...args, shape(block)]))

describe('a Caddyfile', () => {
  const good: readonly [text: string, directives: unknown[]][] = [
    ['', []],
    ['anonymous', [['anonymous']]],
    ['  anonymous\n\n# comment\nheartbeat 15s # comment\n', [['anonymous'], ['heartbeat', '15s']]],
    ['a "b c" `d "e"` f#g', [['a', 'b c', 'd "e"', 'f#g']]],
    ['a "say \\"hi\\" \\\\ \\n"', [['a', 'say "hi" \\ \\n']]],
    ['a "two\nlines"', [['a', 'two\nlines']]],
    ['a b\\\n c \\\r\nd\\e\nf\\', [['a', 'b', 'c', 'd\\e'], ['f\\']]],
    [
      'a b {\r\n  c d\r\n  e {\r\n f\r\n }\r\n}\r\ng',
      [
        [
          'a',
          'b',
          [
            ['c', 'd'],
            ['e', [['f']]],
          ],
        ],
        ['g'],
      ],
    ],
  ]
  for (const [text, directives] of good) {
    test(`${JSON.stringify(text)} is read`, () => assert.deepEqual(shape(parseCaddyfile(text)), directives))
  }

  test('knows the line of every directive', () => {
    const [first, second] = parseCaddyfile('\na "x\ny" \\\n{\n  b\n}\nc')
    assert.deepEqual([first?.line, first?.block?.[0]?.line, second?.line], [2, 5, 7])
  })

  const bad: readonly [text: string, line: number, message: string][] = [
    ['a {\nb', 1, 'the block is not closed by a line with "}".'],
    ['a\n}', 2, '"}" closes nothing.'],
    ['a\n{\n}', 2, 'a block needs a name before "{".'],
    ['a\nb "hidden', 2, 'a quote is not closed.'],
    ['a `hidden', 1, 'a quote is not closed.'],
  ]
  for (const [text, line, message] of bad) {
    test(`${JSON.stringify(text)} is refused`, () => {
      assert.throws(() => parseCaddyfile(text), { code: 'configuration_invalid', line, message })
    })
  }

  test('takes values from the environment', () => {
    const directives = parseCaddyfile(
      'a {env.KEY} {$KEY} {$NONE:fallback} x{$KEY}y {env.NONE} {file./x} {\nb {$KEY}\n}',
    )
    const expanded = expandPlaceholders(directives, { KEY: 'value' })
    assert.deepEqual(shape(expanded), [
      ['a', 'value', 'value', 'fallback', 'xvaluey', '', '{file./x}', [['b', 'value']]],
    ])
    assert.deepEqual([expanded[0]?.unset, expanded[0]?.block?.[0]?.unset], [['NONE'], []])
  })
})
