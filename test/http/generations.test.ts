import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ErrorCode } from '../../src/errors.ts'
import { type HubName, type Hubs, startHubs } from '../support/generations.ts'
import { assertRefused } from '../support/refusal.ts'

let hubs: Hubs
before(async () => {
  hubs = await startHubs()
})
after(() => hubs.close())

suite('the parameters choose the generation', () => {
  const accepted: { name: string; hub?: HubName; query: string; matchers: string[] }[] = [
    { name: 'topic', query: 'topic=a&topic=b', matchers: ['topic a', 'topic b'] },
    { name: 'topic, a template', query: 'topic=%7Bid%7D', matchers: ['topic {id}'] },
    { name: 'match', query: 'match=a&match=b', matchers: ['exact a', 'exact b'] },
    { name: 'match_exact is match', query: 'match_exact=a&match=b', matchers: ['exact b', 'exact a'] },
    { name: 'match_urlpattern', query: 'match_urlpattern=/a/:id', matchers: ['urlpattern /a/:id'] },
    {
      name: 'all in one request are all honoured',
      query: 'topic=t&match=m&match_urlpattern=/p',
      matchers: ['exact m', 'urlpattern /p', 'topic t'],
    },
    { name: 'names are case-sensitive: TOPIC is none', query: 'topic=a&TOPIC=b&Topic=c', matchers: ['topic a'] },
    { name: 'other parameters mean nothing', query: 'topic=a&mat=b&x=c&subject=d', matchers: ['topic a'] },
    { name: 'topic, without issuers', hub: '0.x keys only', query: 'topic=a', matchers: ['topic a'] },
    { name: 'match, without issuers', hub: '0.x keys only', query: 'match=a', matchers: ['exact a'] },
    { name: 'topic, without 0.x keys', hub: 'issuers only', query: 'topic=a', matchers: ['topic a'] },
    { name: 'topic', hub: 'pinned to 0.x', query: 'topic=a', matchers: ['topic a'] },
    {
      name: 'what 0.x knows nothing of means nothing beside a topic',
      hub: 'pinned to 0.x',
      query: 'topic=a&match=b&match_urlpattern=c&matchday=3',
      matchers: ['topic a'],
    },
    { name: 'match', hub: 'pinned to 1.0', query: 'match=a', matchers: ['exact a'] },
  ]
  for (const { name, hub = 'both', query, matchers } of accepted) {
    for (const method of ['GET', 'QUERY']) {
      test(`${hub}: ${name}, by ${method}`, async () => {
        const address = method === 'GET' ? `${hubs[hub].hubUrl}?${query}` : hubs[hub].hubUrl
        const init = method === 'GET' ? {} : { method, body: new URLSearchParams(query) }
        const response = await fetch(address, init)
        assert.equal(response.status, 200)
        const listed = [...hubs[hub].running.hub.presence!.list()]
        const { subscriber } = listed.at(-1)!
        assert.deepEqual(
          listed.filter(one => one.subscriber === subscriber).map(({ kind, pattern }) => `${kind} ${pattern}`),
          matchers,
        )
        await response.body!.cancel()
      })
    }
  }

  const refused: { name: string; hub?: HubName; query: string; code: ErrorCode; sentence: RegExp }[] = [
    { name: 'nothing', query: '', code: 'matcher_missing', sentence: /"match", "match_urlpattern", "topic"/ },
    { name: 'TOPIC', query: 'TOPIC=a', code: 'matcher_missing', sentence: /"topic"/ },
    { name: 'MATCH', query: 'MATCH=a', code: 'matcher_unknown', sentence: /"MATCH": use "match"/ },
    { name: 'matchRegexp', query: 'matchRegexp=a', code: 'matcher_unknown', sentence: /"matchRegexp"/ },
    {
      name: 'match_template beside a topic',
      query: 'topic=a&match_template=b',
      code: 'matcher_unknown',
      sentence: /"match_template"/,
    },
    {
      name: 'Match_exact beside a match',
      query: 'match=a&Match_exact=b',
      code: 'matcher_unknown',
      sentence: /"Match_exact"/,
    },
    {
      name: 'topic',
      hub: 'pinned to 1.0',
      query: 'topic=a',
      code: 'matcher_unknown',
      sentence: /use "match" or "match_urlpattern" .* "topic"/,
    },
    {
      name: 'topic beside match',
      hub: 'pinned to 1.0',
      query: 'match=b&topic=a',
      code: 'matcher_unknown',
      sentence: /protocol 1\.0 only/,
    },
    {
      name: 'match alone',
      hub: 'pinned to 0.x',
      query: 'match=a',
      code: 'matcher_unknown',
      sentence: /protocol 0\.x only: use "topic" .* "match"/,
    },
    {
      name: 'nothing',
      hub: 'pinned to 0.x',
      query: '',
      code: 'matcher_missing',
      sentence: /at least one of "topic" in/,
    },
    {
      name: 'nothing',
      hub: 'pinned to 1.0',
      query: '',
      code: 'matcher_missing',
      sentence: /"match", "match_urlpattern" in/,
    },
  ]
  for (const { name, hub = 'both', query, code, sentence } of refused) {
    test(`${hub}: ${name} is refused`, async () => {
      const response = await fetch(`${hubs[hub].hubUrl}?${query}`)
      assert.match(await response.clone().text(), sentence)
      await assertRefused(response, 400, code)
    })
  }

  test('a token is asked for before a matcher', async () => {
    const { hubUrl } = hubs['both, and anonymous subscribers are refused']
    for (const query of ['', 'topic=a', 'match=a', 'matchRegexp=a', 'match_urlpattern=(']) {
      await assertRefused(await fetch(`${hubUrl}?${query}`), 401, 'token_missing')
    }
  })
})
