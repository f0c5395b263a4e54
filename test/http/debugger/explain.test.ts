import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { JWTPayload } from 'jose'
import type { Question } from '../../../src/http/question.ts'
import type { Explanation } from '../../../src/http/verdict.ts'
import { authorizationDetailType } from '../../../src/protocol/grant.ts'
import { type Settings, startHub, type TestHub } from '../../support/hub.ts'
import { sign } from '../../support/keys.ts'
import { signToken, testIssuer, testKey } from '../../support/token.ts'

const path = '/.well-known/mercure'
const actions = ['publish', 'subscribe', 'subscriptions'] as const

const ask = (hub: TestHub, question: object): Promise<Response> =>
  hub.fetch(`${path}/debug/explain`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(question),
  })

async function explain(hub: TestHub, question: Omit<Question, 'origin'>): Promise<Explanation> {
  const response = await ask(hub, question)
  const text = await response.text()
  assert.equal(response.status, 200, text)
  assert.equal(response.headers.get('Cache-Control'), 'no-store')
  return JSON.parse(text)
}

/** What the hub answers when it is not asked but used. */
async function use(hub: TestHub, { token, topics, matchers = [] }: Omit<Question, 'origin' | 'action'>) {
  const headers: Record<string, string> = { Authorization: `Bearer ${token}` }
  const body = new URLSearchParams(topics.map(topic => ['topic', topic]))
  const query = new URLSearchParams(matchers.map(({ kind, pattern }) => [parameters[kind], pattern]))
  return {
    publish: await answerOf(fetch(hub.hubUrl, { method: 'POST', headers, body })),
    subscribe: await answerOf(fetch(`${hub.hubUrl}?${query}`, { headers })),
    subscriptions: await answerOf(fetch(`${hub.hubUrl}/subscriptions`, { headers })),
  }
}

const parameters = { topic: 'topic', exact: 'match', urlpattern: 'match_urlpattern' } as const

async function answerOf(request: Promise<Response>) {
  const response = await request
  const challenge = response.headers.get('WWW-Authenticate')
  if (response.status === 200) {
    await response.body?.cancel()
    return { status: 200, answer: null, challenge }
  }
  return { status: response.status, answer: settled(await response.text()), challenge: settled(challenge) }
}

/** Without the seconds that pass between two answers. */
const settled = (text: string | null): string | null => text?.replace(/in \d+ s\)|\(\d+ s ago\)/, 'now') ?? null

const hubs: Record<string, Settings> = {
  'of both generations': { issuers: [testIssuer], subscriptions: true },
  'of 0.x without anonymous subscribers': {
    jwt_key: undefined,
    publisher_jwt_key: testKey,
    subscriber_jwt_key: `${testKey}\n`,
    allow_anonymous: false,
    subscriptions: true,
  },
  'of 1.0, one role for each issuer': {
    protocol: '1.0',
    allow_anonymous: false,
    subscriptions: true,
    issuers: [
      { id: testIssuer.id, publisher: testIssuer.publisher },
      { id: 'https://other.example', subscriber: testIssuer.subscriber },
    ],
  },
  'that verifies no subscribers': { jwt_key: undefined, publisher_jwt_key: testKey, subscriptions: true },
}

const oneOf = fc.constantFrom
const seconds = Math.floor(Date.now() / 1000)
const detail = (actions: unknown, topics: unknown, type = authorizationDetailType) => ({ type, actions, topics })
/** The first in ten of eleven. */
const mostly = <T>(first: T, ...others: T[]) =>
  fc.oneof({ weight: 10, arbitrary: fc.constant(first) }, { weight: 1, arbitrary: oneOf(...others) })

/** Tokens with every fault that there is, alone and together; many have none. */
const tokens = (hubUrl: string) =>
  fc.record({
    typ: oneOf<(string | undefined)[]>('JWT', undefined, 'at+jwt', 'at+jwt', 'application/at+JWT'),
    alg: mostly('HS256', 'HS512'),
    key: mostly(testKey, `${testKey}\n`, 'a-key-that-nobody-has-configured-at-all'),
    cut: mostly(0, 1, 20),
    claims: fc.record<JWTPayload>({
      iss: mostly<unknown>(testIssuer.id, 'https://other.example', 'https://unknown.example', 7, undefined),
      aud: mostly<unknown>(hubUrl, [hubUrl, 'x'], 'https://hub.example', '', undefined),
      exp: mostly<unknown>(seconds + 3600, seconds - 60, 'soon', null, undefined),
      nbf: mostly<unknown>(undefined, seconds - 60, seconds + 3600),
      mercure: mostly<unknown>(
        { publish: ['*'], subscribe: ['*'] },
        { publish: ['a', 'https://example.com/{id}'] },
        { subscribe: ['a', `${path}/subscriptions{/rest*}`] },
        { publish: 'a' },
        { publish: [1] },
        { subscribe: ['{'] },
        'all',
        null,
      ),
      authorization_details: mostly<unknown>(
        [detail(['publish', 'subscribe'], [{ match: '*' }])],
        [detail(['publish'], [{ match: 'a' }]), detail(['subscribe'], [{ match: '/:x', match_type: 'urlpattern' }])],
        [detail(['subscribe'], [{ match: `${path}/subscriptions` }])],
        [detail(['publish'], [{ match: '*' }], 'https://other.example/detail')],
        [detail([], [{ match: '*' }])],
        [detail(['publish'], ['*'])],
        [detail(['publish'], [{ match: '(', match_type: 'urlpattern' }])],
        {},
        undefined,
      ),
    } as Record<keyof JWTPayload, fc.Arbitrary<unknown>>),
  })

