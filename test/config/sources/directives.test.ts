import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readDirectives } from '../../../src/config/sources/directives.ts'

const read = (text: string) => {
  const { settings, ...rest } = readDirectives(text, { env: { SECRET: 'from-env' }, cwd: '/srv' })
  return { ...rest, settings: Object.fromEntries([...settings].map(([key, { value }]) => [key, value])) }
}

describe('a directive', () => {
  const good: readonly [text: string, settings: object][] = [
    ['anonymous', { allow_anonymous: true }],
    ['subscriptions', { subscriptions: true }],
    ['demo', { demo: true }],
    ['ui', { debugger: true }],
    ['debugger', { debugger: true }],
    ['heartbeat 15s', { heartbeat_interval: '15s' }],
    ['write_timeout 10m', { write_timeout: '10m' }],
    ['dispatch_timeout 0', { dispatch_timeout: '0' }],
    ['max_request_body_size 2MiB', { max_request_body_size: '2MiB' }],
    ['cookie_name token', { cookie_name: 'token' }],
    [
      'resource_identifier https://hub.example/.well-known/mercure',
      { resource_identifier: 'https://hub.example/.well-known/mercure' },
    ],
    [
      'cors_origins https://a.example https://b.example',
      { cors_allowed_origins: ['https://a.example', 'https://b.example'] },
    ],
    ['publish_origins *', { publish_allowed_origins: ['*'] }],
    ['public_urls https://hub.example', { public_urls: ['https://hub.example'] }],
    ['transport_url redis://host/stream', { transport_url: 'redis://host/stream' }],
    ['transport local', { transport_url: 'local://local' }],
    ['transport bolt', { transport_url: 'bolt://mercure.db' }],
    ['transport bolt {\n path "/data/my hub.db"\n}', { transport_url: 'bolt:///data/my%20hub.db' }],
    [
      'transport bolt {\n path data/x.db\n size 1000\n cleanup_frequency 0.5\n}',
      { transport_url: 'bolt:///srv/data/x.db?size=1000&cleanup_frequency=0.5' },
    ],
    ['publisher_jwt {env.SECRET}', { publisher_jwt_key: 'from-env' }],
    ['publisher_jwt {env.SECRET} {env.NONE}', { publisher_jwt_key: 'from-env', publisher_jwt_algorithm: '' }],
    ['publisher_jwt "a; demo" HS256', { publisher_jwt_key: 'a; demo', publisher_jwt_algorithm: 'HS256' }],
    ['write_timeout {$NONE:10m}', { write_timeout: '10m' }],
    [
      'cors_origins https://a.example \\\n https://b.example',
      { cors_allowed_origins: ['https://a.example', 'https://b.example'] },
    ],
    ['mercure', {}],
    [
      'heartbeat 15s\nmercure {\n anonymous\n transport bolt {\n  path a.db\n }\n {$MERCURE_EXTRA_DIRECTIVES}\n}',
      { heartbeat_interval: '15s', allow_anonymous: true, transport_url: 'bolt://a.db' },
    ],
    ['subscriber_jwt key RS256', { subscriber_jwt_key: 'key', subscriber_jwt_algorithm: 'RS256' }],
    [
      'publisher_jwt {file./run/secrets/key} ES256',
      { publisher_jwt_key_file: '/run/secrets/key', publisher_jwt_algorithm: 'ES256' },
    ],
    ['publisher_jwks_url https://issuer.example/jwks', { publisher_jwks_url: 'https://issuer.example/jwks' }],
    ['subscriber_jwks_url https://issuer.example/jwks', { subscriber_jwks_url: 'https://issuer.example/jwks' }],
    ['protocol_version_compatibility 8', {}],
    [
      'issuer https://a.example {\n authorization_server\n publisher {\n  jwt key HS512\n }\n subscriber {\n  jwks_uri https://a.example/jwks ES256 EdDSA\n }\n}\nissuer b {\n publisher {\n  jwt {file.key.pem} ES256\n }\n}',
      {
        issuers: [
          {
            id: 'https://a.example',
            authorization_server: true,
            publisher: { key: 'key', algorithm: 'HS512' },
            subscriber: { jwks_uri: 'https://a.example/jwks', algorithms: ['ES256', 'EdDSA'] },
          },
          { id: 'b', publisher: { key_file: 'key.pem', algorithm: 'ES256' } },
        ],
      },
    ],
    [
      'cors_origins https://a.example\nplayground',
      {
        demo: true,
        allow_anonymous: true,
        subscriptions: true,
        cors_allowed_origins: ['https://a.example'],
        publish_allowed_origins: ['*'],
      },
    ],
  ]
  for (const [text, settings] of good) {
    test(`${JSON.stringify(text)} sets keys`, () => {
      const { compatible: _, playground: __, ...found } = read(text)
      assert.deepEqual(found, { settings, problems: [], warnings: [] })
    })
  }

  for (const name of [
    'name hub',
    'topic_matcher_cache 100',
    'topic_selector_cache 100',
    'subscriber_list_cache_size 0',
  ]) {
    test(`${name} has no effect, and that is said`, () => {
      const { settings, problems, warnings } = read(`anonymous\n${name}`)
      assert.deepEqual({ settings, problems }, { settings: { allow_anonymous: true }, problems: [] })
      assert.match(
        warnings.join(),
        new RegExp(`^MERCURE_EXTRA_DIRECTIVES, line 2: ${name.split(' ')[0]} has no effect: `),
      )
    })
  }

  test('of compatibility is noticed, and level 7 is not quite offered', () => {
    assert.equal(read('anonymous').compatible, false)
    assert.equal(read('protocol_version_compatibility 8').compatible, true)
    const { compatible, warnings } = read('protocol_version_compatibility 7')
    assert.equal(compatible, true)
    assert.match(warnings.join(), /protocol_version_compatibility of 7 is taken as 8/)
  })

  const bad: readonly [text: string, line: number, sentence: RegExp][] = [
    ['anonymous\nheart_beat 15s', 2, /^there is no directive "heart_beat"\. Did you mean "heartbeat"\?$/],
    ['aGlkZGVuIQ==', 1, /^this is no directive\.$/],
    ['constructor', 1, /^there is no directive "constructor"\.$/],
    ['anonymous yes', 1, /^anonymous: takes no value: it is on when it is there\.$/],
    ['heartbeat', 1, /^heartbeat: takes one value, not 0\.$/],
    ['heartbeat 1s 2s', 1, /^heartbeat: takes one value, not 2\.$/],
    ['cors_origins', 1, /^cors_origins: takes one value or more\.$/],
    ['publisher_jwt', 1, /^publisher_jwt: takes a key, in quotes if it has spaces, and an algorithm\.$/],
    ['publisher_jwt hid den key', 1, /^publisher_jwt: takes a key, in quotes if it has spaces/],
    ['protocol_version_compatibility 9', 1, /^protocol_version_compatibility: takes 7 or 8\.$/],
    ['transport redis', 1, /^transport: only bolt and local can be written as a block; set MERCURE_TRANSPORT_URL/],
    ['transport bolt data.db', 1, /^transport: nothing can follow "bolt" but "\{" and a block/],
    ['transport local {\n size 5\n}', 1, /^transport: local has no options here/],
    ['transport bolt { path a; size 5 }', 1, /^a block goes over several lines/],
    ['issuer https://a.example {\n publisher { jwt a HS256 }\n}', 2, /^a block goes over several lines/],
    ['issuer https://a.example {\n publisher foo {\n }\n}', 1, /^issuer: nothing can follow "publisher" but/],
    ['transport bolt {\n path a b\n}', 1, /^transport: path takes one value, not 2\.$/],
    ['issuer', 1, /^issuer: takes one value, not 0\.$/],
    [
      'issuer a {\n pubisher {\n }\n}',
      2,
      /^issuer: there is no "pubisher" in this block; .* Did you mean "publisher"\?$/,
    ],
    [
      'issuer a {\n publisher {\n  jwk x\n }\n}',
      3,
      /^issuer: there is no "jwk" in this block; there are jwt, jwks_uri\. Did you mean "jwt"\?$/,
    ],
    ['anonymous\na "hidden', 2, /^a quote is not closed\.$/],
    [
      'heartbeat 15s\nwrite_timeout {$NONE}',
      2,
      /^write_timeout: the variable NONE is not set: set .* \{\$NONE:VALUE\} for a default\.$/,
    ],
    [
      'cors_origins https://a.example {env.NONE}',
      1,
      /^cors_origins: the variable NONE is not set: set .* \{\$NONE:VALUE\} for a default\.$/,
    ],
    ['publisher_jwt {env.NONE} {env.NEITHER}', 1, /^publisher_jwt: the variables NONE, NEITHER are not set: /],
    [
      'issuer a {\n publisher {\n  jwt {env.NONE}\n }\n}',
      3,
      /^issuer: the variable NONE is not set: set .* \{\$NONE:VALUE\} for a default\.$/,
    ],
    [
      'issuer a {\n publisher {\n  jwks_uri {env.NONE}\n }\n}',
      3,
      /^issuer: the variable NONE is not set: set .* \{\$NONE:VALUE\} for a default\.$/,
    ],
    [
      'transport bolt {\n path {$NONE}\n}',
      2,
      /^transport: the variable NONE is not set: set .* \{\$NONE:VALUE\} for a default\.$/,
    ],
    ['\nmercure /hub {\n anonymous\n}', 2, /^mercure: takes nothing but a block of directives\.$/],
    ['mercure {\n anonymos\n}', 2, /^there is no directive "anonymos"\. Did you mean "anonymous"\?$/],
  ]
  for (const [text, line, sentence] of bad) {
    test(`${JSON.stringify(text)} is refused`, () => {
      const { problems } = read(text)
      assert.equal(problems.length, 1)
      assert.equal(problems[0]?.line, line)
      assert.match(problems[0]?.message ?? '', sentence)
      assert.doesNotMatch(JSON.stringify(problems), /hid|aGlk/)
    })
  }

  const joined = [
    ...['anonymous; subscriptions', 'anonymous ; subscriptions', 'anonymous, subscriptions', 'anonymous subscriptions'],
    ...['anonymous\\', 'anonymous\\\nsubscriptions', 'anonymous\\nsubscriptions', 'playground demo', 'anonymous;'],
    ...['heartbeat 15s; subscriptions', 'heartbeat 15s demo', 'cors_origins *; demo', 'publisher_jwt hidden\\ndemo'],
  ]
  for (const text of joined) {
    test(`${JSON.stringify(text)} is told to take a line of its own`, () => {
      const [problem, ...others] = read(text).problems
      assert.deepEqual([problem?.line, others], [1, []])
      assert.match(problem?.message ?? '', /^(\w+: )?directives stand on lines of their own, without ";", "," or "\\"/)
    })
  }

  test('that is wrong does not hide the next', () => {
    const { problems, settings } = read('anonymos\nheartbeat\nsubscriptions')
    assert.deepEqual(
      problems.map(({ line }) => line),
      [1, 2],
    )
    assert.deepEqual(settings, { subscriptions: true })
  })
})
