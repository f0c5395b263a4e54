import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Claims, readGrant0x, readGrant1, authorizationDetailType as type } from '../../src/protocol/grant.ts'
import type { Matcher } from '../../src/protocol/matcher.ts'
import { compile, refuses } from '../support/authentication.ts'

const patterns = (matchers: readonly Matcher[] | null) =>
  matchers?.map(({ kind, pattern }) => `${kind} ${pattern}`) ?? null
const detail = (members: object) => ({
  type,
  actions: ['subscribe'],
  topics: [{ match: 'https://a.example/1' }],
  ...members,
})

describe('0.x: the mercure claim', () => {
  const namespaced = 'https://mercure.rocks/'
  const cases: { name: string; claims: Claims; publish: string[] | null; subscribe: string[] | null }[] = [
    { name: 'no claim at all grants nothing', claims: {}, publish: null, subscribe: null },
    { name: 'a null claim is none', claims: { mercure: null }, publish: null, subscribe: null },
    { name: 'an empty claim grants nothing', claims: { mercure: {} }, publish: null, subscribe: null },
    {
      name: 'null lists are none',
      claims: { mercure: { publish: null, subscribe: null } },
      publish: null,
      subscribe: null,
    },
    {
      name: 'an empty list speaks of the role and grants no topic',
      claims: { mercure: { publish: [], subscribe: [] } },
      publish: [],
      subscribe: [],
    },
    {
      name: 'selectors of all three sorts',
      claims: { mercure: { publish: ['*'], subscribe: ['https://a.example/1', 'https://a.example/{id}'] } },
      publish: ['topic *'],
      subscribe: ['topic https://a.example/1', 'topic https://a.example/{id}'],
    },
    {
      name: 'the namespaced claim alone',
      claims: { [namespaced]: { publish: ['a'] } },
      publish: ['topic a'],
      subscribe: null,
    },
    {
      name: 'the namespaced claim replaces the other wholesale',
      claims: { mercure: { publish: ['a'], subscribe: ['b'] }, [namespaced]: { publish: ['c'] } },
      publish: ['topic c'],
      subscribe: null,
    },
    {
      name: 'a namespaced null replaces nothing',
      claims: { mercure: { publish: ['a'] }, [namespaced]: null },
      publish: ['topic a'],
      subscribe: null,
    },
    {
      name: 'the claims of 1.0 are not read',
      claims: { authorization_details: [detail({})] },
      publish: null,
      subscribe: null,
    },
  ]
  for (const { name, claims, publish, subscribe } of cases) {
    test(name, () => {
      const grant = readGrant0x(claims, compile)
      assert.equal(grant.generation, '0.x')
      assert.deepEqual(patterns(grant.publish), publish)
      assert.deepEqual(patterns(grant.subscribe), subscribe)
    })
  }

  test('a thousand selectors are read, one more is refused', async () => {
    const selectors = Array.from({ length: 1001 }, (_, i) => `t${i}`)
    assert.equal(readGrant0x({ mercure: { publish: selectors.slice(1) } }, compile).publish?.length, 1000)
    await refuses(() => readGrant0x({ mercure: { publish: selectors } }, compile), {
      code: 'token_claims',
      sentence: /mercure\.publish has 1001 topic selectors, at most 1000/,
      generation: '0.x',
    })
  })

  const broken: { claims: Claims; sentence: RegExp }[] = [
    { claims: { mercure: 'publish' }, sentence: /mercure is not an object/ },
    { claims: { mercure: ['*'] }, sentence: /mercure is not an object/ },
    { claims: { mercure: { publish: '*' } }, sentence: /mercure\.publish is not a list/ },
    { claims: { mercure: { subscribe: { 0: '*' } } }, sentence: /mercure\.subscribe is not a list/ },
    { claims: { mercure: { publish: ['a', 1] } }, sentence: /mercure\.publish\[1\] is not a string/ },
    { claims: { mercure: { subscribe: [null] } }, sentence: /mercure\.subscribe\[0\] is not a string/ },
    {
      claims: { [namespaced]: 1, mercure: { publish: ['*'] } },
      sentence: /https:\/\/mercure\.rocks\/ is not an object/,
    },
  ]
  for (const { claims, sentence } of broken) {
    test(`refused: ${JSON.stringify(claims)}`, async () => {
      await refuses(() => readGrant0x(claims, compile), { code: 'token_claims', sentence, generation: '0.x' })
    })
  }

  test('the payload belongs to every subscription; null is none', () => {
    const withPayload = (payload: unknown) => readGrant0x({ mercure: { payload } }, compile)
    assert.deepEqual(withPayload({ user: 'ada' }).payloadFor(compile('topic', 'anything')), { user: 'ada' })
    assert.equal(withPayload('ada').payloadFor(compile('exact', 'x')), 'ada')
    assert.equal(withPayload(false).payloadFor(compile('exact', 'x')), false)
    assert.equal(withPayload(null).payloadFor(compile('exact', 'x')), undefined)
  })
})

