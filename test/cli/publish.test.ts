import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createCertificate } from '../support/certificate.ts'
import { runCommand } from '../support/command.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { freePort } from '../support/services/free-port.ts'
import { publisherToken, subscriberToken } from '../support/token.ts'

const topic = 'https://example.com/books/1'

/** Where the hub is, and a token for every topic. */
const environmentFor = async ({ url }: TestHub) => ({ MERCURE_URL: url, MERCURE_JWT: await publisherToken() })

test('every field of an update is published, and its id printed', async () => {
  await using hub = await startHub()
  const headers = { Authorization: `Bearer ${await subscriberToken(['*'])}` }
  const stream = await hub.subscribe('topic=*', { headers })
  const args = ['publish', topic, 'alternate', '--data', 'a\nb', '--private', '--id', 'one', '--type', 'note']
  const outcome = await runCommand([...args, '--retry', '1234'], { env: await environmentFor(hub) })
  assert.deepEqual(outcome, { code: 0, out: 'one\n', err: '' })
  assert.deepEqual(await stream.take(), [{ id: 'one', event: 'note', data: 'a\nb' }])
  const anonymous = await hub.subscribe('topic=alternate&last_event_id=earliest')
  await hub.publish({ topic: 'alternate', id: 'public' })
  assert.deepEqual(
    (await anonymous.take()).map(({ id }) => id),
    ['public'],
  )
})

test('the URL may have the path of the hub or not, and flags go before variables', async () => {
  await using hub = await startHub()
  const env = await environmentFor(hub)
  for (const url of [hub.hubUrl, `${hub.hubUrl}/`, `${hub.url}/`]) {
    const { code, err } = await runCommand(['publish', topic, '--url', url], {
      env: { ...env, MERCURE_URL: 'http://127.0.0.1:9' },
    })
    assert.deepEqual([code, err], [0, ''])
  }
  const { err } = await runCommand(['publish', topic, '--token', await publisherToken('other')], { env })
  assert.match(err, /: 401 topic_not_granted: /)
})

test('data and token come from arguments, files and standard input', async t => {
  await using hub = await startHub()
  const directory = await mkdtemp(join(tmpdir(), 'talaria-publish-'))
  t.after(() => rm(directory, { recursive: true }))
  const stream = await hub.subscribe(`topic=${topic}`)
  const publish = async (args: string[], input?: string) => {
    const options = { env: await environmentFor(hub), cwd: directory, ...(input === undefined ? {} : { input }) }
    const outcome = await runCommand(['publish', topic, ...args], options)
    assert.deepEqual([outcome.code, outcome.err], [0, ''])
    const [event] = await stream.take()
    return event?.data
  }
  await writeFile(join(directory, 'data'), 'from a file\r\n')
  await writeFile(join(directory, 'token'), `${await publisherToken()}\n`)
  assert.equal(await publish(['--data', '@data']), 'from a file')
  assert.equal(await publish(['--data', '-'], 'ü\n\n'), 'ü\n')
  assert.equal(await publish(['--data', '@-'], 'piped'), 'piped')
  assert.equal(await publish([], 'piped\n'), 'piped')
  assert.equal(await publish(['--data', 'said'], 'not read'), 'said')
  assert.equal(await publish(['--token', '@token', '--data', 'x']), 'x')
  assert.equal(await publish(['--token', '@-', '--data', 'y'], await publisherToken()), 'y')
})

test('lines are published one by one, in their order', async () => {
  await using hub = await startHub()
  const stream = await hub.subscribe(`topic=${topic}`)
  const input = Array.from({ length: 50 }, (_, n) => `line ${n}\n`).join('')
  const outcome = await runCommand(['publish', topic, '--lines'], { env: await environmentFor(hub), input })
  assert.deepEqual([outcome.code, outcome.err], [0, ''])
  const events = await stream.take(50)
  assert.equal(events.map(({ data }) => `${data}\n`).join(''), input)
  assert.equal(events.map(({ id }) => `${id}\n`).join(''), outcome.out)
})

