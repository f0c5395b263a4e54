import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Config } from '../../src/config/config.ts'
import { asymmetricAlgorithms } from '../../src/protocol/algorithm.ts'
import { load, problemsOf } from '../support/configuration.ts'

const secret = 'a-secret-of-more-than-32-bytes-for-hs256'
const key = { key: secret, algorithm: 'HS256' }
const yaml = `jwt_key: ${secret}\n`

test('a key alone is a configuration: everything else has its default', async () => {
  const { config, warnings, file, sources } = await load({ env: { JWT_KEY: secret } })
  const expected: Config = {
    listen: { host: '', port: 80 },
    tls: null,
    publicOrigins: [],
    useForwardedHeaders: false,
    trustedProxies: ['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1/128', 'fc00::/7'],
    compress: false,
    workers: 1,
    transportUrl: new URL('bolt://updates.db?size=100000'),
    recent: { entries: 10_000, bytes: 64 * 1024 ** 2 },
    protocol: 'auto',
    keys: { publisher: { key: secret, algorithm: 'HS256' }, subscriber: { key: secret, algorithm: 'HS256' } },
    issuers: [],
    resourceIdentifier: null,
    cookieNames: { '0.x': 'mercureAuthorization', '1.0': '__Secure-mercure_access_token' },
    allowAnonymous: false,
    subscriptions: false,
    corsAllowedOrigins: [],
    publishAllowedOrigins: [],
    heartbeatIntervalMs: 15_000,
    writeTimeoutMs: 600_000,
    dispatchTimeoutMs: 5000,
    publishTimeoutMs: 5000,
    readTimeoutMs: 5000,
    readHeaderTimeoutMs: 3000,
    shutdownTimeoutMs: 30_000,
    maxRequestBodyBytes: 1024 ** 2,
    maxQueueBytes: 1024 ** 2,
    maxQueueBytesTotal: 256 * 1024 ** 2,
    limits: {
      connections: 0,
      connectionsPerIp: 0,
      connectionsPerSubject: 0,
      publishesPerSecond: 0,
      publishesPerSecondPerSubject: 0,
      topics: 0,
      matchers: 0,
      patternLength: 0,
    },
    logFormat: 'json',
    debug: false,
    metrics: null,
    tracing: null,
    admin: null,
    debugger: false,
    demo: false,
  }
  assert.deepEqual(config, expected)
  assert.deepEqual(
    { warnings, file, sources },
    { warnings: [], file: null, sources: { jwt_key: 'environment variable JWT_KEY' } },
  )
})

describe('of several sources', () => {
  test('flags go before the environment, and that before the file', async () => {
    const env = { HEARTBEAT_INTERVAL: '2s', WRITE_TIMEOUT: '2m' }
    const args = ['--write-timeout', '3m']
    const { config, sources } = await load({
      yaml: `${yaml}heartbeat_interval: 1s\nwrite_timeout: 1m\ndispatch_timeout: 1s`,
      env,
      args,
    })
    const { heartbeatIntervalMs, writeTimeoutMs, dispatchTimeoutMs, readTimeoutMs } = config
    assert.deepEqual(
      [dispatchTimeoutMs, heartbeatIntervalMs, writeTimeoutMs, readTimeoutMs],
      [1000, 2000, 180_000, 5000],
    )
    assert.deepEqual(sources, {
      jwt_key: 'mercure.yaml:1',
      heartbeat_interval: 'environment variable HEARTBEAT_INTERVAL',
      write_timeout: '--write-timeout',
      dispatch_timeout: 'mercure.yaml:4',
    })
  })

  test('an empty variable and a key without value say nothing', async () => {
    const { config } = await load({
      yaml: `${yaml}heartbeat_interval: 1s\nwrite_timeout:\nrecent:\n`,
      env: { HEARTBEAT_INTERVAL: '' },
    })
    assert.deepEqual([config.heartbeatIntervalMs, config.writeTimeoutMs], [1000, 600_000])
  })

  test('a stronger one that gives a key another way sets the weaker aside', async () => {
    const { config } = await load({
      yaml: 'jwt_key: weak\npublisher_jwks_url: https://a.example/jwks\ntransport_url: bolt://weak.db',
      env: { JWT_KEY_FILE: 'key', PUBLISHER_JWT_KEY: secret, TRANSPORT_URL_FILE: 'url' },
      files: { key: secret, url: 'local://local?size=3' },
    })
    assert.deepEqual(config.keys, { publisher: key, subscriber: key })
    assert.equal(config.transportUrl.href, 'local://local?size=3')
  })

  test('the file of --config is the one that is read', async () => {
    const given = { yaml: 'jwt_key: weak', args: ['--config', 'other/hub.yaml'], files: { 'other/hub.yaml': yaml } }
    const { file, config } = await load(given)
    assert.equal(file, 'other/hub.yaml')
    assert.deepEqual(config.keys.publisher, key)
  })

  test('the file of the user is read when there is none here', async () => {
    const { config, file } = await load({ files: { '.config/mercure/mercure.yaml': yaml } })
    assert.equal(file, '.config/mercure/mercure.yaml')
    assert.deepEqual(config.keys.publisher, key)
  })

  test('a file that --config names must be there', async () => {
    assert.deepEqual(await problemsOf({ yaml, args: ['--config', 'none.yaml'] }), [
      '--config: there is no file none.yaml.',
    ])
  })

  test('a file that cannot be read is not passed over', async () => {
    assert.deepEqual(await problemsOf({ files: { 'mercure.yaml/inside': '' } }), [
      'mercure.yaml: the file cannot be read (EISDIR).',
    ])
  })

  test('a file that is no YAML is all that is complained of', async () => {
    assert.deepEqual(await problemsOf({ yaml: 'debug: "yes', env: { ADDR: 'nowhere' } }), [
      'mercure.yaml:1: a quote, bracket, comma or the space after ":" is missing.',
    ])
  })
})

