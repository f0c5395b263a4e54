import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startHub, type TestHub } from '../support/hub.ts'
import { bearer } from '../support/subscriptions.ts'
import { publisherToken, signAccessToken, signToken, testIssuer } from '../support/token.ts'

const topic = 'https://example.com/orders'
const page = 'https://app.example'

describe('Idempotency-Key', () => {
  let hub: TestHub
  before(async () => {
    const second = { ...testIssuer, id: 'https://second.example' }
    hub = await startHub({
      issuers: [testIssuer, second],
      cors_allowed_origins: [page],
      metrics_enabled: true,
      metrics_addr: '',
    })
  })
  after(() => hub.close())

  let keys = 0
  const newKey = () => `key-${keys++}`
  const publish = async (key: string, fields: Record<string, string> = {}, headers: Record<string, string> = {}) => {
    const body = new URLSearchParams({ topic, data: 'x', ...fields })
    const answer = await hub.post(body, { headers: { 'Idempotency-Key': key, ...headers } })
    const text = await answer.text()
    return { status: answer.status, text, replayed: answer.headers.get('Idempotency-Replayed') }
  }
  /** The data of what is published meanwhile. */
  const storedDuring = async (body: () => Promise<void>): Promise<string[]> => {
    const stream = await hub.subscribe('topic=*')
    await body()
    await hub.publish({ topic, data: 'end' })
    await stream.until(text => text.includes('data: end\n'))
    stream.close()
    return stream.data.slice(0, -1)
  }

  test('the same request again has the first answer, and stores nothing', async () => {
    const stored = await storedDuring(async () => {
      const key = newKey()
      const first = await publish(`"${key}"`, { data: 'once' })
      assert.deepEqual(first, { status: 200, text: first.text, replayed: null })
      assert.match(first.text, /^urn:uuid:/)
      for (const same of [`"${key}"`, key]) {
        assert.deepEqual(await publish(same, { data: 'once' }), { status: 200, text: first.text, replayed: 'true' })
      }
      const named = { id: 'mine', data: 'named' }
      for (const replayed of [null, 'true']) {
        assert.deepEqual(await publish(`${key}-named`, named), { status: 200, text: 'mine', replayed })
      }
    })
    assert.deepEqual(stored, ['once', 'named'])
  })

  test('the same request many times at once is stored once', async () => {
    const stored = await storedDuring(async () => {
      const key = newKey()
      const answers = await Promise.all(Array.from({ length: 20 }, () => publish(key)))
      assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
      assert.equal(answers.filter(({ status, replayed }) => status === 200 && replayed === 'true').length, 19)
    })
    assert.deepEqual(stored, ['x'])
  })

  test('another request with the same key is refused, whatever is different', async () => {
    const stored = await storedDuring(async () => {
      const key = newKey()
      const { text: id } = await publish(key)
      const differences = [
        { data: 'y' },
        { topic: `${topic}/1` },
        { id: 'given' },
        { id },
        { type: 't' },
        { retry: '1' },
        { private: 'on' },
      ]
      for (const difference of differences) {
        const { status, text, replayed } = await publish(key, difference as Record<string, string>)
        assert.equal(status, 422, JSON.stringify(difference))
        assert.match(text, /^idempotency_key_reused: /)
        assert.equal(replayed, null)
      }
    })
    assert.deepEqual(stored, ['x'])
  })

  test('a key is 1 to 255 visible characters, in quotation marks or bare', async () => {
    const stored = await storedDuring(async () => {
      const long = 'k'.repeat(255)
      const all = String.fromCharCode(...Array.from({ length: 94 }, (_, i) => 0x21 + i))
      for (const key of [
        `"${long}"`,
        long,
        `"${all.replace(/["\\]/g, '\\$&')}"`,
        'a=b:c/d+e',
        '8e03978e-40d5',
        '"\\""',
      ]) {
        await publish(key)
      }
      const bad = [
        ...[
          '',
          ' ',
          '""',
          '"',
          '"a',
          'a"',
          '"a b"',
          'a b',
          'a\tb',
          'a, b',
          '"a", "b"',
          '"a";b',
          '\\"',
          '"\\a"',
          '"ä"',
          'ä',
        ],
        ...['k'.repeat(256), `"${'k'.repeat(256)}"`],
      ]
      for (const key of bad) {
        const { status, text } = await publish(key, { data: 'bad' })
        assert.equal(status, 400, key)
        assert.match(text, /^idempotency_key_invalid: Idempotency-Key: /)
      }
    })
    // The second is the first without its marks.
    assert.deepEqual(stored, ['x', 'x', 'x', 'x', 'x'])
  })

  test('a key is its publisher’s: subject, issuer and generation tell them apart', async () => {
    const details = [{ actions: ['publish'], topics: [{ match: '*' }] }]
    const legacy = (claims: object) => signToken({ mercure: { publish: ['*'] }, ...claims })
    const access = (claims: Record<string, unknown>) => signAccessToken(hub.hubUrl, details, claims)
    const tokens = [
      await legacy({}),
      await legacy({ sub: 'ada' }),
      await legacy({ sub: 'bob' }),
      await access({ sub: 'ada' }),
      await access({ sub: 'bob' }),
      await access({ sub: 'ada', iss: 'https://second.example' }),
    ]
    const key = newKey()
    const ids: string[] = []
    for (const replayed of [null, 'true']) {
      for (const [i, token] of tokens.entries()) {
        const answer = await publish(key, { data: `${i}` }, bearer(token))
        assert.deepEqual([answer.status, answer.replayed], [200, replayed])
        ids.push(answer.text)
      }
    }
    assert.equal(new Set(ids).size, tokens.length)
    // Another token of the same subject, as after a renewal, is the same publisher.
    const renewed = await publish(key, { data: '1' }, bearer(await legacy({ sub: 'ada', jti: 'another' })))
    assert.deepEqual([renewed.text, renewed.replayed], [ids[1], 'true'])
  })

  test('a request that is refused leaves its key free, and a key opens nothing', async () => {
    const key = newKey()
    assert.equal((await publish(key, { retry: 'soon' })).status, 400)
    assert.equal((await publish(key)).replayed, null)
    const narrow = bearer(await publisherToken('https://example.com/other'))
    const { status, text } = await publish(key, {}, narrow)
    assert.equal(status, 401)
    assert.match(text, /^topic_not_granted/)
  })

  test('repetitions are counted, and are no updates', async () => {
    const count = async (name: string) => {
      const text = await (await hub.fetch('/metrics')).text()
      return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1])
    }
    const [updates, repeated] = ['mercure_updates_total', 'talaria_publishes_repeated_total'] as const
    const before = [await count(updates), await count(repeated)] as const
    const key = newKey()
    for (let i = 0; i < 3; i++) await publish(key)
    assert.deepEqual([await count(updates), await count(repeated)], [before[0] + 1, before[1] + 2])
  })

  test('pages of other origins may send it, and see that an answer was given before', async () => {
    const preflight = await fetch(hub.hubUrl, {
      method: 'OPTIONS',
      headers: { Origin: page, 'Access-Control-Request-Method': 'POST' },
    })
    assert.match(preflight.headers.get('Access-Control-Allow-Headers')!, /\bidempotency-key\b/)
    assert.match(preflight.headers.get('Access-Control-Expose-Headers')!, /\bIdempotency-Replayed\b/)
  })
})
