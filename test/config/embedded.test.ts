import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type HubSettings, readSettings } from '../../src/config/embedded.ts'
import { ConfigurationError } from '../../src/config/problem.ts'
import { keys } from '../../src/config/schema.ts'

const key = 'a-key-for-tests-that-is-32-bytes-long'

/** The problems of settings that no hub is made of. */
async function problemsOf(settings: unknown, options?: unknown): Promise<string[]> {
  try {
    await readSettings(settings as HubSettings, options as object)
  } catch (error) {
    assert.ok(error instanceof ConfigurationError)
    return error.message
      .split('\n')
      .slice(1)
      .map(line => line.trim())
  }
  return assert.fail('these settings have no problem')
}

test('values mean what they mean in mercure.yaml', async () => {
  const { config, warnings } = await readSettings({
    transport_url: 'local://local?size=5',
    jwt_key: key,
    heartbeat_interval: '1.5s',
    max_queue_bytes: '64KiB',
    max_request_body_size: 1000,
    recent: { entries: 7, bytes: '1MiB' },
    cors_allowed_origins: ['https://example.com'],
    issuers: [{ id: 'https://issuer.example', publisher: { key, algorithm: 'HS256' } }],
    public_urls: ['https://hub.example'],
    subscriptions: undefined,
  })
  assert.equal(config.transportUrl.href, 'local://local?size=5')
  assert.equal(config.heartbeatIntervalMs, 1500)
  assert.equal(config.maxQueueBytes, 65_536)
  assert.equal(config.maxRequestBodyBytes, 1000)
  assert.deepEqual(config.recent, { entries: 7, bytes: 1 << 20 })
  assert.equal(config.issuers[0]?.publisher !== null, true)
  assert.equal(config.subscriptions, false)
  assert.deepEqual(warnings, [])
})

test('what mercure.yaml warns of is warned of', async () => {
  const { warnings } = await readSettings({ jwt_key: '!ChangeThisMercureHubJWTSecretKey!' })
  assert.match(warnings[0]!, /EVERYBODY can sign tokens/)
})

test('a secret may come from a file', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-settings-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'key')
  await writeFile(file, `${key}\n`)
  const { config } = await readSettings({ jwt_key_file: file })
  assert.deepEqual(config.keys.publisher, { key, algorithm: 'HS256' })
})

test('every problem is named, in the words of mercure.yaml', async () => {
  assert.deepEqual(
    await problemsOf({ jwt_key: 12345, allow_anonymus: true, heartbeat_interval: 'often', recent: { entries: -1 } }),
    [
      'recent.entries (createHub): must be at least 0.',
      'jwt_key (createHub): must be text: put it in quotes.',
      'heartbeat_interval (createHub): "often" is not a duration; write it like 15s, 1m30s, 1.5h or 100ms.',
      'allow_anonymus (createHub): there is no such key. Did you mean "allow_anonymous"?',
    ],
  )
  assert.match((await problemsOf({ jwt_key: undefined }))[0]!, /^jwt_key: nobody could subscribe: set jwt_key/)
})

test('nobody needs a key to publish, since the application can', async () => {
  const { config } = await readSettings({ allow_anonymous: true })
  assert.equal(config.keys.publisher, null)
})

test('keys of a server are refused, and say who does that', async () => {
  const foreign = {
    ...{ addr: ':3000', cert_file: 'a', key_file: 'b', read_timeout: '5s', read_header_timeout: '3s', workers: 2 },
    ...{ log_format: 'JSON', debug: true, metrics_enabled: true, metrics_addr: '', demo: true, license: 'x' },
    ...{ tracing_endpoint: 'x', tracing_service_name: 'x', tracing_sample: 1 },
    ...{ admin_addr: ':1', admin_secret: 'x', admin_secret_file: 'y' },
  }
  const problems = await problemsOf({ ...foreign, jwt_key: key })
  assert.deepEqual(problems.map(line => line.split(':')[0]).sort(), Object.keys(foreign).sort())
  assert.ok(problems.every(line => line.endsWith('take it out.')))
  assert.ok(Object.keys(foreign).every(name => (keys as readonly string[]).includes(name)))
})

const wrong: readonly [settings: unknown, options: unknown, problem: string][] = [
  ['bolt://x', {}, "createHub: the first argument is a string, not an object; it is like { jwt_key: '…' }."],
  [[], {}, "createHub: the first argument is a list, not an object; it is like { jwt_key: '…' }."],
  [null, {}, "createHub: the first argument is null, not an object; it is like { jwt_key: '…' }."],
  [Promise.resolve({}), {}, "createHub: the first argument is a promise: await it; it is like { jwt_key: '…' }."],
  [{ key }, 'x', 'createHub: the second argument is a string, not an object; it is like { log: console }.'],
  [{ jwt_key: key }, null, 'createHub: the second argument is null, not an object; it is like { log: console }.'],
  [{ jwt_key: key }, { logger: console }, 'logger (createHub): there is no such option; there are transport and log.'],
  [
    { jwt_key: key },
    { transprot: {} },
    'transprot (createHub): there is no such option; there are transport and log. Did you mean "transport"?',
  ],
  [
    { jwt_key: key },
    { subscriptions: true },
    'subscriptions (createHub): is a setting: it belongs in the first argument.',
  ],
  [{ jwt_key: key, log: console }, {}, 'log: belongs in the second argument: createHub(settings, { log }).'],
  [
    { jwt_key: key, transport: { start() {} } },
    {},
    'transport: belongs in the second argument: createHub(settings, { transport }).',
  ],
  [
    { jwt_key: key },
    { transport: { start() {} } },
    'transport (createHub): has no publish(), close(): give an opened log, as openTransport() gives it; a URL is transport_url, in the first argument.',
  ],
  [{ jwt_key: key }, { transport: Promise.resolve() }, 'transport (createHub): is a promise: await it.'],
  [
    { jwt_key: key },
    { log: 'x' },
    'log (createHub): has no debug(), info(), warn(), error(): give a pino logger, or console.',
  ],
]
for (const [settings, options, problem] of wrong) {
  test(`of arguments that are none it is said: ${problem}`, async () => {
    assert.deepEqual(await problemsOf(settings, options), [problem])
  })
}

test('what is wrong with both arguments is told at once', async () => {
  const problems = await problemsOf({ jwt_key: key, debug: true, heartbeat_interval: 'often' }, { log: null })
  assert.deepEqual(
    problems.map(problem => problem.split(/[ :]/, 1)[0]),
    ['log', 'heartbeat_interval', 'debug'],
  )
})
