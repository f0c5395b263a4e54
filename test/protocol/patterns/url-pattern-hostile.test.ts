import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { HubError } from '../../../src/errors.ts'
import { createMatcherCompiler } from '../../../src/protocol/matcher.ts'
import { createRandom } from '../../support/random.ts'

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

suite('hostile patterns and topics', () => {
  const hostile = [
    '/*a*a*a*a*a*a*a*a*b',
    `/${'*a'.repeat(180)}b`,
    `/${'{a}*'.repeat(60)}b`,
    `/${'{a}?'.repeat(120)}b`,
    `/${Array.from({ length: 45 }, (_, i) => `:n${i}*`).join('-')}`,
    '/((?:a|aa)+b)',
    '/((?:(?:a*)*)*b)',
    '/((?:a|b)*a(?:a|b){60}c)',
    '/(a{0,200}a{300}b)',
    `/((?:${'a|'.repeat(80)}a)*b)`,
    `/(${'(?:'.repeat(60)}a${')*'.repeat(60)}b)`,
    '/((?:\\ba?|a\\B){40}b)',
    '/((?:[a-c]+[b-d]+)*[\\w--a]+!)',
    'https://:a.:b.:c.:d.:e.*.x/*',
    '?:a&:b&*&:c&*=b',
  ]
  const topics = ['a', 'ab', 'a/', 'a-', 'a.', '%41', 'aab&', 'é'].flatMap(unit => {
    const text = unit.repeat(Math.floor(4000 / unit.length))
    return [`/${text}`, `?${text}`]
  })
  topics.push(`https://${'a.'.repeat(2000)}/`, `https://${'a:@'.repeat(1300)}h/`, `/${'a'.repeat(2 ** 20)}b`)

  test('every pair is decided', () => {
    let decided = 0
    for (const pattern of hostile) {
      const matcher = compile('urlpattern', pattern)
      for (const topic of topics) decided += typeof matcher.matches(topic) === 'boolean' ? 1 : 0
    }
    assert.ok(decided >= 200 && decided === hostile.length * topics.length)
  })

  test('and rightly', () => {
    assert.equal(matches(hostile[0]!, `/${'a'.repeat(4000)}b`), true)
    assert.equal(matches(hostile[0]!, `/${'a'.repeat(4000)}`), false)
    assert.equal(matches('/((?:a|b)*a(?:a|b){60}c)', `/${'ab'.repeat(1000)}bc`), true)
    assert.equal(matches('/((?:a|b)*a(?:a|b){60}c)', `/${'b'.repeat(2000)}c`), false)
    assert.equal(matches('/(a{0,200}a{300}b)', `/${'a'.repeat(500)}b`), true)
    assert.equal(matches('/(a{0,200}a{300}b)', `/${'a'.repeat(501)}b`), false)
  })

  test('a protocol is not tried on an engine that backtracks', () => {
    const exponential = '((?:(?:(?:(?:h|){30}){30}){30})x)://foo/:x'
    assert.equal(refusalOf(exponential)?.code, 'matcher_too_complex')
    assert.equal(matches(`(${'(?:h|)'.repeat(40)}x)://foo/:y`, 'x://foo/1'), true)
    assert.equal(matches(`${'*'.repeat(30)}x://foo/*`, 'http://foo/1'), false)
  })

  test('every text is a pattern or refused with a code', () => {
    const random = createRandom(7)
    const alphabet = [
      ...'/:*?+{}()[]\\|^$.#@&=-ab1é%<>!,~"\' ',
      'https:',
      '(?',
      '\\p{L}',
      '[^',
      '{2,',
      '&&',
      '--',
      ':id',
      '😀',
    ]
    for (let i = 0; i < 5000; i++) {
      const text = Array.from({ length: 1 + random.below(12) }, () => random.pick(alphabet)).join('')
      const refusal = refusalOf(text)
      if (refusal === undefined) assert.equal(typeof matches(text, '/a'), 'boolean')
      else assert.match(refusal.code, /^matcher_(invalid|too_complex)$/, text)
    }
  })
})
