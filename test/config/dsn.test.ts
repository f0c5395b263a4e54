import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseDsn, readOptions, redactDsn, schemes } from '../../src/config/dsn.ts'
import { HubError } from '../../src/errors.ts'

/** The sentence of a refusal; fails where there is none. */
function refusal(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    assert.ok(error instanceof HubError)
    assert.equal(error.code, 'configuration_invalid')
    return error.message
  }
  assert.fail('it was accepted')
}

describe('parseDsn', () => {
  for (const scheme of schemes) {
    test(`${scheme}: in any case`, () => {
      assert.equal(parseDsn(`${scheme}://host/name?a=b`).protocol, `${scheme}:`)
      assert.equal(parseDsn(`${scheme.toUpperCase()}://host`).protocol, `${scheme}:`)
    })
  }
  test('of a file, beside the hub or anywhere', () => {
    assert.equal(parseDsn('bolt://updates.db').host, 'updates.db')
    assert.equal(parseDsn('bolt:///var/lib/mercure/updates.db?size=10').pathname, '/var/lib/mercure/updates.db')
  })

  test('of several servers of PostgreSQL', () => {
    const { href } = parseDsn('postgres://u:p@a:1,b:2/db?sslmode=require')
    assert.equal(href, 'postgres://u:p@a/db?host=a,b&port=1,2&sslmode=require')
  })

  const refused: readonly [text: string, sentence: RegExp][] = [
    ['postgres://u:hunter2@a:x,b:2/db', /cannot be read.*percent-encode/],
    ['redis://u:hunter2@a:1,b:2/stream', /cannot be read.*percent-encode/],
    ['', /is not a URL/],
    ['updates.db', /is not a URL.* Did you mean "bolt:\/\/updates\.db"\?/],
    ['./data/updates.db', /Did you mean "bolt:\/\/\.\/data\/updates\.db"\?/],
    ['hunter2', /is not a URL/],
    ['null://', /null:\/\/ is called local:\/\/local now/],
    ['null:', /null:\/\/ is called local:\/\/local now/],
    [
      'reddis://u:hunter2@host',
      /there is no transport "reddis"\. Did you mean "redis"\? There are: local, bolt, redis/,
    ],
    ['mysql://u:hunter2@host', /there is no transport "mysql"\. There are: /],
    ['redis://u:hunter2/@host', /cannot be read.*percent-encode/],
    ['redis://u:hunter2#@host', /cannot be read.*percent-encode/],
    ['redis://u:p@host:hunter2', /cannot be read.*percent-encode/],
    ['redis://host/stream#hunter2', /cannot be read/],
    ['redis://ho st/', /cannot be read/],
    ['bolt://my updates.db', /this bolt: URL cannot be read; write a path like .*%20 for a space, %23 for #/],
    ['bolt://a#b.db', /this bolt: URL cannot be read; .*%23 for #/],
  ]
  for (const [text, sentence] of refused) {
    test(`${JSON.stringify(text)} is refused`, () => {
      const message = refusal(() => parseDsn(text))
      assert.match(message, sentence)
      assert.doesNotMatch(message, /hunter2/)
    })
  }
})

describe('readOptions', () => {
  const kinds = {
    name: 'text',
    size: 'count',
    bytes: 'size',
    max_age: 'duration',
    cleanup_frequency: 'fraction',
    tls: 'flag',
    brokers: 'list',
  } as const
  const read = (query: string) => readOptions(parseDsn(`kafka://host${query}`), kinds)

  const accepted: readonly [query: string, options: ReturnType<typeof read>][] = [
    ['', {}],
    ['?', {}],
    ['?size=', {}],
    ['?size=0', { size: 0 }],
    ['?size=1000&size=', { size: 1000 }],
    ['?name=a%20b+c', { name: 'a b c' }],
    ['?bytes=1MiB', { bytes: 1_048_576 }],
    ['?max_age=1h30m', { max_age: 5_400_000 }],
    ['?cleanup_frequency=0', { cleanup_frequency: 0 }],
    ['?cleanup_frequency=1', { cleanup_frequency: 1 }],
    ['?cleanup_frequency=0.3', { cleanup_frequency: 0.3 }],
    ['?cleanup_frequency=.3', { cleanup_frequency: 0.3 }],
    ['?cleanup_frequency=1.0', { cleanup_frequency: 1 }],
    ['?cleanup_frequency=0.', { cleanup_frequency: 0 }],
    ['?tls=1', { tls: true }],
    ['?tls=false', { tls: false }],
    ['?brokers=a:1,b:2', { brokers: ['a:1', 'b:2'] }],
    ['?brokers=a&brokers=b,,c', { brokers: ['a', 'b', 'c'] }],
    ['?size=1&name=x', { size: 1, name: 'x' }],
  ]
  for (const [query, options] of accepted) test(query || 'no query', () => assert.deepEqual(read(query), options))

  const names = Object.keys(kinds).join(', ')
  const refused: readonly [query: string, sentence: string | RegExp][] = [
    ['?siz=1', `transport_url, kafka: there is no option "siz". Did you mean "size"? It takes: ${names}.`],
    ['?constructor=1', `transport_url, kafka: there is no option "constructor". It takes: ${names}.`],
    ['?__proto__=1', /there is no option/],
    ['?hunter2@host/stream=', /there is no option of such a name\. It takes/],
    ['?size=1&size=2', 'transport_url, kafka: size is given 2 times; once is enough.'],
    ['?size=-1', 'transport_url, kafka: size: "-1" is not a whole number of 0 or more.'],
    ['?size=1.5', /size: "1\.5" is not a whole number/],
    ['?size=invalid', /size: "invalid" is not a whole number/],
    ['?size=1e3', /is not a whole number/],
    ['?size=9999999999999999', /is not a whole number/],
    ['?cleanup_frequency=2', /cleanup_frequency: "2" is not a number from 0 to 1/],
    ['?cleanup_frequency=-0.1', /is not a number from 0 to 1/],
    ['?cleanup_frequency=NaN', /is not a number from 0 to 1/],
    ['?cleanup_frequency=.', /is not a number from 0 to 1/],
    ['?max_age=10', /max_age: "10" has no unit\. Did you mean 10s\?/],
    ['?bytes=1XB', /bytes: "1XB" is not a size/],
    ['?tls=on', /tls: "on" is neither true nor false/],
  ]
  for (const [query, sentence] of refused) {
    test(`${query} is refused`, () => {
      const message = refusal(() => read(query))
      if (typeof sentence === 'string') assert.equal(message, sentence)
      else assert.match(message, sentence)
      assert.doesNotMatch(message, /hunter2/)
    })
  }
  test('of a transport that takes none', () => {
    const message = refusal(() => readOptions(parseDsn('local://local?size=1'), {}))
    assert.equal(message, 'transport_url, local: there is no option "size". It takes none.')
  })
})

describe('redactDsn', () => {
  const cases: readonly [text: string, shown: string][] = [
    ['redis://host:6379/stream?size=10', 'redis://host:6379/stream?size=10'],
    ['redis://user:hunter2@host/s', 'redis://user:***@host/s'],
    ['rediss://:hunter2@host/s', 'rediss://:***@host/s'],
    ['kafka://host?sasl_password=hunter2&a=b', 'kafka://host?sasl_password=***&a=b'],
    ['kafka://host?password=hunter2&password=hunter2', 'kafka://host?password=***'],
    ['pulsar://host?token=hunter2', 'pulsar://host?token=***'],
    ['pulsar://host?auth=hunter2', 'pulsar://host?auth=***'],
    ['postgres://host/db?SECRET=hunter2&sslKey=hunter2', 'postgres://host/db?SECRET=***&sslKey=***'],
    ['bolt:///data/updates.db', 'bolt:///data/updates.db'],
  ]
  for (const [text, shown] of cases) {
    test(text, () => {
      const url = parseDsn(text)
      assert.equal(redactDsn(url), shown)
      assert.equal(url.href, text, 'the URL itself is left as it is')
    })
  }
})
