import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ErrorCode } from '../../src/errors.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { marker, receivedBy } from '../support/marker.ts'
import { mine, type PublisherTokens, page, type Reach, startPublisherSite, theirs } from '../support/publisher-site.ts'
import { assertRefused, assertSecured } from '../support/refusal.ts'
import { signToken, subscriberToken } from '../support/token.ts'

const generations = ['0.x', '1.0'] as const
const form = 'application/x-www-form-urlencoded'
const maxBodyBytes = 16 * 1024

let hub: TestHub
let tokens: PublisherTokens
before(async () => {
  ;({ hub, tokens } = await startPublisherSite(maxBodyBytes))
})
after(() => hub.close())

interface Request {
  readonly token: string | null
  /** Latin-1: one byte a character. */
  readonly body: string
  /** `null`: none. */
  readonly contentType?: string | null
  readonly search?: string
  readonly headers?: Record<string, string>
}

const post = ({ token, body, contentType = form, search = '', headers = {} }: Request): Promise<Response> =>
  fetch(hub.hubUrl + search, {
    method: 'POST',
    headers: {
      ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
      ...(contentType === null ? {} : { 'Content-Type': contentType }),
      ...headers,
    },
    // Bytes, for which fetch makes up no Content-Type.
    body: Buffer.from(body, 'latin1'),
  })

async function idOf(response: Response): Promise<string> {
  const body = await response.text()
  assert.equal(response.status, 200, body)
  return body
}

const bodyOf = (fields: Record<string, string | string[]>): string => {
  const body = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) body.append(name, one)
  return body.toString()
}

suite('the first thing that is wrong is the one that is named', () => {
  /** Everything behind the topic is wrong: `retry` and the rest. */
  const wrong = 'id=%23%0D&type=mercure%0D&data=%FF'
  const wrongRetry = `retry=x&${wrong}`
  const reserved = 'topic=/.well-known/mercure'
  type Answer = readonly [status: number, code: ErrorCode] | 200
  const rows: readonly (readonly [step: string, token: Reach | null, body: string, old: Answer, current?: Answer])[] = [
    ['1: the token', null, 'x'.repeat(maxBodyBytes + 1), [401, 'token_missing']],
    [
      '1: a claim for publishing',
      'none',
      'x'.repeat(maxBodyBytes + 1),
      [401, 'publish_not_granted'],
      [413, 'body_too_large'],
    ],
    ['2: the size of the body', 'narrow', `%zz${'x'.repeat(maxBodyBytes)}`, [413, 'body_too_large']],
    ['2: the form of the body', 'narrow', `${wrongRetry}&a=%zz`, [400, 'body_malformed']],
    ['3: at least one topic', 'narrow', wrongRetry, [400, 'topic_missing']],
    ['4: at most 1,000 topics', 'narrow', `${'topic=%01&'.repeat(1001)}${wrongRetry}`, [400, 'topics_too_many']],
    [
      '5: the characters of topics',
      'narrow',
      `topic=%01&${wrongRetry}`,
      [400, 'retry_invalid'],
      [400, 'topic_invalid'],
    ],
    ['6: retry', 'narrow', `${reserved}&${wrongRetry}`, [400, 'retry_invalid']],
    [
      '7: a grant for the topic',
      'narrow',
      `${reserved}&${wrong}`,
      [401, 'topic_not_granted'],
      [403, 'topic_not_granted'],
    ],
    ['7: any grant', 'none', `${reserved}&${wrong}`, [401, 'publish_not_granted'], [403, 'publish_not_granted']],
    ["8: the hub's namespace", 'wide', `${reserved}&${wrong}`, [403, 'topic_reserved'], [400, 'topic_reserved']],
    ['9: the wildcard', 'wide', `topic=*&${wrong}`, [400, 'id_invalid'], [400, 'topic_wildcard']],
    ['10: id', 'wide', `topic=a&${wrong}`, [400, 'id_invalid']],
    ['11: type', 'wide', 'topic=a&type=mercure%0D&data=%FF', [400, 'type_invalid']],
    ['12: data', 'wide', 'topic=a&data=%FF', 200, [400, 'data_invalid']],
  ]
  for (const [step, token, body, old, current = old] of rows) {
    for (const generation of generations) {
      test(`step ${step}, generation ${generation}`, async () => {
        const answer = generation === '0.x' ? old : current
        const response = await post({ token: token && tokens[generation][token], body })
        if (answer === 200) await idOf(response)
        else await assertRefused(response, ...answer)
      })
    }
  }
})

