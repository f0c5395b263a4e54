import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createMatcherCompiler } from '../../../src/protocol/matcher.ts'
import { createRandom } from '../../support/random.ts'

const compile = createMatcherCompiler()
const matches = (template: string, topic: string) => compile('topic', template).matches(topic)

suite('what a URI Template matches', () => {
  const cases: readonly (readonly [template: string, matching: readonly string[], others: readonly string[]])[] = [
    // a value: unreserved characters, comma and percent-encoded triples, none of them, never a slash
    [
      '/books/{id}',
      ['/books/1', '/books/', '/books/a-b._~,9', '/books/%C3%A9', '/books/%c3'],
      [
        '/books',
        '/books/1/2',
        '/books/é',
        '/books/a b',
        '/books/a=b',
        '/books/%C',
        '/books/%',
        '/books/%zz',
        '/BOOKS/1',
      ],
    ],
    ['{id}', ['', 'x', 'a,b'], ['/', 'a:b']],
    [
      'https://example.com/{a}/x/{b}',
      ['https://example.com/1/x/2', 'https://example.com//x/'],
      ['https://example.com/1/2/x/3', 'http://example.com/1/x/2'],
    ],
    ['/{a}.json', ['/1.json', '/.json', '/a.json.json'], ['/1.jsonx', '/a/b.json']],
    ['{a}%41{b}', ['%41', '%41%41', 'x%41y', '%4141'], ['A', '%4', '%61']],
    // reserved characters
    ['/{+path}', ['/', '/a/b?c#d', "/:/?#[]@!$&'()*+,;=", '/%41'], ['/a b', '/é', '/%4', '/"']],
    ['/x{#part}', ['/x', '/x#', '/x#a/b?c'], ['/xa', '/x/a']],
    // an expression may be left out, together with its first character
    ['/a{/b}', ['/a', '/a/', '/a/b'], ['/ab', '/a/b/c']],
    ['/a{/b}{/c}', ['/a', '/a/b', '/a/b/c', '/a//c'], ['/a/b/c/d']],
    ['/a{.b}', ['/a', '/a.', '/a.b', '/a.b.c'], ['/ab', '/a/b']],
    ['/a{;b}', ['/a', '/a;', '/a;b=1', '/a;c', '/a;x=1=2'], ['/ab=1', '/a;b;c']],
    ['/a{?q}', ['/a', '/a?', '/a?q=1', '/a?other=1'], ['/aq=1', '/a?q=1&r=2', '/a?q=/']],
    ['/a?x=1{&q}', ['/a?x=1', '/a?x=1&', '/a?x=1&q=2'], ['/a?x=1q', '/a?x=1&q=2&r=3']],
    // named forms allow an equals sign, the others do not
    ['/{a}', ['/x'], ['/a=x']],
    // the length of a prefix is not enforced
    ['/{v:3}', ['/', '/abcdef'], ['/a/b']],
    // n values: up to n - 1 separators; exploded: any number
    ['/a{/b,c}', ['/a', '/a/b', '/a/b/c'], ['/a/b/c/d']],
    ['/a{?b,c}', ['/a?b=1', '/a?b=1&c=2'], ['/a?b=1&c=2&d=3']],
    ['/a{;b,c,d}', ['/a;b;c;d'], ['/a;b;c;d;e']],
    ['/a{/b*}', ['/a', '/a/b', '/a/b/c/d/e', '/a/b=1/c=2'], ['/ab']],
    ['/a{?b*}', ['/a?b=1&b=2&c=3'], ['/a&b=1']],
    ['/{b*}', ['/a=1,b=2', '/'], ['/a/b']],
    ['/x{/a,b*}', ['/x/1/b=2/c'], ['/x/a=1', '/x/1;2']],
    // literals
    ["/!#$&'()*+,:;=?@[]~/{a}", ["/!#$&'()*+,:;=?@[]~/1"], ['/1']],
    ['/é😀/{a}', ['/é😀/1'], ['/e/1', '/%C3%A9😀/1']],
    ['/%2F{a}', ['/%2Fx'], ['//x', '/%2fx']],
    ['/%2f{a.b}{_1}{%41}', ['/%2fx'], ['/%2Fx']],
    ['{a}{a}', ['x', ''], ['/']],
    ['a.b{c}', ['a.bc'], ['axbc']],
  ]
  for (const [template, matching, others] of cases) {
    test(template, () => {
      assert.equal(compile('topic', template).exact, false)
      for (const topic of matching) assert.equal(matches(template, topic), true, `${template} matches ${topic}`)
      for (const topic of others) assert.equal(matches(template, topic), false, `${template} does not match ${topic}`)
    })
  }

  test('a template also matches itself', () => {
    for (const template of ['/books/{id}', '{+a}', '/a{/b*}{?c}']) assert.equal(matches(template, template), true)
  })
})

