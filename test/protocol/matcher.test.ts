import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createMatcherCompiler, type MatcherKind, maxPatternBytes } from '../../src/protocol/matcher.ts'
import { maxPatternTopicLength } from '../../src/protocol/topic.ts'

const kinds: readonly MatcherKind[] = ['exact', 'urlpattern', 'topic']
const compile = createMatcherCompiler()

suite('kinds', () => {
  test('* is every topic, whatever the kind', () => {
    for (const kind of kinds) {
      const matcher = compile(kind, '*')
      assert.equal(matcher.everything, true)
      assert.equal(matcher.exact, false)
      for (const topic of ['', '*', '/books/1', 'https://example.com/', 'not a URL: [', 'x'.repeat(2 ** 20)])
        assert.equal(matcher.matches(topic), true)
    }
  })

  test('exact is equality of texts, without any normalisation', () => {
    for (const kind of ['exact', 'topic'] as const) {
      for (const pattern of [
        '',
        'foo',
        'https://example.com/é',
        '/a*',
        '**',
        ' *',
        '/:id',
        'e\u0301',
        'x'.repeat(4096),
      ]) {
        const matcher = compile(kind, pattern)
        assert.equal(matcher.exact, true)
        assert.equal(matcher.everything, false)
        assert.equal(matcher.matches(pattern), true)
        for (const topic of [
          `${pattern}x`,
          `/${pattern}`,
          pattern.normalize('NFC') === pattern ? `${pattern} ` : pattern.normalize('NFC'),
        ])
          assert.equal(matcher.matches(topic), false)
      }
    }
    assert.equal(compile('exact', '/books/{id}').matches('/books/1'), false)
    assert.equal(compile('exact', '/books/{id}').exact, true)
  })

  test('a matcher shows what was sent, and its generation', () => {
    for (const [kind, generation] of [
      ['exact', '1.0'],
      ['urlpattern', '1.0'],
      ['topic', '0.x'],
    ] as const) {
      const { everything, exact, anchor: _, ...shown } = compile(kind, 'https://EXAMPLE.com/a/../{b}')
      assert.deepEqual(
        { ...shown, matches: null },
        { kind, generation, pattern: 'https://EXAMPLE.com/a/../{b}', matches: null },
      )
      assert.deepEqual([everything, exact], [false, kind === 'exact'])
    }
  })

  test('an anchor has the literal beginning and the longest literal after it, of the text that is compared', () => {
    const topic = 'https://EXAMPLE.com:443/a/%62c?d'
    const url = 'example.com/a/%62c'
    for (const [kind, pattern, ...expected] of [
      ['exact', 'https://example.com/', topic, 'https://example.com/', ''],
      ['exact', '*', topic, '', ''],
      ['topic', 'a/{b}/c/{d}/ef', topic, 'a/', '/c/'],
      ['topic', '{b}{?c}', topic, '', ''],
      ['topic', '{b', topic, '{b', ''],
      ['urlpattern', 'https://EXAMPLE.com/a/:b/é', url, 'example.com/a/', '/%C3%A9'],
      ['urlpattern', 'https://example.com/{a}?', url, 'example.com/', ''],
      ['urlpattern', 'https://*.example.com/a/../b{/:c}?', url, '', '/b'],
      ['urlpattern', 'https://*.example.com/*', url, '', '.example.com'],
      ['urlpattern', ':scheme://example.com', url, 'example.com', ''],
      ['urlpattern', 'urn\\:isbn\\:*', url, 'isbn:', ''],
    ] as const) {
      const { textOf, prefix, literal } = compile(kind, pattern).anchor
      assert.deepEqual([textOf(topic), prefix, literal], expected, pattern)
    }
    assert.equal(compile('urlpattern', '/a').anchor.textOf('https://'), null)
  })
})