suite('grants', () => {
  const rows: readonly (readonly [name: string, reach: Reach, topics: string[], granted: boolean])[] = [
    ['the topic', 'narrow', [mine], true],
    ['another topic', 'narrow', [theirs], false],
    ['the canonical topic but not the alternate', 'narrow', [mine, theirs], false],
    ['the alternate but not the canonical topic', 'narrow', [theirs, mine], false],
    ['every topic', 'wide', [mine, theirs], true],
    ['no topic', 'none', [mine], false],
  ]
  for (const generation of generations) {
    for (const [name, reach, topics, granted] of rows) {
      for (const kind of ['public', 'private']) {
        test(`${name} is granted, a ${kind} update, generation ${generation}: ${granted ? 'stored' : 'refused'}`, async () => {
          const body = bodyOf({ topic: topics, ...(kind === 'private' ? { private: 'on' } : {}) })
          const response = await post({ token: tokens[generation][reach], body })
          if (granted) await idOf(response)
          else
            await assertRefused(
              response,
              generation === '0.x' ? 401 : 403,
              reach === 'none' ? 'publish_not_granted' : 'topic_not_granted',
            )
        })
      }
    }
  }

  test('an empty list of 0.x grants no topic', async () => {
    const token = await signToken({ mercure: { publish: [] } })
    await assertRefused(await post({ token, body: `topic=${mine}` }), 401, 'topic_not_granted')
  })
})

suite("topics in the hub's namespace", () => {
  type Verdict = 'reserved' | 'free'
  const rows: readonly (readonly [topic: string, old: Verdict, current: Verdict])[] = [
    ['/.well-known/mercure', 'reserved', 'reserved'],
    ['/.well-known/mercure/', 'reserved', 'reserved'],
    ['/.well-known/mercure/subscriptions', 'reserved', 'reserved'],
    ['/.well-known/mercure?a=b', 'reserved', 'reserved'],
    ['/.well-known/mercure#a', 'reserved', 'reserved'],
    ['//evil.example/.well-known/mercure', 'reserved', 'reserved'],
    ['https://any.example/.well-known/mercure/x', 'reserved', 'reserved'],
    ['HTTPS://ANY.EXAMPLE:8443/.well-known/mercure', 'reserved', 'reserved'],
    ['x/../.well-known/mercure', 'reserved', 'free'],
    ['/x/../.well-known/mercure', 'reserved', 'reserved'],
    ['/.well-known/mercure-x', 'reserved', 'free'],
    ['https://h.example/foo/.well-known/mercure/bar', 'reserved', 'free'],
    ['', 'free', 'reserved'],
    [' ', 'free', 'reserved'],
    ['mercure', 'free', 'reserved'],
    [' mercure ', 'free', 'reserved'],
    ['./mercure', 'free', 'reserved'],
    ['../.well-known/./mercure', 'free', 'reserved'],
    ['mercure/x', 'free', 'reserved'],
    ['#foo', 'free', 'reserved'],
    ['?a=b', 'free', 'reserved'],
    ['%6Dercure', 'free', 'reserved'],
    ['/.well%2Dknown/%6d%65rcure', 'free', 'reserved'],
    ['https://any.example/%2Ewell-known/mercure', 'free', 'reserved'],
    ['/.well-known/%2e/mercure', 'free', 'reserved'],
    ['\\.well-known\\mercure', 'free', 'reserved'],
    ['https:\\\\any.example\\.well-known\\mercure', 'free', 'reserved'],
    ['foo', 'free', 'free'],
    ['bar', 'free', 'free'],
    ['Mercure', 'free', 'free'],
    ['/.WELL-KNOWN/mercure', 'free', 'free'],
    ['%4Dercure', 'free', 'free'],
    ['/.well-known%2Fmercure/x', 'free', 'free'],
    ['../mercure/x', 'free', 'free'],
    ['urn:example:mercure', 'free', 'free'],
    ['https://example.com/mercure', 'free', 'free'],
  ]
  for (const [topic, old, current] of rows) {
    test(`${JSON.stringify(topic)}: ${old} in 0.x, ${current} in 1.0`, async () => {
      for (const [generation, verdict] of [
        ['0.x', old],
        ['1.0', current],
      ] as const) {
        // A private update is no way around it, nor is an alternate topic.
        const body = bodyOf({ topic: [theirs, topic], private: '' })
        const response = await post({ token: tokens[generation].wide, body })
        if (verdict === 'free') await idOf(response)
        else await assertRefused(response, generation === '0.x' ? 403 : 400, 'topic_reserved')
      }
    })
  }

  test('the topic * is free in 0.x and no topic in 1.0', async () => {
    await idOf(await post({ token: tokens['0.x'].wide, body: 'topic=*' }))
    await assertRefused(await post({ token: tokens['1.0'].wide, body: 'topic=*' }), 400, 'topic_wildcard')
  })
})

