import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { HubError } from '../../../src/errors.ts'
import { createMatcherCompiler } from '../../../src/protocol/matcher.ts'
import { platformPattern } from '../../support/url-pattern.ts'

const hubUrl = 'https://hub.example:8443/.well-known/mercure'
const unknownBase = 'http://mercure.invalid'
const compile = createMatcherCompiler()
const matches = (pattern: string, topic: string) => compile('urlpattern', pattern).matches(topic)

function refusalOf(pattern: string): HubError | undefined {
  try {
    compile('urlpattern', pattern)
    return undefined
  } catch (error) {
    assert.ok(error instanceof HubError, `${pattern}: ${error}`)
    return error
  }
}

suite('what a URL Pattern matches', () => {
  const cases: readonly (readonly [pattern: string, matching: readonly string[], others: readonly string[]])[] = [
    [
      '/books/:id',
      ['/books/1', '/books/é', '/books/a%2Fb', '/books/1?x#y'],
      ['/books/', '/books', '/books/1/2', '/Books/1'],
    ],
    ['/books/:id?', ['/books', '/books/1'], ['/books/', '/books/1/2']],
    ['/books/:id*', ['/books', '/books/1', '/books/1/2'], ['/books/', '/books/1/']],
    ['/books/:id+', ['/books/1', '/books/1/2'], ['/books', '/books/1/']],
    ['/books/*', ['/books/', '/books/1', '/books/1/2/'], ['/books', '/book/']],
    [
      '/books/*/reviews',
      ['/books/1/reviews', '/books/1/2/reviews', '/books//reviews'],
      ['/books/reviews', '/books/1/reviews/'],
    ],
    ['/:a-:b.json', ['/1-2.json', '/1-2-3.json', '/a.json-b.json'], ['/1-.json', '/1-2/3.json', '/-2.json']],
    ['/a{/b}?{-:c}*', ['/a', '/a/b', '/a-1', '/a/b-1-2', '/a-1-'], ['/a/b/b', '/ab', '/a-']],
    ['/((?<n>a)b)', ['/ab'], ['/a']],
    ['/(\\d+|new)', ['/42', '/new'], ['/4a', '/', '/newer']],
    ['/:id(\\d{2,3})/:rest*', ['/42', '/123/a/b'], ['/1', '/1234', '/12/']],
    [
      'https://example.com/books/:id',
      ['https://example.com/books/1', 'HTTPS://EXAMPLE.COM:443/books/1', 'https://u:p@example.com/books/1'],
      ['http://example.com/books/1', 'https://example.com:444/books/1', 'https://example.com/BOOKS/1', '/books/1'],
    ],
    ['https://EXAMPLE.com/*', ['https://example.com/', 'https://example.com'], ['https://example.org/']],
    ['https://bücher.de/*', ['https://xn--bcher-kva.de/x', 'https://BÜCHER.de/x'], ['https://bucher.de/x']],
    ['https://*.example.com/*', ['https://a.example.com/', 'https://a.b.example.com/x'], ['https://example.com/']],
    ['https://:sub.example.com/', ['https://a.example.com/'], ['https://a.b.example.com/']],
    ['http{s}?://example.com/*', ['http://example.com/x', 'https://example.com/x'], ['ws://example.com/x']],
    ['(https?|foo)://x/:y', ['https://x/1', 'http://x/1'], ['foo://x/1/2', 'ws://x/1']],
    ['*://example.com/*', ['https://example.com/1', 'foo://example.com/1'], ['https://example.org/']],
    [
      'https://example.com:*/x',
      ['https://example.com/x', 'https://example.com:8080/x'],
      ['https://example.com:8080/y'],
    ],
    ['https://example.com:443/x', ['https://example.com/x'], ['https://example.com:444/x']],
    [
      'https://u:*@example.com/x',
      ['https://u@example.com/x', 'https://u:p@example.com/x'],
      ['https://v@example.com/x', 'https://example.com/x'],
    ],
    ['https://[\\:\\:1]/*', ['https://[::1]/x', 'https://[0:0::1]/x'], ['https://[::2]/x']],
    ['/books?page=:n', ['/books?page=2'], ['/books', '/books?page=', '/books?PAGE=2']],
    ['/books?*', ['/books', '/books?x#y'], ['/books/']],
    ['/books#:part', ['/books#intro'], ['/books', '/books?x#intro']],
    ['https://example.com', ['https://example.com/any/path'], ['https://example.org/']],
    ['https://example.com?foo', ['https://example.com/?foo'], ['https://example.com/x?foo', 'https://example.com/']],
    ['foo://h?x', ['foo://h?x'], ['foo://h/?x']],
    ['foo://h/:x', ['foo://h/1', 'foo://h/a/b'], ['foo://h/']],
    ['/:a./x', ['/1./x'], ['/1x', '/1/x']],
    ['http://[\\:\\:AB\\::n]/', ['http://[::ab:1]/'], ['http://[::ac:1]/']],
    ['urn\\:é*', ['urn:é', 'urn:%C3%A91'], ['urn:e']],
    ['urn:*', ['urn:isbn:1', 'urn:'], ['http://urn/']],
    ['urn\\:isbn\\:*', ['urn:isbn:1'], ['urn:uuid:1']],
    ['é/:x', ['é/1', '%C3%A9/1'], ['e/1']],
    ['/a/../b/:x', ['/b/1'], ['/a/b/1']],
    ['/{\\:}id\\*', ['/:id*'], ['/1']],
  ]
  for (const [pattern, matching, others] of cases) {
    test(pattern, () => {
      for (const topic of matching) assert.equal(matches(pattern, topic), true, `${pattern} matches ${topic}`)
      for (const topic of others) assert.equal(matches(pattern, topic), false, `${pattern} does not match ${topic}`)
    })
  }

  test('a topic that is no URL is not matched', () => {
    for (const topic of ['https://', 'http://[', 'https://a b/']) assert.equal(matches('*://*/*', topic), false, topic)
  })
})