suite('limits', () => {
  test('4,096 bytes of UTF-8 for 1.0', () => {
    for (const kind of ['exact', 'urlpattern'] as const) {
      for (const unit of ['a', 'é', '漢', '😀']) {
        const bytes = new TextEncoder().encode(unit).length
        const longest = `/${unit.repeat(Math.floor((maxPatternBytes - 1) / bytes))}`
        assert.equal(compile(kind, longest).pattern, longest)
        assert.throws(() => compile(kind, longest + unit), { name: 'HubError', code: 'matcher_too_long' })
      }
      assert.throws(() => compile(kind, 'a'.repeat(2 ** 20)), { code: 'matcher_too_long' })
    }
  })

  test('the same for 0.x selectors with a brace; exact ones may be longer', () => {
    const long = 'x'.repeat(maxPatternBytes)
    assert.equal(compile('topic', `${long.slice(3)}{a}`).exact, false)
    assert.throws(() => compile('topic', `${long}{a}`), { code: 'matcher_too_long' })
    assert.throws(() => compile('topic', `{${long}`), { code: 'matcher_too_long' })
    assert.equal(compile('topic', long + long).matches(long + long), true)
  })

  test('longer topics are matched by equality only', () => {
    const longest = `/${'x'.repeat(maxPatternTopicLength - 1)}`
    assert.equal(compile('topic', '/{x}').matches(longest), true)
    assert.equal(compile('topic', '/{x}').matches(`${longest}x`), false)
    assert.equal(compile('topic', `${longest}x`).matches(`${longest}x`), true)
    assert.equal(compile('exact', longest).matches(longest), true)
    const fitting = longest.slice(0, -'http://mercure.invalid'.length)
    assert.equal(compile('urlpattern', '/:x').matches(fitting), true)
    assert.equal(compile('urlpattern', '/:x').matches(`${fitting}x`), false)
    assert.equal(
      compile('urlpattern', '/:x').matches(`/${'é'.repeat(1000)}`),
      false,
      'six characters each when canonical',
    )
  })

  test('control and format characters and lone surrogates are refused in 1.0, allowed in 0.x', () => {
    for (const character of ['\0', '\n', '\u007f', '\u0080', '\u200b', '\u202e', '\ud800']) {
      for (const kind of ['exact', 'urlpattern'] as const)
        assert.throws(() => compile(kind, `/a${character}`), { name: 'HubError', code: 'matcher_invalid' })
      assert.equal(compile('topic', `/a${character}`).matches(`/a${character}`), true)
    }
  })
})

suite('the cache', () => {
  test('the same kind and pattern are one object', () => {
    for (const kind of kinds) {
      assert.equal(compile(kind, '/a/{b}'), compile(kind, '/a/{b}'))
      assert.notEqual(compile(kind, '/a/{b}'), compile(kind, '/a/{c}'))
    }
    assert.notEqual(compile('exact', '/a'), compile('topic', '/a'))
    assert.notEqual(compile('exact', 'urlpattern:/a'), compile('urlpattern', '/a'))
  })

  test('compilers share nothing', () => {
    assert.notEqual(createMatcherCompiler()('exact', '/a'), createMatcherCompiler()('exact', '/a'))
  })

  test('the least recently asked for goes first', () => {
    const compileFew = createMatcherCompiler({ cacheSize: 3 })
    const [a, b] = [compileFew('exact', 'a'), compileFew('exact', 'b')]
    compileFew('exact', 'c')
    assert.equal(compileFew('exact', 'a'), a)
    compileFew('exact', 'd')
    assert.equal(compileFew('exact', 'a'), a)
    assert.notEqual(compileFew('exact', 'b'), b)
  })

  test('large matchers leave room for fewer', () => {
    const compileFew = createMatcherCompiler({ cacheSize: 20 })
    const small = compileFew('exact', 'small')
    for (let i = 0; i < 3; i++) compileFew('exact', `${i}${'x'.repeat(4000)}`)
    assert.notEqual(compileFew('exact', 'small'), small)
  })

  test('a refusal is given again', () => {
    for (let i = 0; i < 2; i++) assert.throws(() => compile('urlpattern', '/{'), { code: 'matcher_invalid' })
  })
})

test('topics asked in turn do not disturb each other', () => {
  const books = compile('urlpattern', '/books/:id')
  const all = compile('urlpattern', 'https://example.com/*')
  for (let i = 0; i < 2000; i++) {
    assert.equal(books.matches(`/books/${i}`), true)
    assert.equal(all.matches(`https://example.com/${i}`), true)
    assert.equal(books.matches(`https://example.com/${i}`), false)
    assert.equal(all.matches(`/books/${i}`), false)
  }
})