suite('what is no template is an exact topic', () => {
  const invalid = {
    braces: ['{', '}', '{a', 'a}', '{a}}', '{{a}}'],
    'no variable': ['{}', '{+}', '{/}', '{a,}', '{,}', '{a,,b}'],
    names: ['{a b}', '{a-b}', '{é}', '{.}', '{a.}', '{..a}', '{a..b}', '{%4}', '{%zz}'],
    'reserved operators': ['{=a}', '{,a}', '{!a}', '{@a}', '{|a}', '{++a}'],
    modifiers: ['{a:}', '{a:0}', '{a:01}', '{a:10000}', '{a:x}', '{a:-1}', '{a:3*}', '{a*:3}', '{a**}'],
    literals: ['{a} ', '{a}"', '{a}<', '{a}>', '{a}\\', '{a}^', '{a}`', '{a}|', '{a}%', '{a}%4', '{a}%zz'],
    'characters of no IRI': [
      '{a}\n',
      '{a}\u0080',
      '{a}\ud800',
      '{a}\ufffe',
      '{a}\ufdd0',
      '{a}\u{e0000}',
      '{a}\u{1fffe}',
    ],
  }
  for (const selector of Object.values(invalid).flat()) {
    test(JSON.stringify(selector), () => {
      const matcher = compile('topic', selector)
      assert.equal(matcher.exact, true)
      assert.equal(matcher.matches(selector), true)
      assert.equal(matcher.matches(''), false)
      assert.equal(matcher.matches(selector.replaceAll(/[{}]/g, '')), !/[{}]/.test(selector))
    })
  }

  test('so is a template without expressions', () => {
    assert.equal(compile('topic', 'https://example.com/books').exact, true)
    assert.equal(compile('topic', '%41').matches('A'), false)
  })
})

/** The rules once more, as a regular expression for the platform: small enough here for an engine that backtracks. */
function expectationOf(pieces: readonly Piece[]): RegExp {
  const quote = (literal: string) => literal.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')
  const source = pieces.map(piece => {
    if (typeof piece === 'string') return quote(piece)
    const { operator, exploded } = piece
    const isNamed = ';?&'.includes(operator) && operator !== ''
    const first = operator === '+' ? '' : operator
    const separator = first === '?' ? '&' : first === '' || first === '#' ? ',' : first
    const value = (named: boolean) =>
      ['+', '#'].includes(operator)
        ? "(?:[\\w\\-.~:/?#[\\]@!$&'()*+,;=]|%[0-9a-fA-F]{2})*"
        : `(?:[\\w\\-.~,${named ? '=' : ''}]|%[0-9a-fA-F]{2})*`
    const count = exploded.includes(true) ? '*' : `{0,${exploded.length - 1}}`
    const more = `(?:${quote(separator)}${value(isNamed || exploded.includes(true))})${count}`
    return `(?:${quote(first)}${value(isNamed || exploded[0]!)}${more})?`
  })
  return new RegExp(`^${source.join('')}$`)
}

type Piece = string | { readonly operator: string; readonly exploded: readonly boolean[] }

test('random templates match what the rules say', () => {
  const random = createRandom(20_260_102)
  const createPiece = (): Piece =>
    random.next() < 0.5
      ? random.pick(['/', 'a', '.', '-', '?', '#', '&', '=', ',', ';', '%41', 'é', 'books/'])
      : {
          operator: random.pick(['', '', '+', '#', '.', '/', ';', '?', '&']),
          exploded: Array.from({ length: 1 + random.below(3) }, () => random.next() < 0.3),
        }
  const seen = { matching: 0, others: 0 }
  for (let i = 0; i < 3000; i++) {
    const pieces = [createPiece(), createPiece(), createPiece(), { operator: '', exploded: [false] }]
    const write = ({ operator, exploded }: Exclude<Piece, string>) =>
      `{${operator}${exploded.map((isExploded, index) => `v${index}${isExploded ? '*' : random.pick(['', ':3'])}`).join(',')}}`
    const template = pieces.map(piece => (typeof piece === 'string' ? piece : write(piece))).join('')
    const expectation = expectationOf(pieces)
    for (let j = 0; j < 8; j++) {
      const value = () =>
        random.pick(['', '1', 'a=b', '%41', '%4', 'a/b', 'a,b', '.x', ';y', '&z', '/w', '?', '#', 'é'])
      const topic = pieces
        .map(piece =>
          typeof piece === 'string' ? piece : random.pick(['', piece.operator.replace('+', '')]) + value(),
        )
        .join('')
      const expected = expectation.test(topic)
      assert.equal(matches(template, topic), expected, `${template} against ${topic}`)
      seen[expected ? 'matching' : 'others']++
    }
  }
  assert.ok(seen.matching > 4000 && seen.others > 4000, JSON.stringify(seen))
})

test('hostile templates are decided or refused', () => {
  const templates = [
    '{a}'.repeat(60),
    '{+a}'.repeat(60),
    '{+a}b'.repeat(60),
    `{${'a,'.repeat(35)}a}`,
    '{a*}'.repeat(16),
    '{.a*}{/b*}'.repeat(7),
  ]
  const topics = ['a', '%41', '%4', '/', '.', 'ab', ',', 'é'].map(unit => unit.repeat(Math.floor(4096 / unit.length)))
  for (const template of templates) {
    const matcher = compile('topic', template)
    assert.equal(matcher.matches('a'.repeat(4096)), !template.includes('b'))
    for (const topic of topics) assert.equal(typeof matcher.matches(topic), 'boolean')
  }
  assert.throws(() => compile('topic', '{a}'.repeat(1000)), { code: 'matcher_too_complex' })
})