suite('the base of relative patterns and topics', () => {
  test('relative patterns match relative topics, whatever the base', () => {
    for (const base of [unknownBase, hubUrl]) {
      const matcher = createMatcherCompiler({ base })(
        'urlpattern',
        '/.well-known/mercure/subscriptions/:type/:match/:subscriber',
      )
      assert.equal(matcher.matches('/.well-known/mercure/subscriptions/exact/x/y'), true)
      assert.equal(createMatcherCompiler({ base })('urlpattern', 'books/:id').matches('books/1'), true)
    }
  })

  test('the hub URL joins relative and absolute ones', () => {
    const compileAtHub = createMatcherCompiler({ base: hubUrl })
    assert.equal(compileAtHub('urlpattern', '/books/:id').matches('https://hub.example:8443/books/1'), true)
    assert.equal(compileAtHub('urlpattern', 'https://hub.example:8443/books/:id').matches('/books/1'), true)
    assert.equal(compileAtHub('urlpattern', 'https://hub.example:8443/.well-known/:id').matches('books'), true)
    assert.equal(compileAtHub('urlpattern', '/books/:id').matches('https://other.example/books/1'), false)
    assert.equal(matches('/books/:id', 'https://hub.example:8443/books/1'), false)
  })

  test('what has a meaning in patterns has none in the base', () => {
    const base = 'https://hub.example/a(b)*{c}/.well-known/mercure'
    const matcher = createMatcherCompiler({ base })('urlpattern', 'books/:id')
    assert.equal(matcher.matches('books/1'), true)
    assert.equal(matcher.matches('/a(b)*{c}/.well-known/books/1'), true)
    assert.equal(matcher.matches('/ab/.well-known/books/1'), false)
  })

  test('a base that is not the hub URL is not used', () => {
    for (const base of ['https://api.example', 'urn:hub', 'no URL', '']) {
      const matcher = createMatcherCompiler({ base })('urlpattern', '/books/:id')
      assert.equal(matcher.matches('/books/1'), true, base)
      assert.equal(matcher.matches('https://api.example/books/1'), false, base)
    }
  })
})