suite('the body', () => {
  const contentTypes: readonly (readonly [name: string, contentType: string | null, code?: ErrorCode])[] = [
    ['a form', form],
    ['a form with a charset', `${form}; charset=UTF-8`],
    ['a form in capitals', form.toUpperCase()],
    ['a form before a semicolon', `${form} ;`],
    ['no Content-Type', null, 'topic_missing'],
    ['text', 'text/plain;charset=UTF-8', 'topic_missing'],
    ['JSON, which it is not', 'application/json', 'body_malformed'],
    ['lines of JSON, which they are not', 'application/x-ndjson', 'body_malformed'],
    ['JSON of another kind', 'application/ld+json', 'topic_missing'],
    ['a form of several parts', 'multipart/form-data; boundary=x', 'topic_missing'],
    ['no type before the parameters', '; charset=UTF-8', 'body_malformed'],
    ['a type without a subtype', 'form', 'body_malformed'],
    ['a subtype that is empty', 'application/', 'body_malformed'],
    ['two types', `${form} ${form}`, 'body_malformed'],
    ['two slashes', 'application//x-www-form-urlencoded', 'body_malformed'],
  ]
  for (const [name, contentType, code] of contentTypes) {
    test(`${name}: ${code ?? 'read'}`, async () => {
      for (const generation of generations) {
        const response = await post({ token: tokens[generation].wide, body: `topic=${mine}`, contentType })
        if (code === undefined) await idOf(response)
        else await assertRefused(response, 400, code)
      }
    })
  }

  const sizes: readonly (readonly [name: string, body: string, status: number, code?: ErrorCode])[] = [
    ['as large as it may be', `topic=a&data=${'x'.repeat(maxBodyBytes - 13)}`, 200],
    ['a byte larger', `topic=a&data=${'x'.repeat(maxBodyBytes - 12)}`, 413, 'body_too_large'],
    ['with 1,000 topics', 'topic=a&'.repeat(1000), 200],
    ['with 1,001 topics', 'topic=a&'.repeat(1001), 400, 'topics_too_many'],
    ['empty', '', 400, 'topic_missing'],
    ['with an empty name', '=a', 400, 'topic_missing'],
    ['with a topic of another case', 'Topic=a', 400, 'topic_missing'],
    ['with a broken escape', 'topic=a&data=%', 400, 'body_malformed'],
    ['with a broken escape in a field that nobody reads', 'topic=a&other=%g0', 400, 'body_malformed'],
  ]
  for (const [name, body, status, code] of sizes) {
    test(`${name}: ${code ?? status}`, async () => {
      for (const generation of generations) {
        const response = await post({ token: tokens[generation].wide, body })
        if (code === undefined) await idOf(response)
        else await assertRefused(response, status, code)
      }
    })
  }

  test('of any size where there is no limit', async () => {
    await using unlimited = await startHub({ max_request_body_size: '0' })
    const stream = await unlimited.subscribe('topic=a')
    const data = 'x'.repeat(3 << 20)
    await unlimited.publish({ topic: 'a', data })
    assert.ok((await stream.take())[0]?.data === data)
  })
})

