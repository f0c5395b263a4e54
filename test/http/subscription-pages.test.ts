import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Generation } from '../../src/protocol/generation.ts'
import { Connection } from '../support/connection.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { assertRefused } from '../support/refusal.ts'
import { type ApiAnswer, bearer, readerTokens, readSubscriptions, subscriptionsPath } from '../support/subscriptions.ts'
import { testIssuer } from '../support/token.ts'

const generations = ['0.x', '1.0'] as const
const collections: readonly (readonly [generation: Generation, path: string, count: number])[] = [
  ['0.x', subscriptionsPath, 12],
  ['1.0', subscriptionsPath, 12],
  ['0.x', `${subscriptionsPath}/a+b`, 3],
  ['1.0', `${subscriptionsPath}/exact/a%20b`, 3],
  ['1.0', `${subscriptionsPath}/exact/nobody`, 0],
]

let hub: TestHub
let tokens: Record<Generation, string>
before(async () => {
  hub = await startHub({ subscriptions: true, issuers: [testIssuer] })
  tokens = await readerTokens(hub)
  for (let i = 0; i < 3; i++) {
    await hub.subscribe('topic=a+b&topic=b&topic=%C3%A9&topic=https%3A%2F%2Fexample.com%2F%7Bid%7D')
    await hub.subscribe('match=a+b&match=b&match=%C3%A9&match_urlpattern=https%3A%2F%2Fexample.com%2F%3Aid')
  }
})
after(() => hub.close())

const idsOf = ({ document }: ApiAnswer): string[] => document.subscriptions.map(({ id }: { id: string }) => id)

/** Where the next page is, by the Link header. */
const nextOf = ({ headers }: ApiAnswer): string | undefined =>
  /<([^<>]*)>; rel="next"/.exec(headers.get('link') ?? '')?.[1]

async function read(generation: Generation, path: string): Promise<ApiAnswer> {
  const answer = await readSubscriptions(hub, path, tokens[generation])
  assert.equal(answer.status, 200, answer.text)
  return answer
}

/** The ids of every page, beginning with the one at this path. */
async function readPages(generation: Generation, path: string): Promise<string[][]> {
  const pages: string[][] = []
  for (let next: string | undefined = path; next !== undefined; ) {
    const answer: ApiAnswer = await read(generation, next)
    pages.push(idsOf(answer))
    next = nextOf(answer)
  }
  return pages
}

