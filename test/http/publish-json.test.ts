import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { HubError } from '../../src/errors.ts'
import type { Update } from '../../src/protocol/update.ts'
import { openTransport } from '../../transports/index.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { marker, receivedBy } from '../support/marker.ts'
import { mine, type PublisherTokens, page, startPublisherSite, theirs } from '../support/publisher-site.ts'
import { assertRefused, assertSecured } from '../support/refusal.ts'
import { bearer } from '../support/subscriptions.ts'
import { signToken } from '../support/token.ts'

const generations = ['0.x', '1.0'] as const
const maxBodyBytes = 64 * 1024
const types = { json: 'application/json', ndjson: 'application/x-ndjson' } as const

let hub: TestHub
let tokens: PublisherTokens
before(async () => {
  ;({ hub, tokens } = await startPublisherSite(maxBodyBytes))
})
after(() => hub.close())

interface Fate {
  readonly id?: string
  readonly replayed?: true
  readonly error?: { readonly code: string; readonly message: string; readonly status: number }
}

const post = (
  contentType: string,
  body: string | Uint8Array<ArrayBuffer>,
  { token = tokens['1.0'].wide, headers = {}, to = hub }: { token?: string; headers?: object; to?: TestHub } = {},
) =>
  to.fetch('/.well-known/mercure', {
    method: 'POST',
    headers: { ...(token === '' ? {} : bearer(token)), 'Content-Type': contentType, ...headers },
    body,
  })

async function fatesOf(response: Response): Promise<Fate[]> {
  const text = await response.text()
  assert.equal(response.status, 200, text)
  assertSecured(response)
  if (response.headers.get('content-type') === types.json) return JSON.parse(text)
  assert.equal(response.headers.get('content-type'), types.ndjson)
  assert.ok(text.endsWith('\n'))
  return text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}

/** Sends a batch in a format. */
const postAll = (format: keyof typeof types, updates: readonly unknown[], options?: Parameters<typeof post>[2]) =>
  post(
    types[format],
    format === 'json' ? JSON.stringify(updates) : updates.map(update => `${JSON.stringify(update)}\n`).join(''),
    options,
  )

/** The id of each that was published, the code and the status of each other. */
const briefly = (fates: readonly Fate[]) =>
  fates.map(({ id, error }) => id ?? (error === undefined ? 'nothing' : `${error.status} ${error.code}`))

