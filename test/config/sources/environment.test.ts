import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { keys } from '../../../src/config/schema.ts'
import { readEnvironment, variableOf } from '../../../src/config/sources/environment.ts'
import type { Environment } from '../../../src/config/sources/image.ts'
import { load, problemsOf } from '../../support/configuration.ts'

const secret = 'a-secret-of-more-than-32-bytes-for-hs256'
const other = 'another-secret-of-more-than-32-bytes-for-hs256'
const withKey = (env: Environment) => load({ env: { JWT_KEY: secret, ...env } })

describe('a variable', () => {
  test('of every single value is read', async () => {
    const lists = { CORS_ALLOWED_ORIGINS: 'https://a.example https://b.example', PUBLIC_URLS: 'https://hub.example' }
    const { config } = await withKey({
      ...lists,
      ADDR: ':8080',
      DEBUG: '1',
      LOG_FORMAT: 'text',
      MAX_QUEUE_BYTES: '2KiB',
    })
    assert.deepEqual(config.corsAllowedOrigins, ['https://a.example', 'https://b.example'])
    assert.deepEqual(config.publicOrigins, ['https://hub.example'])
    assert.deepEqual(config.listen, { host: '', port: 8080 })
    assert.deepEqual([config.debug, config.logFormat, config.maxQueueBytes], [true, 'text', 2048])
  })

  const words: readonly [word: string, on: boolean][] = [
    ...['1', 't', 'T', 'true', 'TRUE', 'True'].map(word => [word, true] as [string, boolean]),
    ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map(word => [word, false] as [string, boolean]),
  ]
  for (const [word, on] of words) {
    test(`DEMO=${word} turns it ${on ? 'on' : 'off'}`, async () =>
      assert.equal((await withKey({ DEMO: word })).config.demo, on))
  }

  for (const word of ['yes', 'on', 'tRUE', '2', 'app:*']) {
    test(`DEMO=${word} is refused by name`, async () => {
      assert.deepEqual(await problemsOf({ env: { JWT_KEY: secret, DEMO: word } }), [
        `demo (environment variable DEMO): "${word}" is neither true nor false; write true or false.`,
      ])
    })
  }

  test('of what only a file can hold is not passed over in silence', async () => {
    const { warnings } = await withKey({ ISSUERS: 'https://a.example', RECENT: '3' })
    assert.deepEqual(warnings.toSorted(), [
      'ISSUERS has no effect: issuers can only be set in a file.',
      'RECENT has no effect: recent can only be set in a file.',
    ])
  })

  test('of the 0.x hub that has gone is not passed over in silence', async () => {
    const { warnings } = await withKey({ ACME_HOSTS: 'a.example', TCSZ: '100' })
    assert.equal(warnings.length, 2)
    assert.match(warnings[0]!, /^ACME_HOSTS has no effect: certificates are not fetched by this hub/)
    assert.match(warnings[1]!, /^TCSZ has no effect: the caches of this hub/)
  })

  test('exists for every key of a single value, in capitals', () => {
    const env = Object.fromEntries(keys.map(key => [variableOf(key), 'x']))
    const read = Object.keys(readEnvironment(env, '/').layers.at(-1)?.values ?? {})
    assert.deepEqual(
      keys.filter(key => !read.includes(key)),
      ['recent', 'issuers', 'limits'],
    )
  })
})

test('TRUSTED_PROXIES is for applications, and MERCURE_TRUSTED_PROXIES for the hub', async () => {
  const { config, warnings } = await withKey({ TRUSTED_PROXIES: 'REMOTE_ADDR' })
  assert.deepEqual(warnings, [])
  assert.deepEqual(config.trustedProxies, (await withKey({})).config.trustedProxies)
  const own = await withKey({ USE_FORWARDED_HEADERS: 'true', MERCURE_TRUSTED_PROXIES: '192.0.2.1' })
  assert.deepEqual(own.config.trustedProxies.length, 1)
})