suite('pages', () => {
  for (const [generation, path, count] of collections) {
    test(`${generation}: those of ${path} hold what it lists, each once and in the order of ids`, async () => {
      const expected = idsOf(await read(generation, path)).sort()
      assert.equal(expected.length, count)
      for (const limit of [1, 2, 3, 5, 11, 12, 13, 1000]) {
        const pages = await readPages(generation, `${path}?limit=${limit}`)
        assert.deepEqual(pages.flat(), expected)
        assert.ok(pages.slice(0, -1).every(page => page.length === limit))
        assert.equal(pages.length, Math.max(1, Math.ceil(count / limit)))
      }
    })
  }

  for (const generation of generations) {
    test(`${generation}: what a page says beside its list is what the list says`, async () => {
      const { text, document, headers } = await read(generation, subscriptionsPath)
      const page = await read(generation, `${subscriptionsPath}?limit=2`)
      const id = generation === '0.x' ? `${subscriptionsPath}?limit=2` : subscriptionsPath
      const { subscriptions, ...own } = page.document
      assert.equal(subscriptions.length, 2)
      for (const item of subscriptions) assert.ok(document.subscriptions.some(isLike(item)))
      const { subscriptions: _, ...whole } = document
      assert.deepEqual(own, { ...whole, id })
      assert.deepEqual(Object.keys(page.document), Object.keys(document))
      for (const name of ['content-type', 'etag', 'vary', 'cache-control']) {
        assert.equal(page.headers.get(name), headers.get(name))
      }
      const beside = page.headers.get('link')!.replace(/(, )?<[^<>]*>; rel="next"$/, '')
      assert.equal(beside === '' ? null : beside, headers.get('link'))
      assert.ok(text.includes('"subscriptions"'))
    })
  }

  test('it begins after an id, whether or not that is still there', async () => {
    const all = idsOf(await read('1.0', subscriptionsPath)).sort()
    const after = (id: string) => `${subscriptionsPath}?after=${encodeURIComponent(id)}`
    assert.deepEqual(idsOf(await read('1.0', after(all[4]!))), all.slice(5))
    assert.deepEqual(idsOf(await read('1.0', after(`${all[4]!}-gone`))), all.slice(5))
    assert.deepEqual(idsOf(await read('1.0', after(''))), all)
    assert.deepEqual(idsOf(await read('1.0', after('~'))), [])
  })

  test('those who stay are on one page each while others come and go', async () => {
    const stay = idsOf(await read('1.0', subscriptionsPath)).sort()
    let path: string | undefined = `${subscriptionsPath}?limit=3`
    const seen: string[] = []
    while (path !== undefined) {
      const stream = await hub.subscribe('match=A&match=a&match=z')
      const answer: ApiAnswer = await read('1.0', path)
      seen.push(...idsOf(answer))
      path = nextOf(answer)
      stream.close()
    }
    assert.deepEqual(
      seen.filter(id => stay.includes(id)),
      stay,
    )
    assert.equal(new Set(seen).size, seen.length)
  })

  test('the address of the next page keeps the other parameters, but not the token', async () => {
    const query = `a=%22&authorization=${tokens['0.x']}&limit=2&%61uthorization=x&b`
    const response = await hub.fetch(`${subscriptionsPath}?${query}&after=`, { headers: bearer(tokens['0.x']) })
    const link = response.headers.get('link') ?? ''
    assert.match(link, /^<\/\.well-known\/mercure\/subscriptions\?a=%22&limit=2&b&after=%2F[^&<>]*>; rel="next"$/)
    const { id } = (await response.json()) as { id: string }
    assert.equal(id, `${subscriptionsPath}?a=%22&limit=2&b&after=`)
  })
})

const isLike = (item: object) => (other: object) => JSON.stringify(other) === JSON.stringify(item)

suite('a count', () => {
  for (const [generation, path, count] of collections) {
    test(`${generation}: of ${path}`, async () => {
      for (const query of ['count=1', 'limit=1&count=1']) {
        const { document, headers } = await read(generation, `${path}?${query}`)
        assert.deepEqual(document, {
          ...(generation === '0.x' && { '@context': 'https://mercure.rocks/' }),
          id: generation === '0.x' ? `${path}?${query}` : path,
          type: generation === '0.x' ? 'Subscriptions' : 'subscriptions',
          ...(generation === '0.x' && { lastEventID: hub.running.hub.lastEventId }),
          count,
        })
        assert.doesNotMatch(headers.get('link') ?? '', /rel="next"/)
      }
    })
  }
})

suite('what is no such parameter', () => {
  for (const query of ['limit=0', 'limit=1001', 'limit=-1', 'limit=1.5', 'limit=', 'limit', 'limit=x', 'after=%zz']) {
    test(query, async () => {
      for (const generation of generations) {
        const headers = { ...bearer(tokens[generation]), 'If-None-Match': '*' }
        const answer = await hub.fetch(`${subscriptionsPath}?${query}`, { headers })
        await assertRefused(answer, 400, 'list_parameter_invalid')
      }
    })
  }

  for (const query of ['count=0', 'count=', 'count=true']) {
    test(query, async () => {
      const answer = await hub.fetch(`${subscriptionsPath}?${query}`, { headers: bearer(tokens['1.0']) })
      await assertRefused(answer, 400, 'list_parameter_invalid')
    })
  }

  test('another parameter means nothing, even one that cannot be decoded', async () => {
    const plain = await read('1.0', subscriptionsPath)
    for (const query of ['Limit=1', 'limits=1', 'a=%zz', '%zz=limit', 'a=limit', '&&']) {
      assert.equal((await read('1.0', `${subscriptionsPath}?${query}`)).text, plain.text)
    }
  })

  test('one subscription is the same with any of them', async () => {
    const [id] = idsOf(await read('1.0', subscriptionsPath))
    assert.equal((await read('1.0', `${id}?limit=x&count=1&after=z`)).text, (await read('1.0', id!)).text)
  })
})