suite('fields', () => {
  const retries: readonly (readonly [retry: string, expected: string | null])[] = [
    ['', ''],
    ['0', ''],
    ['000', ''],
    ['1', 'retry: 1\n'],
    ['0042', 'retry: 42\n'],
    ['86400000', 'retry: 86400000\n'],
    ['-1', null],
    ['+1', null],
    ['1.5', null],
    ['1e3', null],
    ['0x10', null],
    ['1 ', null],
    ['one', null],
    ['99999999999999999999', null],
  ]
  for (const generation of generations) {
    for (const [retry, expected] of retries) {
      test(`retry ${JSON.stringify(retry)}, generation ${generation}: ${expected === null ? 'refused' : 'stored'}`, async () => {
        const stream = await hub.subscribe(`topic=${mine}`)
        const response = await post({ token: tokens[generation].wide, body: bodyOf({ topic: mine, retry, id: 'r' }) })
        if (expected === null) await assertRefused(response, 400, 'retry_invalid')
        else {
          await idOf(response)
          await stream.take()
          assert.ok(stream.text.endsWith(`\nretry: 3000\n${expected}id: r\ndata: \n\n`), stream.text)
        }
        stream.close()
      })
    }
  }

  const presence: readonly (readonly [field: string, isPrivate: boolean])[] = [
    ['private=on', true],
    ['private', true],
    ['private=', true],
    ['private=off', true],
    ['private=0', true],
    ['private=false', true],
    ['private&private=on', true],
    ['a=b', false],
    ['Private=on', false],
    ['data=private', false],
  ]
  for (const generation of generations) {
    for (const [field, isPrivate] of presence) {
      test(`${field}, generation ${generation}: ${isPrivate ? 'private' : 'public'}`, async () => {
        const headers = { Authorization: `Bearer ${await subscriberToken([mine])}` }
        const query = `topic=${mine}&topic=${marker}`
        const [anybody, somebody] = [await hub.subscribe(query), await hub.subscribe(query, { headers })]
        const id = await idOf(await post({ token: tokens[generation].wide, body: `topic=${mine}&${field}` }))
        const received = (await receivedBy(hub, anybody, somebody)).map(events => events.map(event => event.id))
        assert.deepEqual(received, [isPrivate ? [] : [id], [id]])
        anybody.close()
        somebody.close()
      })
    }
  }

  test('the first of a repeated field counts, and a field that nobody knows does not', async () => {
    const stream = await hub.subscribe(`topic=${mine}`)
    const body = `a=b&id=one&id=two&topic=${mine}&data=first&data=second&type=t&type=u&retry=1&retry=x&target=x&event=y`
    assert.equal(await idOf(await post({ token: tokens['0.x'].wide, body })), 'one')
    await stream.take()
    assert.ok(stream.text.endsWith('\nevent: t\nretry: 1\nid: one\ndata: first\n\n'), stream.text)
    stream.close()
  })

  test('the query of the address is not part of the update', async () => {
    const [token, search] = [tokens['0.x'].wide, `?topic=${theirs}&data=x&private=on&id=%23&retry=x`]
    await assertRefused(await post({ token, body: '', search }), 400, 'topic_missing')
    const stream = await hub.subscribe(`topic=${mine}&topic=${theirs}&topic=${marker}`)
    const id = await idOf(await post({ token, body: `topic=${mine}`, search }))
    assert.deepEqual(await receivedBy(hub, stream), [[{ id, event: undefined, data: '' }]])
    stream.close()
  })

  test("the query's matchers do not change where the token is looked for", async () => {
    const { wide } = tokens['1.0']
    const headers = { Cookie: `mercureAuthorization=no-token; __Secure-mercure_access_token=${wide}`, Origin: page }
    for (const search of ['', '?topic=a', '?match=a', '?topic=a&match=a']) {
      await idOf(await post({ token: null, body: `topic=${mine}`, search, headers }))
    }
    const authorization = `authorization=${tokens['0.x'].wide}`
    await idOf(await post({ token: null, body: `topic=${mine}`, search: `?match=a&${authorization}` }))
  })
})