describe("the reference hub's image", () => {
  const image = {
    MERCURE_PUBLISHER_JWT_KEY: secret,
    MERCURE_PUBLISHER_JWT_ALG: 'HS256',
    MERCURE_SUBSCRIBER_JWT_KEY: other,
    SERVER_NAME: ':80',
  }
  const publisher = { key: secret, algorithm: 'HS256' }
  const subscriber = { key: other, algorithm: 'HS256' }

  test('of 0.x: its keys are those of 0.x tokens', async () => {
    const { config, warnings, sources } = await load({
      env: { ...image, MERCURE_TRANSPORT_URL: 'local://local?size=9' },
    })
    assert.deepEqual(config.keys, { publisher, subscriber })
    assert.deepEqual(
      [config.issuers, config.listen, config.transportUrl.href, warnings],
      [[], { host: '', port: 80 }, 'local://local?size=9', []],
    )
    assert.equal(sources.publisher_jwt_key, 'environment variable MERCURE_PUBLISHER_JWT_KEY')
  })

  test('of 1.0: its keys are those of the trusted issuers alone', async () => {
    const { config } = await load({ env: { ...image, MERCURE_TRUSTED_ISSUERS: 'https://a.example https://b.example' } })
    assert.deepEqual(config.keys, { publisher: null, subscriber: null })
    const expected = ['https://a.example', 'https://b.example'].map(id => ({
      id,
      authorizationServer: false,
      publisher,
      subscriber,
    }))
    assert.deepEqual(config.issuers, expected)
  })

  test('may have its secrets in files', async () => {
    const files = { one: secret, two: other, url: 'local://local?size=9' }
    const named = {
      MERCURE_PUBLISHER_JWT_KEY_FILE: 'one',
      MERCURE_SUBSCRIBER_JWT_KEY_FILE: 'two',
      MERCURE_TRANSPORT_URL_FILE: 'url',
    }
    const { config, sources, warnings } = await load({ env: named, files })
    assert.deepEqual(config.keys, { publisher, subscriber })
    assert.equal(config.transportUrl.href, 'local://local?size=9')
    assert.deepEqual(warnings, [])
    assert.equal(sources.publisher_jwt_key_file, 'environment variable MERCURE_PUBLISHER_JWT_KEY_FILE')
    const trusted = await load({ env: { ...named, MERCURE_TRUSTED_ISSUERS: 'https://a.example' }, files })
    assert.deepEqual(trusted.config.keys, { publisher: null, subscriber: null })
    assert.deepEqual(trusted.config.issuers, [
      { id: 'https://a.example', authorizationServer: false, publisher, subscriber },
    ])
  })

  test('has each secret once', async () => {
    const twice = { ...image, MERCURE_PUBLISHER_JWT_KEY_FILE: 'one' }
    for (const [env, problem] of [
      [
        twice,
        /^publisher_jwt_key_file \(environment variable MERCURE_PUBLISHER_JWT_KEY_FILE\): publisher_jwt_key is set/,
      ],
      [
        { ...twice, MERCURE_TRUSTED_ISSUERS: 'https://a.example' },
        /^issuers\[0\]\.publisher\.key_file .*: key is set, too/,
      ],
    ] as const) {
      assert.match((await problemsOf({ env, files: { one: other } })).join(), problem)
    }
  })

  test('of 1.0 that is to be compatible: its keys are those of both', async () => {
    const env = {
      ...image,
      MERCURE_TRUSTED_ISSUERS: 'https://a.example',
      MERCURE_EXTRA_DIRECTIVES: 'protocol_version_compatibility 8',
    }
    const { config } = await load({ env })
    assert.deepEqual(config.keys, { publisher, subscriber })
    assert.deepEqual(
      config.issuers.map(({ id }) => id),
      ['https://a.example'],
    )
  })

  test('may have more issuers in its directives', async () => {
    const directives = 'issuer https://b.example {\n publisher {\n  jwks_uri https://b.example/jwks\n }\n}'
    const { config } = await load({
      env: { ...image, MERCURE_TRUSTED_ISSUERS: 'https://a.example', MERCURE_EXTRA_DIRECTIVES: directives },
    })
    assert.deepEqual(
      config.issuers.map(({ id }) => id),
      ['https://a.example', 'https://b.example'],
    )
  })

  test('with an issuer but no key is refused', async () => {
    const problems = await problemsOf({ env: { JWT_KEY: secret, MERCURE_TRUSTED_ISSUERS: 'https://a.example' } })
    assert.match(
      problems.join(),
      /^issuers\[0\] \(environment variable MERCURE_TRUSTED_ISSUERS\): has neither publisher nor subscriber/,
    )
  })

  test("gives way to its directives, and these to our keys' variables", async () => {
    const { config, sources } = await load({
      yaml: 'transport_url: local://local?size=1',
      env: {
        ...image,
        MERCURE_PUBLISHER_JWT_ALG: '',
        MERCURE_TRANSPORT_URL: 'local://local?size=2',
        MERCURE_EXTRA_DIRECTIVES:
          'transport_url local://local?size=3\nheartbeat 1s\ncookie_name token\npublisher_jwks_url https://a.example/jwks',
        HEARTBEAT_INTERVAL: '2s',
      },
    })
    assert.equal(config.transportUrl.href, 'local://local?size=3')
    assert.equal(config.heartbeatIntervalMs, 2000)
    assert.equal(config.keys.publisher !== null && 'jwksUrl' in config.keys.publisher, true)
    assert.equal(sources.cookie_name, 'environment variable MERCURE_EXTRA_DIRECTIVES, line 3')
  })

  test('shows the line of a directive that is wrong', async () => {
    const env = { ...image, MERCURE_EXTRA_DIRECTIVES: 'anonymous\nanonymos\nheartbeat 15' }
    assert.deepEqual(await problemsOf({ env }), [
      'environment variable MERCURE_EXTRA_DIRECTIVES, line 2: there is no directive "anonymos". Did you mean "anonymous"?',
      'heartbeat_interval (environment variable MERCURE_EXTRA_DIRECTIVES, line 3): "15" has no unit. Did you mean 15s?',
    ])
  })

  test('shows one place for a block that is wrong, and that of its line', async () => {
    const env = { ...image, MERCURE_EXTRA_DIRECTIVES: 'anonymous\nmercure {\n cors_origins *' }
    assert.deepEqual(await problemsOf({ env }), [
      'environment variable MERCURE_EXTRA_DIRECTIVES, line 2: the block is not closed by a line with "}".',
    ])
  })

  const sites: readonly [name: string, port: number, warned: boolean][] = [
    [':80', 80, false],
    [':8080', 8080, false],
    [':443', 443, true],
    ['localhost', 80, true],
    ['hub.example, www.hub.example', 80, true],
    ['hub.example:8080', 8080, false],
    [':http', 80, false],
    ['hub.example:http', 80, false],
    [':https', 443, true],
    ['http://hub.example', 80, false],
    ['http://hub.example:8080/path', 8080, false],
    ['http://[::1]:8080', 8080, false],
    ['https://hub.example', 80, true],
    ['https://hub.example:8443', 8443, true],
  ]
  for (const [name, port, warned] of sites) {
    test(`SERVER_NAME=${name} is port ${port}${warned ? ', with a warning that TLS is missing' : ''}`, async () => {
      const { config, warnings } = await load({ yaml: 'addr: 127.0.0.1:3000', env: { ...image, SERVER_NAME: name } })
      assert.deepEqual(config.listen, { host: '', port })
      assert.equal(warnings.length, warned ? 1 : 0)
      if (warned) assert.match(warnings[0]!, /^SERVER_NAME asks for HTTPS, but this hub fetches no certificates/)
    })
  }

  test('has TLS where there is a certificate', async () => {
    const env = { ...image, SERVER_NAME: 'hub.example', CERT_FILE: 'pem', KEY_FILE: 'pem' }
    const { config, warnings } = await load({ env, files: { pem: 'x' } })
    assert.deepEqual([config.listen.port, warnings], [443, []])
  })

  test('leaves the port to ADDR', async () => {
    const { config, warnings } = await load({ env: { ...image, SERVER_NAME: 'hub.example', ADDR: ':3000' } })
    assert.deepEqual([config.listen.port, warnings], [3000, []])
  })

  test('is more than this hub is', async () => {
    const ofCaddy = {
      GLOBAL_OPTIONS: 'debug',
      CADDY_GLOBAL_OPTIONS: 'debug',
      FRANKENPHP_CONFIG: 'x',
      CADDY_VERSION: 'v2',
    }
    const { warnings } = await load({ env: { ...image, ...ofCaddy, MERCURE_LICENSE: 'x' } })
    assert.deepEqual(warnings, [
      'GLOBAL_OPTIONS has no effect: this hub is not a part of Caddy.',
      'CADDY_GLOBAL_OPTIONS has no effect: this hub is not a part of Caddy.',
      'FRANKENPHP_CONFIG has no effect: this hub is not a part of Caddy.',
      'license is not needed: every transport is free.',
    ])
  })

  test('has the certificate that its site is given', async () => {
    const directives = 'tls {env.CERTIFICATES}/pem pem\nheader X-Y "hidden z"\n"hid den" x'
    const env = { ...image, SERVER_NAME: 'hub.example', CERTIFICATES: '.', CADDY_SERVER_EXTRA_DIRECTIVES: directives }
    const { config, warnings, sources } = await load({ env, files: { pem: 'x' } })
    assert.match(config.tls?.certFile ?? '', /\/pem$/)
    assert.equal(config.listen.port, 443)
    assert.equal(sources.key_file, 'environment variable CADDY_SERVER_EXTRA_DIRECTIVES')
    assert.deepEqual(warnings, [
      'CADDY_SERVER_EXTRA_DIRECTIVES, line 2: header has no effect: this hub is not a part of Caddy.',
      'CADDY_SERVER_EXTRA_DIRECTIVES, line 3: this has no effect: this hub is not a part of Caddy.',
    ])
    const unclosed = await load({ env: { ...image, CADDY_SERVER_EXTRA_DIRECTIVES: 'route {' } })
    assert.deepEqual(unclosed.warnings, [
      'CADDY_SERVER_EXTRA_DIRECTIVES has no effect: line 1: the block is not closed by a line with "}".',
    ])
  })

  const playground = 'playground\ncors_origins https://a.example'
  const cookies: readonly [cookie: string, directives: string, issuers: string][] = [
    ['mercure_access_token', playground, 'https://localhost'],
    ['mine', `${playground}\ncookie_name mine`, 'https://localhost'],
    ['__Secure-mercure_access_token', `${playground}\nprotocol_version_compatibility 8`, 'https://localhost'],
    ['__Secure-mercure_access_token', playground, ''],
    ['__Secure-mercure_access_token', 'debugger', 'https://localhost'],
  ]
  for (const [cookie, directives, issuers] of cookies) {
    test(`${JSON.stringify(directives)}, ${issuers || 'no'} issuers: the cookie of 1.0 is ${cookie}`, async () => {
      const env = { ...image, MERCURE_EXTRA_DIRECTIVES: directives, MERCURE_TRUSTED_ISSUERS: issuers }
      assert.equal((await load({ env })).config.cookieNames['1.0'], cookie)
    })
  }

  test('is for development where its command says so, and otherwise what its variables say', async () => {
    const env = { ...image, MERCURE_EXTRA_DIRECTIVES: 'cors_origins https://a.example' }
    const { config } = await load({ env, playground: true })
    assert.deepEqual([config.allowAnonymous, config.subscriptions, config.demo], [true, true, true])
    assert.deepEqual([config.corsAllowedOrigins, config.publishAllowedOrigins], [['https://a.example'], ['*']])
  })

  test('has near misses noticed, and the variables of applications left alone', async () => {
    const { warnings } = await load({
      env: {
        ...image,
        MERCURE_TRANSPORT_URI: 'x',
        MERCURE_URL: 'https://a.example',
        MERCURE_PUBLIC_URL: 'https://a.example',
        MERCURE_JWT_SECRET: 'x',
      },
    })
    assert.deepEqual(warnings, [
      'MERCURE_TRANSPORT_URI has no effect: there is no such variable. Did you mean "MERCURE_TRANSPORT_URL"?',
    ])
  })
})