describe('1.0: authorization_details', () => {
  const cases: { name: string; details: unknown; publish: string[] | null; subscribe: string[] | null }[] = [
    { name: 'none', details: undefined, publish: null, subscribe: null },
    { name: 'an empty list', details: [], publish: null, subscribe: null },
    {
      name: 'exact is the default type',
      details: [detail({ topics: [{ match: 'a' }, { match: 'b', match_type: 'exact' }, { match: '*' }] })],
      publish: null,
      subscribe: ['exact a', 'exact b', 'exact *'],
    },
    {
      name: 'URL Patterns',
      details: [
        detail({ actions: ['publish'], topics: [{ match: 'https://a.example/:id', match_type: 'urlpattern' }] }),
      ],
      publish: ['urlpattern https://a.example/:id'],
      subscribe: null,
    },
    {
      name: 'both actions in one detail, and details added up',
      details: [
        detail({ actions: ['publish', 'subscribe'] }),
        detail({ actions: ['publish'], topics: [{ match: 'b' }] }),
      ],
      publish: ['exact https://a.example/1', 'exact b'],
      subscribe: ['exact https://a.example/1'],
    },
    {
      name: 'an unknown action grants nothing',
      details: [detail({ actions: ['delete'] }), detail({ actions: ['Publish'] })],
      publish: null,
      subscribe: null,
    },
    {
      name: 'details of other types are ignored, whatever their shape',
      details: [
        { type: 'payment', actions: 5, topics: 'x' },
        { topics: null },
        { type: 7 },
        detail({ type: 'mercure' }),
        detail({}),
      ],
      publish: null,
      subscribe: ['exact https://a.example/1'],
    },
  ]
  for (const { name, details, publish, subscribe } of cases) {
    test(name, () => {
      const grant = readGrant1(
        { authorization_details: details, mercure: { publish: ['*'], subscribe: ['*'] } },
        compile,
      )
      assert.equal(grant.generation, '1.0')
      assert.deepEqual(patterns(grant.publish), publish)
      assert.deepEqual(patterns(grant.subscribe), subscribe)
    })
  }

  const broken: { name: string; details: unknown; sentence: RegExp }[] = [
    { name: 'an object', details: detail({}), sentence: /authorization_details is not a list/ },
    { name: 'a string', details: '[]', sentence: /authorization_details is not a list/ },
    { name: 'an entry that is no object', details: [detail({}), 'x'], sentence: /\[1\] is not an object/ },
    { name: 'no actions', details: [detail({ actions: undefined })], sentence: /\[0\]\.actions is not a list/ },
    { name: 'empty actions', details: [detail({ actions: [] })], sentence: /\[0\]\.actions .* at least one/ },
    {
      name: 'actions as a string',
      details: [detail({ actions: 'publish' })],
      sentence: /\[0\]\.actions is not a list/,
    },
    {
      name: 'an action that is no string',
      details: [detail({ actions: ['publish', 1] })],
      sentence: /actions\[1\] is not a string/,
    },
    { name: 'no topics', details: [detail({ topics: undefined })], sentence: /\[0\]\.topics is not a list/ },
    { name: 'empty topics', details: [detail({ topics: [] })], sentence: /\[0\]\.topics .* at least one/ },
    {
      name: 'a topic as a bare string',
      details: [detail({ topics: ['a'] })],
      sentence: /topics\[0\] is not an object; .*"match"/,
    },
    { name: 'a null topic', details: [detail({ topics: [null] })], sentence: /topics\[0\] is not an object/ },
    {
      name: 'no match',
      details: [detail({ topics: [{ match_type: 'exact' }] })],
      sentence: /topics\[0\]\.match is not a string/,
    },
    {
      name: 'an empty match',
      details: [detail({ topics: [{ match: '' }] })],
      sentence: /\.match is not a string with at least one/,
    },
    {
      name: 'an unknown type',
      details: [detail({ topics: [{ match: 'a', match_type: 'regexp' }] })],
      sentence: /match_type is neither/,
    },
    {
      name: 'a type in capitals',
      details: [detail({ topics: [{ match: 'a', match_type: 'Exact' }] })],
      sentence: /match_type is neither/,
    },
    {
      name: 'the kind of 0.x',
      details: [detail({ topics: [{ match: 'a', match_type: 'topic' }] })],
      sentence: /match_type is neither/,
    },
    {
      name: 'a control character',
      details: [detail({ topics: [{ match: 'a\u0000b' }] })],
      sentence: /\.match contains a forbidden/,
    },
    {
      name: 'a pattern that does not compile',
      details: [
        detail({}),
        detail({ topics: [{ match: 'a' }, { match: 'https://a.example/{', match_type: 'urlpattern' }] }),
      ],
      sentence: /authorization_details\[1\]\.topics\[1\]: /,
    },
    { name: 'too many details', details: Array.from({ length: 101 }, () => detail({})), sentence: /at most 100/ },
    {
      name: 'too many topics in all',
      details: [
        detail({ topics: Array.from({ length: 60 }, (_, i) => ({ match: `a${i}` })) }),
        detail({ topics: Array.from({ length: 41 }, (_, i) => ({ match: `b${i}` })) }),
      ],
      sentence: /at most 100 topics in all/,
    },
  ]
  for (const { name, details, sentence } of broken) {
    test(`one bad detail refuses the token: ${name}`, async () => {
      await refuses(() => readGrant1({ authorization_details: details }, compile), {
        code: 'token_claims',
        sentence,
        generation: '1.0',
      })
    })
  }

  test('a hundred topics are read, and as many details beside any number of others', () => {
    const details = Array.from({ length: 100 }, (_, i) => detail({ topics: [{ match: `a${i}` }] }))
    const others = Array.from({ length: 200 }, () => ({ type: 'other' }))
    assert.equal(readGrant1({ authorization_details: [...others, ...details] }, compile).subscribe?.length, 100)
  })

  test('the payload is that of the first subscribe detail that covers the pattern of the subscription', () => {
    const { payloadFor } = readGrant1(
      {
        authorization_details: [
          detail({ actions: ['publish'], topics: [{ match: '*' }], payload: 'of a publisher' }),
          detail({ topics: [{ match: 'https://a.example/1' }], payload: { place: 1 } }),
          detail({ topics: [{ match: 'https://a.example/silent' }] }),
          detail({ topics: [{ match: 'https://a.example/:id', match_type: 'urlpattern' }], payload: 'pattern' }),
          detail({
            topics: [{ match: 'urn:all' }, { match: 'https://b.example/:id', match_type: 'exact' }],
            payload: 'text',
          }),
        ],
      },
      compile,
    )
    assert.deepEqual(payloadFor(compile('exact', 'https://a.example/1')), { place: 1 })
    assert.equal(payloadFor(compile('exact', 'https://a.example/2')), 'pattern')
    assert.equal(payloadFor(compile('urlpattern', 'https://b.example/:id')), 'text')
    assert.equal(
      payloadFor(compile('exact', 'https://a.example/silent')),
      undefined,
      'the first decides, with a payload or without',
    )
    assert.equal(payloadFor(compile('exact', 'https://elsewhere.example/')), undefined)
  })

  test('the payload of * goes to every subscription', () => {
    const { payloadFor } = readGrant1(
      { authorization_details: [detail({ topics: [{ match: '*' }], payload: 1 })] },
      compile,
    )
    assert.equal(payloadFor(compile('urlpattern', 'https://a.example/:id')), 1)
  })
})