suite('what was stored', () => {
  for (const generation of generations) {
    test(`the answer is the id and nothing else, generation ${generation}`, async () => {
      const { wide } = tokens[generation]
      const given = ['urn:example:1', '<html>', 'größe 🚀', '{"a":1}', '0']
      for (const id of given) {
        const response = await post({ token: wide, body: bodyOf({ topic: mine, id }) })
        assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8')
        assertSecured(response)
        assert.equal(await idOf(response), id)
      }
      for (const body of [`topic=${mine}`, `topic=${mine}&id=`]) {
        const id = await idOf(await post({ token: wide, body }))
        assert.match(id, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      }
    })

    test(`reaches the subscribers of each of its topics, each once, generation ${generation}`, async () => {
      const canonical = await hub.subscribe(`topic=${mine}&topic=${marker}`)
      const alternate = await hub.subscribe(`match=${theirs}&match=${marker}`)
      const both = await hub.subscribe(`topic=${mine}&topic=${theirs}&match_urlpattern=https://example.com/*`)
      const body = bodyOf({ topic: [mine, theirs, mine], data: 'x\r\ny' })
      const id = await idOf(await post({ token: tokens[generation].wide, body }))
      const streams = [canonical, alternate, both]
      assert.deepEqual(await receivedBy(hub, ...streams), Array(3).fill([{ id, event: undefined, data: 'x\ny' }]))
      for (const stream of streams) stream.close()
    })
  }

  test('an id that was used before is used again, and means the earliest when it is resumed from', async () => {
    const topic = 'https://example.com/again'
    for (const [id, data] of [
      ['0', 'zero'],
      ['same', 'one'],
      ['same', 'two'],
      ['2', 'three'],
      ['same', 'four'],
    ]) {
      assert.equal(
        await idOf(await post({ token: tokens['1.0'].wide, body: bodyOf({ topic, id: id!, data: data! }) })),
        id,
      )
    }
    const stream = await hub.subscribe(`topic=${topic}&last_event_id=same`)
    await stream.take(3)
    assert.deepEqual(stream.data, ['two', 'three', 'four'])
    stream.close()
  })

  test('is counted, and what was refused is counted by its code', async () => {
    const before = await figures()
    await post({ token: tokens['1.0'].wide, body: `topic=${mine}` })
    await post({ token: tokens['1.0'].wide, body: '' })
    await post({ token: null, body: `topic=${mine}` })
    const after = await figures()
    for (const name of ['mercure_updates_total', refused('topic_missing'), refused('token_missing')]) {
      assert.equal((after.get(name) ?? 0) - (before.get(name) ?? 0), 1, name)
    }
  })

  const refused = (code: ErrorCode): string => `talaria_requests_refused_total{code="${code}"}`

  async function figures(): Promise<Map<string, number>> {
    const text = await (await hub.fetch('/metrics')).text()
    return new Map([...text.matchAll(/^(\w+(?:\{.*\})?) (\d+)$/gm)].map(([, name, value]) => [name!, Number(value)]))
  }
})