for (const format of ['ndjson', 'json'] as const) {
  suite(`a batch of ${format}`, () => {
    for (const generation of generations) {
      test(`is published in its order, and answered in it, generation ${generation}`, async () => {
        const stream = await hub.subscribe(`topic=${mine}&topic=${marker}`)
        const updates = Array.from({ length: 1000 }, (_, i) => ({ topic: mine, id: `urn:${i}` }))
        const fates = await fatesOf(await postAll(format, updates, { token: tokens[generation].wide }))
        const ids = updates.map(({ id }) => id)
        assert.deepEqual(
          fates,
          ids.map(id => ({ id })),
        )
        const [events = []] = await receivedBy(hub, stream)
        assert.deepEqual(
          events.map(({ id }) => id),
          ids,
        )
        stream.close()
      })

      test(`is checked one by one, generation ${generation}`, async () => {
        const stream = await hub.subscribe(`topic=${mine}&topic=${theirs}&topic=${marker}`)
        const reserved = generation === '0.x' ? 403 : 400
        const denied = generation === '0.x' ? 401 : 403
        const updates = [
          [{ topic: mine, id: 'first' }, 'first'],
          [{ topic: theirs }, `${denied} topic_not_granted`],
          [{ topic: [mine, theirs] }, `${denied} topic_not_granted`],
          [{ topic: mine, id: 'second', data: 'x\ny', type: 't', retry: 5 }, 'second'],
          [{ data: 'x' }, '400 topic_missing'],
          [{ topic: [] }, '400 topic_missing'],
          [{ topic: Array(1001).fill(mine) }, '400 topics_too_many'],
          [{ topic: mine, id: 'a\nb' }, '400 id_invalid'],
          [{ topic: mine, id: 'a'.repeat(1025) }, '400 id_invalid'],
          [{ topic: mine, type: '\0' }, '400 type_invalid'],
          [{ topic: 1 }, '400 topic_invalid'],
          [{ topic: [mine, null] }, '400 topic_invalid'],
          [{ topic: { mine } }, '400 topic_invalid'],
          [{ topic: mine, data: { sold: true } }, '400 data_invalid'],
          [{ topic: mine, data: 1 }, '400 data_invalid'],
          [{ topic: mine, id: 1 }, '400 id_invalid'],
          [{ topic: mine, type: [] }, '400 type_invalid'],
          [{ topic: mine, retry: '5' }, '400 retry_invalid'],
          [{ topic: mine, retry: -1 }, '400 retry_invalid'],
          [{ topic: mine, retry: 1.5 }, '400 retry_invalid'],
          [{ topic: mine, retry: 1e300 }, '400 retry_invalid'],
          [{ topic: mine, private: 'on' }, '400 body_malformed'],
          [{ topic: mine, private: 1 }, '400 body_malformed'],
          [{ topics: [mine] }, '400 body_malformed'],
          [{ topic: mine, Data: 'x' }, '400 body_malformed'],
          [JSON.parse(`{"topic": "${mine}", "__proto__": {"private": true}}`), '400 body_malformed'],
          [null, '400 body_malformed'],
          ['text', '400 body_malformed'],
          [[{ topic: mine }], '400 body_malformed'],
          [{ topic: mine, id: 'third', data: null, type: null, retry: null, private: null }, 'third'],
        ] as const
        const token = tokens[generation].narrow
        const fates = await fatesOf(
          await postAll(
            format,
            updates.map(([update]) => update),
            { token },
          ),
        )
        assert.deepEqual(
          briefly(fates),
          updates.map(([, fate]) => fate),
        )
        for (const { error } of fates) if (error !== undefined) assert.match(error.message, /^[A-Zat"].*\.$/s)
        const wide = await postAll(format, [{ topic: '/.well-known/mercure/subscriptions/x' }], {
          token: tokens[generation].wide,
        })
        assert.deepEqual(briefly(await fatesOf(wide)), [`${reserved} topic_reserved`])
        assert.deepEqual(await receivedBy(hub, stream), [
          [
            { id: 'first', event: undefined, data: '' },
            { id: 'second', event: 't', data: 'x\ny' },
            { id: 'third', event: undefined, data: '' },
          ],
        ])
        assert.match(stream.text, /\nretry: 5\n/)
        stream.close()
      })
    }

    test('has ids of its own where it names none', async () => {
      const fates = await fatesOf(
        await postAll(format, [{ topic: mine }, { topic: mine, id: '' }, { topic: mine, id: null }]),
      )
      for (const { id } of fates) assert.match(id ?? '', /^urn:uuid:[0-9a-f-]{36}$/)
      assert.equal(new Set(fates.map(({ id }) => id)).size, 3)
    })

    test('keeps what is private for those who may have it', async () => {
      const headers = bearer(await signToken({ mercure: { subscribe: [mine] } }))
      const query = `topic=${mine}&topic=${marker}`
      const [anybody, somebody] = [await hub.subscribe(query), await hub.subscribe(query, { headers })]
      const updates = [true, false].map(isPrivate => ({ topic: mine, id: `${isPrivate}`, private: isPrivate }))
      await fatesOf(await postAll(format, updates))
      const received = (await receivedBy(hub, anybody, somebody)).map(events => events.map(({ id }) => id))
      assert.deepEqual(received, [['false'], ['true', 'false']])
      anybody.close()
      somebody.close()
    })

    test('with half a character: U+FFFD in 0.x, refused in 1.0', async () => {
      const stream = await hub.subscribe(`topic=${mine}&topic=${marker}`)
      const update = { topic: mine, data: 'a\ud800b' }
      const [old] = await fatesOf(await postAll(format, [update], { token: tokens['0.x'].wide }))
      assert.ok(old?.id)
      const current = [update, { topic: 'a\udc00' }, { topic: mine, id: '\ud800' }, { topic: mine, type: '\ud800' }]
      assert.deepEqual(briefly(await fatesOf(await postAll(format, current))), [
        '400 data_invalid',
        '400 topic_invalid',
        '400 id_invalid',
        '400 type_invalid',
      ])
      const [events] = await receivedBy(hub, stream)
      assert.deepEqual(
        events?.map(({ data }) => data),
        ['a\ufffdb'],
      )
      stream.close()
    })

    test('is refused as a whole where its sender may publish nothing', async () => {
      for (const generation of generations) {
        const options = { token: tokens[generation].none }
        const status = generation === '0.x' ? 401 : 403
        await assertRefused(await postAll(format, [{ topic: mine }], options), status, 'publish_not_granted')
        await assertRefused(await post(types[format], 'no JSON', options), status, 'publish_not_granted')
      }
      await assertRefused(await postAll(format, [{ topic: mine }], { token: '' }), 401, 'token_missing')
    })

    test('of a page with a cookie is the same as a form: its origin decides', async () => {
      const cookie = `__Secure-mercure_access_token=${tokens['1.0'].wide}`
      const send = (headers: object) =>
        postAll(format, [{ topic: mine }], { token: '', headers: { Cookie: cookie, ...headers } })
      await assertRefused(await send({}), 400, 'origin_missing')
      await assertRefused(await send({ Origin: 'https://evil.example' }), 400, 'origin_refused')
      assert.equal((await fatesOf(await send({ Origin: page }))).length, 1)
    })

    test('is refused as a whole where it is too large, or too many', async () => {
      const large = [{ topic: mine, data: 'x'.repeat(maxBodyBytes) }]
      await assertRefused(await postAll(format, large), 413, 'body_too_large')
      await assertRefused(await postAll(format, Array(1001).fill({ topic: mine })), 400, 'updates_too_many')
      await assertRefused(await postAll(format, Array(1001).fill(0)), 400, 'updates_too_many')
    })

    test('is refused as a whole where nothing of it is JSON', async () => {
      for (const body of ['', ' ', '\n', 'topic=a', '{', '{"topic":"a"', `{"topic":"a"}{"topic":"b"}`, '\0']) {
        await assertRefused(await post(types[format], body), 400, 'body_malformed')
      }
      const latin1 = new Uint8Array(Buffer.from('{"topic":"\xe9"}', 'latin1'))
      await assertRefused(await post(types[format], latin1), 400, 'body_malformed')
    })

    test('may be deep and wide', async () => {
      for (const body of ['['.repeat(30_000), '{"a":'.repeat(10_000), '[]\n'.repeat(1000)]) {
        assert.ok([200, 400].includes((await post(types[format], body)).status))
      }
    })

    test('says of each what became of it where the log fails in between', async () => {
      await using other = await startHub({}, async (url, context) => {
        const transport = await openTransport(url, context)
        const publish = transport.publish.bind(transport)
        return Object.assign(transport, {
          publish: (update: Update) => {
            if (update.id === 'away') return Promise.reject(new HubError('transport_unavailable', 'It is down.'))
            if (update.id === 'defect') throw new Error('a password of the backend')
            return publish(update)
          },
        })
      })
      const ids = ['a', 'away', 'b', 'defect', 'c']
      const stream = await other.subscribe('topic=a')
      const answer = await postAll(
        format,
        ids.map(id => ({ topic: 'a', id })),
        { to: other, token: tokens['0.x'].wide },
      )
      assert.deepEqual(await fatesOf(answer), [
        { id: 'a' },
        { error: { code: 'transport_unavailable', message: 'It is down.', status: 503 } },
        { id: 'b' },
        { error: { code: 'internal', message: 'Internal Server Error', status: 500 } },
        { id: 'c' },
      ])
      assert.deepEqual(
        (await stream.take(3)).map(({ id }) => id),
        ['a', 'b', 'c'],
      )
      await other.logged(({ level, err }) => level === 50 && JSON.stringify(err).includes('a password'))
      const line = await other.logged(({ msg }) => msg === 'updates of a batch refused')
      assert.deepEqual([line.updates, line.refused, line.reasons], [5, 2, { transport_unavailable: 'It is down.' }])
    })

    test('reaches the log in one turn, and so in one commit', async () => {
      const turns: number[] = []
      await using other = await startHub({}, async (url, context) => {
        const transport = await openTransport(url, context)
        const publish = transport.publish.bind(transport)
        let turn = 0
        return Object.assign(transport, {
          publish: (update: Update) => {
            if (turns.length === 0) setImmediate(() => turn++)
            turns.push(turn)
            return publish(update)
          },
        })
      })
      await fatesOf(await postAll(format, Array(100).fill({ topic: 'a' }), { to: other, token: tokens['0.x'].wide }))
      assert.deepEqual(turns, Array(100).fill(0))
    })

    test('counts each of it', async () => {
      const counts = async () => {
        const text = await (await hub.fetch('/metrics')).text()
        const read = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
        return ['mercure_updates_total', 'talaria_requests_refused_total\\{code="topic_missing"\\}'].map(read)
      }
      const before = await counts()
      await fatesOf(await postAll(format, [{ topic: mine }, {}, { topic: mine }, { topic: mine }, {}]))
      assert.deepEqual(
        (await counts()).map((count, i) => count - before[i]!),
        [3, 2],
      )
    })

    test('takes as much of a limit as it has updates', async () => {
      await using limited = await startHub({ limits: { publishes_per_second_per_subject: 50 } })
      const token = await signToken({ sub: 'somebody', mercure: { publish: ['*'] } })
      const options = { to: limited, token }
      let next: Response
      do next = await postAll(format, Array(50).fill({ topic: 'a' }), options)
      while (next.status === 200)
      assert.equal(next.headers.get('retry-after'), '1')
      await assertRefused(next, 429, 'publishes_of_subject_too_many')
    })

    test("may not be more than a second's where that is limited", async () => {
      await using limited = await startHub({ limits: { publishes_per_second: 20 } })
      const token = await signToken({ mercure: { publish: ['*'] } })
      const refused = await postAll(format, Array(21).fill({ topic: 'a' }), { to: limited, token })
      assert.match(await refused.clone().text(), /20 \(limits\.publishes_per_second\); this one has 21/)
      await assertRefused(refused, 400, 'updates_too_many')
      await fatesOf(await postAll(format, Array(20).fill({ topic: 'a' }), { to: limited, token }))
    })

    test('with an Idempotency-Key is stored once, each of it', async () => {
      const stream = await hub.subscribe(`topic=${mine}&topic=${marker}`)
      const updates = [{ topic: mine, data: '1' }, {}, { topic: mine, data: '2' }]
      const headers = { 'Idempotency-Key': `"${format}"` }
      const first = await fatesOf(await postAll(format, updates, { headers }))
      const again = await fatesOf(await postAll(format, updates, { headers }))
      const [one, wrong, two] = first
      assert.deepEqual(again, [{ id: one!.id, replayed: true }, wrong, { id: two!.id, replayed: true }])
      const changed = await fatesOf(await postAll(format, [{ topic: mine, data: '3' }], { headers }))
      assert.deepEqual(briefly(changed), ['422 idempotency_key_reused'])
      const [events] = await receivedBy(hub, stream)
      assert.deepEqual(
        events?.map(({ data }) => data),
        ['1', '2'],
      )
      stream.close()
    })
  })
}

suite('lines', () => {
  const spellings: readonly (readonly [name: string, body: string])[] = [
    ['without an end', '{"topic":"a"}\n{"topic":"b"}'],
    ['ended as on Windows', '{"topic":"a"}\r\n{"topic":"b"}\r\n'],
    ['with empty ones between', '\n{"topic":"a"}\n\n \t\r\n{"topic":"b"}\n\n'],
    ['after a byte order mark', '\ufeff{"topic":"a"}\n{"topic":"b"}\n'],
    ['with a line separator of Unicode inside', '{"topic":"a","data":"\u2028"}\n{"topic":"b"}\n'],
  ]
  for (const [name, body] of spellings) {
    test(name, async () => {
      const fates = await fatesOf(await post(`${types.ndjson}; charset=utf-8`, body))
      assert.deepEqual(
        fates.map(({ id }) => id?.slice(0, 9)),
        ['urn:uuid:', 'urn:uuid:'],
      )
    })
  }

  test('one that is not JSON is refused alone, and not quoted', async () => {
    const fates = await fatesOf(await post(types.ndjson, '{"topic":"a"}\n{"data":"a secret"\n{"topic":"b"}\n'))
    assert.deepEqual(fates[1], { error: { code: 'body_malformed', message: 'This line is not JSON.', status: 400 } })
    assert.ok(fates[0]?.id && fates[2]?.id)
  })
})

suite('a body that is compressed', () => {
  for (const type of [types.json, types.ndjson, 'application/x-www-form-urlencoded']) {
    test(`is refused as that, ${type}`, async () => {
      const response = await post(type, Uint8Array.from(gzipSync('{"topic":"a"}')), {
        headers: { 'Content-Encoding': 'gzip' },
      })
      assert.match(await response.clone().text(), /Content-Encoding: "gzip".*Send it as it is/)
      await assertRefused(response, 400, 'body_malformed')
    })
  }

  test('is none with the coding that changes nothing', async () => {
    const { status } = await post(types.json, '{"topic":"a"}', { headers: { 'Content-Encoding': 'Identity' } })
    assert.equal(status, 200)
  })
})

suite('an array', () => {
  test('without updates publishes none', async () => {
    assert.deepEqual(await fatesOf(await post(types.json, '[]')), [])
  })
})

suite('one object', () => {
  for (const generation of generations) {
    test(`is published, and answered as one, generation ${generation}`, async () => {
      const { wide } = tokens[generation]
      const stream = await hub.subscribe(`topic=${mine}&topic=${marker}`)
      const body = JSON.stringify({ topic: [mine, theirs], id: generation, data: 'x', type: 't' }, null, 2)
      const response = await post(types.json, body, { token: wide })
      assert.equal(response.headers.get('content-type'), types.json)
      assert.equal(await response.text(), `{"id":"${generation}"}\n`)
      assert.equal(response.status, 200)
      assertSecured(response)
      assert.deepEqual(await receivedBy(hub, stream), [[{ id: generation, event: 't', data: 'x' }]])
      stream.close()
    })

    test(`is refused as a form is, generation ${generation}`, async () => {
      const { wide, narrow, none } = tokens[generation]
      const denied = generation === '0.x' ? 401 : 403
      const send = (update: unknown, token = wide) => post(types.json, JSON.stringify(update), { token })
      await assertRefused(await send({ data: 'x' }), 400, 'topic_missing')
      await assertRefused(await send({ topic: mine, target: 'x' }), 400, 'body_malformed')
      await assertRefused(await send({ topic: mine, retry: '1' }), 400, 'retry_invalid')
      await assertRefused(await send(1), 400, 'body_malformed')
      await assertRefused(await send({ topic: theirs }, narrow), denied, 'topic_not_granted')
      await assertRefused(await send({ topic: theirs }, none), denied, 'publish_not_granted')
    })
  }

  test('with an Idempotency-Key is stored once', async () => {
    const send = () =>
      post(types.json, JSON.stringify({ topic: mine }), { headers: { 'Idempotency-Key': '"one-object"' } })
    const [first, second] = [await send(), await send()]
    assert.equal(first.headers.get('idempotency-replayed'), null)
    assert.equal(second.headers.get('idempotency-replayed'), 'true')
    assert.equal(await second.text(), await first.text())
  })
})