describe('the bearer', () => {
  for (const read of [readGrant0x, readGrant1]) {
    test(`${read.name}: sub, jti and exp`, () => {
      const { subject, tokenId, expiresAt } = read({ sub: 'ada', jti: 'j1', exp: 1_800_000_000.25 }, compile)
      assert.deepEqual({ subject, tokenId, expiresAt }, { subject: 'ada', tokenId: 'j1', expiresAt: 1_800_000_000_250 })
    })
    test(`${read.name}: what is not there is none; a time beyond all dates is the last date`, () => {
      const none = read({ exp: undefined }, compile)
      assert.deepEqual([none.subject, none.tokenId, none.expiresAt], [undefined, undefined, undefined])
      const last = read({ exp: 1e300 }, compile).expiresAt
      assert.equal(Number.isNaN(new Date(last ?? Number.NaN).getTime()), false)
    })
  }
})

describe('sub and jti', () => {
  const read = (sub: unknown, jti: unknown) => {
    const { subject, tokenId } = readGrant0x({ sub, jti }, compile)
    return { subject, tokenId }
  }

  test('0.x: numbers are taken as text, null is none', () => {
    assert.deepEqual(read('ada', '7'), { subject: 'ada', tokenId: '7' })
    assert.deepEqual(read(42, -1), { subject: '42', tokenId: '-1' })
    assert.deepEqual(read(null, undefined), { subject: undefined, tokenId: undefined })
  })

  for (const name of ['sub', 'jti']) {
    for (const value of [1.5, 2 ** 53, true, ['ada'], {}]) {
      test(`0.x: refused: ${JSON.stringify({ [name]: value })}`, async () => {
        const sentence = new RegExp(`token's ${name} is not a string`)
        await refuses(() => readGrant0x({ [name]: value }, compile), {
          code: 'token_claims',
          sentence,
          generation: '0.x',
        })
      })
    }
    for (const value of [42, null]) {
      test(`1.0: refused: ${JSON.stringify({ [name]: value })}`, async () => {
        const sentence = new RegExp(`token's ${name} is not a string`)
        await refuses(() => readGrant1({ [name]: value }, compile), {
          code: 'token_claims',
          sentence,
          generation: '1.0',
        })
      })
    }
  }
})
