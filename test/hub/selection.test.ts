import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSelection, matchesAny } from '../../src/hub/selection.ts'
import type { Matcher } from '../../src/protocol/matcher.ts'
import { compile, topicMatchers } from '../support/node.ts'
import { createRandom } from '../support/random.ts'

test('a list of any length says what asking each of its matchers says', () => {
  const random = createRandom(3)
  const patterns = ['a/1', 'a/2', 'b/{id}', '{any}/3', 'https://example.com/{+path}', 'c', 'd{/e}', 'f', 'g/{h}/1', 'i']
  const topics = ['a/1', 'a/3', 'b/2', 'b/3', 'c', 'd', 'd/e', 'https://example.com/a/1', 'g/2/1', 'none', '/x/1', '']
  for (let round = 0; round < 2000; round++) {
    const chosen = Array.from({ length: random.below(24) }, () => random.pick(patterns))
    const matchers: Matcher[] = topicMatchers(...chosen)
    if (random.next() < 0.1) matchers.push(...topicMatchers('*'))
    if (random.next() < 0.3) matchers.push(compile('urlpattern', '/x/:id'))
    const selects = createSelection(matchers)
    for (let asking = 0; asking < 3; asking++) {
      const of = Array.from({ length: 1 + random.below(3) }, () => random.pick(topics))
      const expected = matchers.some(matcher => of.some(topic => matcher.matches(topic)))
      assert.equal(selects(of), expected, `${chosen} of ${of}`)
      assert.equal(matchesAny(matchers, of), expected, `${chosen} of ${of}`)
    }
  }
})

test('a long list does not ask a matcher whose literals no topic has', () => {
  const matches = () => assert.fail('asked')
  const matchers = Array.from({ length: 1000 }, (_, n) => ({ ...compile('topic', `users/${n}/{id}`), matches }))
  assert.equal(createSelection(matchers)(['users/1000/1', 'users']), false)
})