test('of lines that fail, the first is named, and none after it published', async () => {
  await using hub = await startHub()
  const env = await environmentFor(hub)
  const { code, out, err } = await runCommand(['publish', topic, '--lines'], {
    env,
    input: Buffer.concat([Buffer.from('good\n'), Buffer.from([0xff, 0x0a]), Buffer.from('never\n')]),
  })
  assert.deepEqual([code, out.split('\n').length, err], [1, 2, 'Line 2: it is not UTF-8.\n'])
  const stream = await hub.subscribe(`topic=${topic}&last_event_id=earliest`)
  await hub.publish({ topic, data: 'marker' })
  assert.deepEqual(
    (await stream.take(2)).map(({ data }) => data),
    ['good', 'marker'],
  )
})

test('a certificate must be trusted: how is told', async () => {
  await using certificate = await createCertificate()
  const { certFile, keyFile } = certificate
  await using hub = await startHub({ cert_file: certFile, key_file: keyFile })
  const env = await environmentFor(hub)
  const { code, err } = await runCommand(['publish', topic], { env })
  assert.equal(code, 1)
  assert.match(
    err,
    /^No hub answers at .+: the certificate is not accepted: it is self-signed; NODE_EXTRA_CA_CERTS .+\.\n$/,
  )
  assert.equal((await runCommand(['publish', topic], { env: { ...env, NODE_EXTRA_CA_CERTS: certFile } })).code, 0)
})

test('--dev publishes to a development hub', async () => {
  await using hub = await startHub({ jwt_key: '!ChangeThisMercureHubJWTSecretKey!' })
  const env = { MERCURE_URL: hub.url }
  const { code, out } = await runCommand(['publish', '--dev', topic], { env: { ...env, MERCURE_JWT: 'another' } })
  assert.equal(code, 0)
  assert.match(out, /^urn:uuid:\S+\n$/)
  const { err } = await runCommand(['publish', '--dev', '--token', 'x', topic], { env })
  assert.equal(err, '--dev makes a token, and --token is one: give one of them.\n')
})

test('a refusal, a hub that is not there and a misuse end with 1 and one sentence, on standard error', async () => {
  await using hub = await startHub()
  const port = await freePort()
  const cases: [args: string[], env: Record<string, string>, sentence: RegExp][] = [
    [[], {}, /: 401 token_missing: .+ Give it with --token or MERCURE_JWT\.\n$/],
    [[], { MERCURE_JWT: 'nonsense' }, /: 401 authorization_malformed: .+\n$/],
    [['--token', 'a b'], {}, /^--token has characters that no token has\.\n$/],
    [[], { MERCURE_JWT: 'a b' }, /^MERCURE_JWT has characters that no token has\.\n$/],
    [['--url', `${hub.url}/nowhere`], {}, /^http:.+\/nowhere: 404 not_found: .+\n$/],
    [
      ['--url', `http://127.0.0.1:${port}`],
      {},
      /^No hub answers at http:.+: connect ECONNREFUSED 127\.0\.0\.1:\d+\.\n$/,
    ],
    [
      ['--url', 'hub.example'],
      {},
      /^"hub\.example" is not the URL of a hub.+ Did you mean https:\/\/hub\.example\?\n$/,
    ],
    [
      ['--url', 'http://user:secret@hub.example'],
      {},
      /^The URL of a hub has no user and no password: use a token\.\n$/,
    ],
    [['--data', '@nonesuch'], {}, /^--data: the file after the @ cannot be read: .+\n$/],
    [['--lines', '--id', 'x'], {}, /^--lines publishes many updates, and --id is for one\.\n$/],
    [['--nonesuch'], {}, /^error: unknown option '--nonesuch'\n/],
  ]
  for (const [args, env, sentence] of cases) {
    const { code, out, err } = await runCommand(['publish', topic, ...args], { env: { MERCURE_URL: hub.url, ...env } })
    assert.deepEqual([code, out], [1, ''], args.join(' '))
    assert.match(err, sentence)
    assert.doesNotMatch(err, /secret|nonsense/)
  }
})
