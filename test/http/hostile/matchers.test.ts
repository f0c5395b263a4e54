import assert from 'node:assert/strict'
import { after, afterEach, before, suite, test } from 'node:test'
import { hubPath } from '../../../src/protocol/topic.ts'
import { startHub, type TestHub } from '../../support/hub.ts'
import { assertDelivers, formHeader, repeat, request, testRows } from '../../support/raw-request.ts'

let hub: TestHub
before(async () => {
  hub = await startHub()
})
after(() => hub.close())
afterEach(() => assertDelivers(hub))

suite('matchers', () => {
  const matchers = (count: number, make: (index: number) => string) =>
    request(`HEAD ${hubPath}?${repeat(count, make, '&')} HTTP/1.1`)
  const query = (body: string) =>
    request(`QUERY ${hubPath} HTTP/1.1`, [formHeader, `Content-Length: ${body.length}`], body)
  testRows(
    () => hub,
    [
      {
        name: '1,000 selectors of 0.x in a URL',
        bytes: () => matchers(1000, i => `topic=https%3A%2F%2Fexample.com%2Fbooks%2F${i}%7B%3Fpage%7D`),
        status: 200,
      },
      {
        name: '1,001 selectors of 0.x',
        bytes: () => query(repeat(1001, i => `topic=${i}`, '&')),
        status: 400,
        code: 'matchers_too_many',
      },
      {
        name: '100 matchers',
        bytes: () => matchers(100, i => `match_urlpattern=https://example.com/${'x'.repeat(1000)}/${i}/:id`),
        status: 200,
      },
      {
        name: '101 matchers',
        bytes: () => query(repeat(101, i => `match=${i}`, '&')),
        status: 400,
        code: 'matchers_too_many',
      },
      {
        name: '101 matchers of two kinds',
        bytes: () => query(`${repeat(51, i => `match=${i}`, '&')}&${repeat(50, i => `match_urlpattern=/${i}`, '&')}`),
        status: 400,
        code: 'matchers_too_many',
      },
      {
        name: 'a matcher longer than 4,096 bytes',
        bytes: () => query(`match=${'a'.repeat(4097)}`),
        status: 400,
        code: 'matcher_too_long',
      },
      {
        name: 'a template longer than 4,096 bytes',
        bytes: () => query(`topic=${'{a}'.repeat(2000)}`),
        status: 400,
        code: 'matcher_too_long',
      },
      {
        name: 'a pattern that does not compile',
        bytes: () => query('match_urlpattern=/(unclosed'),
        status: 400,
        code: 'matcher_invalid',
      },
      {
        name: 'a template too large to be matched quickly',
        bytes: () => query(`topic=${'{a*},'.repeat(40)}`),
        status: 400,
        code: 'matcher_too_complex',
      },
      { name: 'no matcher', bytes: () => request(`GET ${hubPath} HTTP/1.1`), status: 400, code: 'matcher_missing' },
    ],
  )

  /** Each takes a backtracking engine longer than anybody waits. */
  const slow: readonly { readonly name: string; readonly query: string; readonly topic: string }[] = [
    { name: 'wildcards', query: `match_urlpattern=/${'*a'.repeat(40)}*b`, topic: `/${'a'.repeat(4000)}` },
    {
      name: 'groups',
      query: `match_urlpattern=/${encodeURIComponent('(.*)a'.repeat(40))}b`,
      topic: `/${'a'.repeat(4000)}`,
    },
    {
      name: 'nested repetition',
      query: `match_urlpattern=/${encodeURIComponent('((?:a+)+)b')}`,
      topic: `/${'a'.repeat(4000)}`,
    },
    {
      name: 'alternatives that overlap',
      query: `match_urlpattern=/${encodeURIComponent('((?:a|aa|a?)*)c')}`,
      topic: `/${'a'.repeat(4000)}`,
    },
    {
      name: 'template variables',
      query: `topic=${encodeURIComponent(`${'{+a}a'.repeat(40)}b`)}`,
      topic: 'a'.repeat(4000),
    },
    {
      name: 'exploded template variables',
      query: `topic=${encodeURIComponent(`${'{a*},'.repeat(8)}/b`)}`,
      topic: 'a,'.repeat(2000),
    },
  ]
  for (const { name, query, topic } of slow) {
    test(`a pattern of many ${name} holds nobody up`, { timeout: 10_000 }, async () => {
      const stream = await hub.subscribe(`${query}&topic=${encodeURIComponent('https://example.com/alive')}`)
      for (let i = 0; i < 20; i++) await hub.publish({ topic: `${topic.slice(0, -2)}${i}` })
      const id = await hub.publish({ topic: 'https://example.com/alive' })
      assert.deepEqual(
        (await stream.take()).map(event => event.id),
        [id],
        'nothing matched, and the stream goes on',
      )
      stream.close()
    })
  }
})