suite('whoever keeps an answer', () => {
  for (const generation of generations) {
    test(`${generation}: asks again, and not for others`, async () => {
      const [id] = idsOf(await read(generation, subscriptionsPath))
      for (const path of [subscriptionsPath, `${subscriptionsPath}?limit=1`, `${subscriptionsPath}?count=1`, id!]) {
        const { headers } = await read(generation, path)
        const again = await hub.fetch(path, {
          headers: { ...bearer(tokens[generation]), 'If-None-Match': headers.get('etag')! },
        })
        assert.equal(again.status, 304)
        for (const answer of [headers, again.headers]) {
          assert.equal(answer.get('cache-control'), 'private, no-cache')
          assert.equal(answer.get('vary'), 'Accept, Authorization, Cookie')
        }
      }
    })
  }

  test('the origin of a page tells, too, where its answers are for some', async () => {
    await using other = await startHub({ subscriptions: true, cors_allowed_origins: ['https://app.example'] })
    const { headers } = await readSubscriptions(other, subscriptionsPath, (await readerTokens(other))['0.x'])
    assert.equal(headers.get('vary'), 'Origin, Accept, Authorization, Cookie')
  })
})

suite('a long list', () => {
  const topics = Array.from({ length: 1000 }, (_, i) => `${i}`)
  let crowded: TestHub
  let token: string
  before(async () => {
    crowded = await startHub({ subscriptions: true })
    token = (await readerTokens(crowded))['0.x']
    const query = new URLSearchParams(topics.map(topic => ['topic', topic]))
    for (let i = 0; i < 20; i++) await crowded.subscribe('', { method: 'QUERY', body: query })
  })
  after(() => crowded.close())

  test('comes whole, and in the order of a short one', async () => {
    const { text, document } = await readSubscriptions(crowded, subscriptionsPath, token)
    assert.deepEqual(
      document.subscriptions.map(({ topic }: { topic: string }) => topic),
      Array(20).fill(topics).flat(),
    )
    assert.equal(text, JSON.stringify(document, null, 2))
  })

  test('is given up by who goes away, and others get it', async () => {
    const target = `GET ${subscriptionsPath} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${token}\r\n\r\n`
    for (let i = 0; i < 3; i++) {
      const connection = await Connection.open(crowded.url)
      connection.send(target)
      await connection.until(text => text.includes('"subscriptions": ['))
      connection.close()
    }
    const { document } = await readSubscriptions(crowded, subscriptionsPath, token)
    assert.equal(document.subscriptions.length, 20_000)
    assert.deepEqual(
      crowded.logs.filter(({ level }) => Number(level) >= 40),
      [],
    )
  })

  test('is read as a head alone', async () => {
    const head = await crowded.fetch(subscriptionsPath, { method: 'HEAD', headers: bearer(token) })
    assert.equal(head.status, 200)
    assert.equal(await head.text(), '')
  })
})

test('topics as long as a request make no long links, and each is on one page', async () => {
  await using hub = await startHub({ subscriptions: true })
  const token = (await readerTokens(hub))['0.x']
  const long = Array.from({ length: 6 }, (_, i) => `https://example.com/${'é'.repeat(1500)}${i}`)
  const query = new URLSearchParams([...long, 'a', 'z'].map(topic => ['topic', topic]))
  await hub.subscribe('', { method: 'QUERY', body: query })
  const whole = idsOf(await readSubscriptions(hub, subscriptionsPath, token))
  for (const limit of [1, 3]) {
    const found: string[] = []
    for (let next: string | undefined = `${subscriptionsPath}?limit=${limit}`; next !== undefined; ) {
      const answer: ApiAnswer = await readSubscriptions(hub, next, token)
      found.push(...idsOf(answer))
      assert.ok((answer.headers.get('link') ?? '').length < 2000)
      next = nextOf(answer)
    }
    assert.deepEqual(found.sort(), whole.toSorted())
  }
  const [first = '', ...rest] = idsOf(await readSubscriptions(hub, `${subscriptionsPath}?limit=1000`, token))
  const after = `${subscriptionsPath}?after=${encodeURIComponent(first)}`
  assert.deepEqual(idsOf(await readSubscriptions(hub, after, token)), rest)
})