suite('regular expressions in a pattern', () => {
  test('case is ignored where they say so, and only there', () => {
    assert.equal(matches('/((?i:a[b-c])d)', '/ABd'), true)
    assert.equal(matches('/((?i:a[b-c])d)', '/ABD'), false)
    assert.equal(matches('/((?i:q)?[b-d])', '/C'), false)
    assert.equal(matches('/((?i:a(?-i:b)))', '/AB'), false)
    assert.equal(matches('/((?i:[\\u0100-\\uffff]))', '/K'), true)
    assert.equal(matches('/((?i:\\P{Lu}))', '/k'), false)
    assert.equal(matches('/x?((?i:@))', '/x?@'), true)
    assert.equal(matches('/x?((?i:@))', '/x?`'), false)
  })

  test('what looks around or back is refused', () => {
    for (const source of ['(?=a)b', '(?!a)b', '(?<=a)b', '(?<!a)b', '(?<n>a)\\k<n>', '(?:a)\\1']) {
      const refusal = refusalOf(`/(${source})`)
      assert.equal(refusal?.code, 'matcher_invalid', source)
      assert.match(refusal.message, /linear time/, source)
    }
  })
})

suite('what is refused', () => {
  const invalid: readonly (readonly [pattern: string, reason: RegExp])[] = [
    ['/{a', /\{ is not closed/],
    ['/a}', /"}" stands where/],
    ['/{a{b}}', /"\{" cannot follow/],
    ['/{:a:b}', /":b|"b" cannot follow/],
    ['/a+', /"\+" stands where/],
    ['/(a', /no regular expression/],
    ['/()', /no regular expression/],
    ['/((a))', /inner capturing groups/],
    ['/(é)', /ASCII/],
    ['/:a/:a', /":a" stands for two groups/],
    ['https://a b/', /"a b" cannot stand/],
    ['a b{c}://x/', /cannot stand/],
    ['/(a**)', /\* stands where/],
    ['/([b-a])', /ascending order/],
    ['/([a)', /not closed|no regular/],
    ['/([a&&b--c])', /between all members or none/],
    ['/(\\_)', /\\_ is not an escape/],
    ['/(\\p{Nonsense})', /not a Unicode property/],
    ['/(\\p{RGI_Emoji})', /single characters/],
    ['/(a{2,1})', /n ≤ m/],
    ['/((?x:a))', /not a kind of group/],
  ]
  for (const [pattern, reason] of invalid) {
    test(pattern, () => {
      assert.equal(
        platformPattern(pattern, unknownBase) === null || pattern.includes('RGI'),
        true,
        'the platform refuses it too',
      )
      const refusal = refusalOf(pattern)
      assert.equal(refusal?.code, 'matcher_invalid')
      assert.match(refusal.message, reason)
    })
  }

  test('patterns whose program would be too big', () => {
    const patterns = {
      characters: '/(a{1025})',
      'nested repetitions': '/((?:(?:a{99}){99}){99})',
      branches: `/${'{ab}*'.repeat(200)}`,
      groups: `/${'*a'.repeat(600)}`,
      properties: `/(${'\\p{L}'.repeat(17)})`,
    }
    for (const [what, pattern] of Object.entries(patterns)) {
      const refusal = refusalOf(pattern)
      assert.equal(refusal?.code, 'matcher_too_complex', what)
      assert.match(refusal.message, /more than \d+ /, what)
    }
  })

  test('what is repeated no times costs nothing', () => {
    assert.equal(matches('/((?:(?:a{0}){99999}){99999}b)', '/b'), true)
    assert.equal(matches('/(a{0,0}b)', '/b'), true)
  })
})
