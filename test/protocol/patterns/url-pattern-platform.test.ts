import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createMatcherCompiler } from '../../../src/protocol/matcher.ts'
import { createRandom } from '../../support/random.ts'
import { generatePattern, platformPattern } from '../../support/url-pattern.ts'

const bases = ['http://mercure.invalid', 'https://hub.example:8443/.well-known/mercure']

suite('in step with the platform', () => {
  /** Below 32 states a program runs in one machine word; the optional tail makes the same pattern take several. */
  const tails = { 'in one word': '', 'in several words': `{${'~'.repeat(40)}}?` }
  for (const [name, tail] of Object.entries(tails)) {
    for (const base of bases) {
      test(`random patterns ${name} against ${base}`, () => {
        const random = createRandom(20_260_101)
        const compileAtBase = createMatcherCompiler({ base })
        const seen = { matching: 0, others: 0, invalid: 0 }
        for (let i = 0; i < 2500; i++) {
          const { pattern: generated, topic } = generatePattern(random)
          const pattern = generated + tail
          // Mercure's own wildcard, which is no URL Pattern
          if (pattern === '*') continue
          const platform = platformPattern(pattern, base)
          if (platform === null) {
            assert.throws(() => compileAtBase('urlpattern', pattern), { code: 'matcher_invalid' }, pattern)
            seen.invalid++
            continue
          }
          const matcher = compileAtBase('urlpattern', pattern)
          for (let j = 0; j < 8; j++) {
            const candidate = topic()
            const expected: boolean = platform.test(candidate, base)
            assert.equal(matcher.matches(candidate), expected, `${pattern} against ${candidate}`)
            seen[expected ? 'matching' : 'others']++
          }
        }
        assert.ok(seen.matching > 4000 && seen.others > 4000 && seen.invalid < 500, JSON.stringify(seen))
      })
    }
  }
})