describe('secrets in files', () => {
  test('are read less one line break', async () => {
    const yaml = 'publisher_jwt_key_file: keys/publisher\nsubscriber_jwt_key_file: keys/subscriber\n'
    const { config } = await load({
      yaml,
      files: { 'keys/publisher': `${secret}\n`, 'keys/subscriber': `${secret}\n\n` },
    })
    assert.deepEqual(config.keys, { publisher: key, subscriber: { ...key, key: `${secret}\n` } })
  })

  test('serve issuers, too', async () => {
    const issuers =
      'resource_identifier: https://hub.example\nissuers: [{id: a, publisher: {key_file: key}, subscriber: {key_file: key}}]'
    const { config } = await load({ yaml: issuers, files: { key: `${secret}\r\n` } })
    assert.deepEqual(config.issuers, [{ id: 'a', authorizationServer: false, publisher: key, subscriber: key }])
  })

  test('have names that start where the key stands: beside the file, or in the working directory', async () => {
    const files = {
      'etc/hub.yaml': 'jwt_key_file: key',
      'etc/key': secret,
      key: 'another-secret-of-more-than-32-bytes',
    }
    const inFile = await load({ args: ['--config', 'etc/hub.yaml'], files })
    assert.deepEqual(inFile.config.keys.publisher, key)
    const inFlag = await load({ args: ['--config', 'etc/hub.yaml', '--jwt-key-file', 'etc/key'], files })
    assert.deepEqual(inFlag.config.keys.publisher, key)
  })
})

describe('what keys mean together', () => {
  test('a certificate moves the default port', async () => {
    const { config } = await load({
      yaml: `${yaml}cert_file: chain.pem\nkey_file: key.pem`,
      files: { 'chain.pem': 'x', 'key.pem': 'x' },
    })
    assert.deepEqual(config.listen, { host: '', port: 443 })
    assert.match(config.tls?.certFile ?? '', /^\/.*\/chain\.pem$/)
  })

  test("a role's own key and algorithm go before those of both", async () => {
    const { config } = await load({
      yaml: `${yaml}jwt_algorithm: hs384\nsubscriber_jwt_key: own\nsubscriber_jwt_algorithm: HS512`,
    })
    assert.deepEqual(config.keys, {
      publisher: { key: secret, algorithm: 'HS384' },
      subscriber: { key: 'own', algorithm: 'HS512' },
    })
  })

  test('a JWK Set may be pinned to one algorithm', async () => {
    const jwks = 'https://a.example/jwks'
    const { config } = await load({
      yaml: `publisher_jwks_url: ${jwks}\npublisher_jwt_algorithm: ES256\nsubscriber_jwks_url: ${jwks}`,
    })
    const { publisher, subscriber } = config.keys
    assert.deepEqual(publisher, { jwksUrl: new URL(jwks), algorithms: ['ES256'] })
    assert.deepEqual(subscriber, { jwksUrl: new URL(jwks), algorithms: asymmetricAlgorithms })
  })

  test('a pinned hub has nothing of the other generation', async () => {
    const issuers = `${yaml}resource_identifier: https://hub.example\nissuers: [{id: a, publisher: {key: ${secret}}, subscriber: {key: ${secret}}}]\n`
    const both = await load({ yaml: issuers })
    const only1 = await load({ yaml: `${issuers}protocol: 1.0` })
    const only0 = await load({ yaml: `${issuers}protocol: 0.x` })
    const has = ({ config }: { config: Config }) => [config.keys.publisher !== null, config.issuers.length]
    assert.deepEqual([both, only1, only0].map(has), [
      [true, 1],
      [false, 1],
      [true, 0],
    ])
  })

  test('one cookie name counts for both generations', async () => {
    const { config } = await load({ yaml: `${yaml}cookie_name: token` })
    assert.deepEqual(config.cookieNames, { '0.x': 'token', '1.0': 'token' })
  })

  test('metrics have an address of their own, or that of the hub', async () => {
    const metrics = async (rest: string) =>
      (await load({ yaml: `${yaml}metrics_enabled: true\n${rest}` })).config.metrics
    assert.deepEqual(await metrics(''), { host: '127.0.0.1', port: 9764 })
    assert.deepEqual(await metrics('metrics_addr: :9000'), { host: '', port: 9000 })
    assert.equal(await metrics('metrics_addr: ""'), 'main')
  })

  test('zero switches times off', async () => {
    const { config } = await load({ yaml: `${yaml}heartbeat_interval: 0\nwrite_timeout: 0s\ndispatch_timeout: "0"` })
    assert.deepEqual([config.heartbeatIntervalMs, config.writeTimeoutMs, config.dispatchTimeoutMs], [0, 0, 0])
  })

  test('lists may be text', async () => {
    const expected = ['https://a.example', 'https://b.example']
    for (const list of [
      '[https://a.example, https://b.example]',
      'https://a.example https://b.example',
      '"https://a.example,https://b.example"',
    ]) {
      assert.deepEqual(
        (await load({ yaml: `${yaml}cors_allowed_origins: ${list}` })).config.corsAllowedOrigins,
        expected,
      )
    }
  })
})
