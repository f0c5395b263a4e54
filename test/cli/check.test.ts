import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
let directory: string

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'check-'))
})
after(() => rm(directory, { recursive: true }))

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs `talaria check` as a process, on a `mercure.yaml` of this text; null: there is none. */
async function check(yaml: string | null, ...args: string[]): Promise<Outcome> {
  const file = join(directory, 'mercure.yaml')
  await (yaml === null ? rm(file, { force: true }) : writeFile(file, yaml))
  return await run('check', ...args)
}

const run = (...args: string[]): Promise<Outcome> =>
  new Promise(resolve => {
    const options = { cwd: directory, env: { HOME: directory } }
    const child = execFile(process.execPath, [main, ...args], options, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    )
  })

const secret = 'hidden-secret-of-more-than-32-bytes-for-hs256'

describe('talaria check', () => {
  test('explains what a configuration means, without its secrets', async () => {
    const yaml = [
      'addr: 127.0.0.1:3000',
      `jwt_key: ${secret}`,
      'publisher_jwks_url: https://issuer.example/jwks?token=hidden',
      'transport_url: bolt://updates.db?size=10',
      'cors_allowed_origins: [https://app.example]',
      'publish_allowed_origins: [https://app.example]',
      'public_urls: [https://hub.example]',
      'max_queue_bytes: 64KiB',
      'compress: true',
      'metrics_enabled: true',
      'tracing: true',
      'tracing_sample: 0.1',
      'issuers:',
      '  - id: https://issuer.example',
      '    authorization_server: true',
      `    publisher: {key: ${secret}, algorithm: HS512}`,
    ].join('\n')
    const { code, out, err } = await check(yaml)
    assert.deepEqual({ code, err }, { code: 0, err: '' })
    const sentences = out.replace(/\s+/g, ' ')
    for (const sentence of [
      'Listens on 127.0.0.1:3000, for this machine only, plain HTTP.',
      'Answers for https://hub.example alone.',
      'bolt://updates.db?size=10: a file of this hub alone.',
      'updates.db, seen from the working directory. It is not there yet; the hub makes it. Kept of the updates: the newest 10.',
      'Publishers: the keys of https://issuer.example/jwks, with RS256',
      'Subscribers: HS256, a secret of 45 bytes.',
      'Of https://issuer.example, named in the metadata as authorization server: Publishers: HS512, a secret of 45 bytes. Subscribers: refused.',
      'A token may come in the cookie mercureAuthorization or __Secure-mercure_access_token.',
      'Only with a token.',
      'Pages of https://app.example may read, with cookies.',
      'with a cookie from pages of https://app.example.',
      'A comment is sent after 15s of silence.',
      'when more than 64KiB wait for it, or any for 5s. When 256MiB wait for all of them, those with the most end.',
      'Streams are compressed for those who ask: gzip, zstd, br.',
      'Metrics at http://127.0.0.1:9764/metrics.',
      'Traces that others have begun, and 0.1 of those that begin here, go to http://localhost:4318/v1/traces, as of talaria.',
      'Warning: the publisher key of tokens of https://issuer.example has 45 bytes, HS512 wants 64 random ones',
      'The configuration is good, but see the warnings.',
    ]) {
      assert.ok(sentences.includes(sentence), `${sentence}\nis not in\n${out}`)
    }
    assert.doesNotMatch(out, /hidden/)
  })

  test('finds what only the parts know, as a start would, and opens nothing', async () => {
    const missing = `subscriber_jwks_url: file://${join(directory, 'none.json')}`
    for (const [line, sentence] of [
      [
        'transport_url: local://local?sise=5',
        /^ +transport_url \(mercure\.yaml:2\): local: there is no option "sise"\. Did you mean "size"\?/m,
      ],
      [
        'transport_url: bolt://updates.db?size=-1',
        /^ +transport_url \(mercure\.yaml:2\): bolt: size: "-1" is not a whole number/m,
      ],
      ['transport_url: kafka://user:hidden@host', /^ +transport_url \(mercure\.yaml:2\): kafka: the topic is missing/m],
      [missing, /^subscriber_jwt_key: the JWK Set cannot be used: ENOENT/],
    ] as const) {
      const { code, out, err } = await check(`jwt_key: ${secret}\n${line}`)
      assert.deepEqual({ code, out }, { code: 1, out: '' })
      assert.match(err, sentence)
      assert.doesNotMatch(err, /hidden/)
    }
    assert.ok(!(await readdir(directory)).includes('updates.db'))
  })

  test('reads the file of --config and the flags of serve, and says what they override', async () => {
    await writeFile(join(directory, 'hub.yaml'), `jwt_key: ${secret}\naddr: :80\n`)
    const { code, out } = await check('broken', '--config', 'hub.yaml', '--addr', ':8080', '--log-format', 'text')
    assert.equal(code, 0)
    assert.match(out, /^configuration +hub\.yaml\n +Set elsewhere: addr \(--addr\), log_format \(--log-format\)\.\n/)
    assert.match(out, /Listens on :8080, on every interface, plain HTTP\./)
    assert.match(out, /\nThe configuration is good\.\n$/)
  })

  test('does without a file', async () => {
    await writeFile(join(directory, 'key'), secret)
    const { code, out } = await check(null, '--jwt-key-file', 'key')
    assert.equal(code, 0)
    assert.match(out, /^configuration +No file\.\n +Set elsewhere: jwt_key_file \(--jwt-key-file\)\.\n/)
  })

  test('prints the same as JSON', async () => {
    const { code, out } = await check(`jwt_key: ${secret}\ndebug: true\n`, '--json')
    const { valid, file, sources, warnings, meaning } = JSON.parse(out)
    assert.deepEqual(
      { code, valid, file, sources, warnings },
      {
        code: 0,
        valid: true,
        file: 'mercure.yaml',
        sources: { jwt_key: 'mercure.yaml:1', debug: 'mercure.yaml:2' },
        warnings: [],
      },
    )
    assert.deepEqual(meaning['0.x tokens'], [
      'Publishers: HS256, a secret of 45 bytes.',
      'Subscribers: HS256, a secret of 45 bytes.',
    ])
    assert.doesNotMatch(out, /hidden/)
  })

  const wrong = `jwt_key: ${secret}\nadr: :80\nheartbeat_interval: 15\n`

  test('names every problem and fails', async () => {
    assert.deepEqual(await check(wrong), {
      code: 1,
      out: '',
      err: [
        'The configuration has 2 problems:',
        '  adr (mercure.yaml:2): there is no such key. Did you mean "addr"?',
        '  heartbeat_interval (mercure.yaml:3): "15" has no unit. Did you mean 15s?',
        '',
      ].join('\n'),
    })
  })

  test('names them as JSON, too', async () => {
    const { code, out, err } = await check(wrong, '--json')
    assert.deepEqual({ code, err }, { code: 1, err: '' })
    assert.deepEqual(JSON.parse(out), {
      valid: false,
      problems: [
        { key: 'adr', where: 'mercure.yaml:2', message: 'there is no such key. Did you mean "addr"?' },
        { key: 'heartbeat_interval', where: 'mercure.yaml:3', message: '"15" has no unit. Did you mean 15s?' },
      ],
    })
  })

  test('names a file that is not there, and nothing that would follow from it', async () => {
    assert.deepEqual(await check('', '--config', 'none.yaml'), {
      code: 1,
      out: '',
      err: 'The configuration has a problem:\n  --config: there is no file none.yaml.\n',
    })
  })

  test('names a flag that is unknown, but not its value', async () => {
    assert.deepEqual(await check('', '--jwt-kye=hidden'), {
      code: 1,
      out: '',
      err: "error: unknown option '--jwt-kye'\n",
    })
  })
})

test('talaria serve does not start with what check refuses, and says the same', async () => {
  const { err } = await check('adr: :80')
  assert.match(err, /^The configuration has 2 problems:\n/)
  for (const command of [['serve'], []]) assert.deepEqual(await run(...command), { code: 1, out: '', err })
})

test('the help of either fits a terminal of 80 columns', async () => {
  for (const command of ['check', 'serve']) {
    const { code, out } = await run(command, '--help')
    assert.equal(code, 0)
    assert.match(out, /^ {2}-a, --addr <host:port> +where to listen$/m)
    assert.deepEqual(
      out.split('\n').filter(line => line.length > 80),
      [],
    )
  }
})