const topicLists = oneOf(
  ['a'],
  ['https://example.com/1'],
  ['a', 'b'],
  ['*'],
  [`${path}/x`],
  ['\u200b'],
  ['https://example.com/{unclosed'],
)

describe('POST debug/explain', () => {
  for (const [kind, settings] of Object.entries(hubs)) {
    test(`says of tokens what a hub ${kind} answers to them`, async () => {
      await using hub = await startHub({ debugger: true, ...settings })
      const counted = { accepted: 0, refused: 0 }
      const question = fc.record({
        made: tokens(hub.hubUrl),
        topics: topicLists,
        kind: oneOf('topic', 'exact', 'urlpattern'),
        action: oneOf(...actions),
      })
      await fc.assert(
        fc.asyncProperty(question, async ({ made: { typ, alg, key, cut, claims }, topics, kind, action }) => {
          const header = typ === undefined ? {} : { typ }
          const whole = await sign(claims, { alg, key: Buffer.from(key), header })
          const token = cut === 20 ? whole.slice(0, 20) : whole.slice(0, whole.length - cut)
          const matchers = topics.map(pattern => ({ kind, pattern }))
          const explanation = await explain(hub, { token, topics, matchers, action })
          const used = await use(hub, { token, topics, matchers })
          for (const name of actions) {
            const { accepted, status, code, message, challenge } = explanation.verdict[name]
            const said = {
              status,
              answer: accepted ? null : settled(`${code}: ${message}\n`),
              challenge: settled(challenge),
            }
            assert.deepEqual(said, used[name], name)
          }
          const { accepted, message } = explanation.verdict[action]
          const broken = explanation.checks.find(({ ok }) => !ok)
          assert.equal(broken === undefined, accepted)
          if (broken !== undefined) {
            assert.equal(
              settled([broken.says, broken.mend ?? []].flat().join(' ')),
              settled(message),
              'the first fault decides',
            )
          }
          counted[accepted ? 'accepted' : 'refused']++
        }),
        { numRuns: 100 },
      )
      assert.ok(counted.accepted > 0 && counted.refused > 0, JSON.stringify(counted))
    })
  }

  test('lists all that is wrong with a token, and what is in it', async () => {
    await using hub = await startHub({ debugger: true })
    const claims = { mercure: { publish: ['b'], subscribe: ['c'] }, exp: 1, sub: 'ada' }
    const token = await signToken(claims, 'another-key-that-is-long-enough-for-this')
    const explanation = await explain(hub, { token, action: 'publish', topics: ['a'] })
    assert.deepEqual(
      explanation.checks.map(({ check, ok }) => `${check} ${ok}`),
      [
        'credential true',
        'form true',
        'trust true',
        'algorithm true',
        'signature false',
        'times false',
        'claims true',
        'action false',
      ],
    )
    assert.deepEqual(explanation.claims, claims)
    assert.deepEqual(explanation.header, { alg: 'HS256' })
    assert.equal(explanation.generation, '0.x')
    assert.equal(explanation.expiresAt, '1970-01-01T00:00:01.000Z')
    assert.deepEqual(explanation.grants, {
      publish: [{ kind: 'topic', pattern: 'b' }],
      subscribe: [{ kind: 'topic', pattern: 'c' }],
    })
  })

  test('says which private updates a subscriber gets', async () => {
    await using hub = await startHub({ debugger: true })
    const token = await signToken({ mercure: { subscribe: ['https://example.com/{id}'] } })
    const topics = ['https://example.com/1', 'https://example.org/1']
    const { privateUpdates } = await explain(hub, { token, action: 'subscribe', topics })
    assert.deepEqual(privateUpdates, [
      { topic: topics[0], delivered: true },
      { topic: topics[1], delivered: false },
    ])
    const anonymous = await explain(hub, { token: '', action: 'subscribe', topics: ['a'] })
    assert.equal(anonymous.verdict.subscribe.accepted, true)
    assert.deepEqual(anonymous.privateUpdates, [{ topic: 'a', delivered: false }])
  })

  test('names what happened to a key only with demo', async () => {
    const token = await signToken({ mercure: { publish: ['*'] } }, `${testKey}\n`)
    const mendOf = async (settings: Settings) => {
      await using hub = await startHub({ debugger: true, ...settings })
      const { checks } = await explain(hub, { token, action: 'publish', topics: [] })
      return checks.find(({ check }) => check === 'signature')?.mend ?? ''
    }
    assert.match(await mendOf({ demo: true }), /with a line break at its end/)
    assert.doesNotMatch(await mendOf({}), /line break/)
  })

  test('refuses matchers as a subscription does', async () => {
    await using hub = await startHub({ debugger: true })
    const matchers = [{ kind: 'urlpattern' as const, pattern: '(' }]
    const { verdict } = await explain(hub, { token: '', action: 'subscribe', topics: [], matchers })
    assert.deepEqual([verdict.subscribe.status, verdict.subscribe.code], [400, 'matcher_invalid'])
  })

  for (const [what, body] of Object.entries({
    'no action': {},
    'an unknown action': { action: 'read' },
    'topics that are none': { action: 'publish', topics: 'a' },
    'a matcher of no kind': { action: 'subscribe', matchers: [{ kind: 'regexp', pattern: 'a' }] },
    'too many topics': { action: 'publish', topics: Array.from({ length: 1001 }, () => 'a') },
  })) {
    test(`refuses a question with ${what}`, async () => {
      await using hub = await startHub({ debugger: true })
      const response = await ask(hub, body)
      assert.equal(response.status, 400)
      assert.match(await response.text(), /^body_malformed: /)
    })
  }
})
