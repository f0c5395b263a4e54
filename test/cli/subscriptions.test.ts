import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { isMissing, runCommand, runInTerminal, startCommand } from '../support/command.ts'
import { startHub } from '../support/hub.ts'
import { HubProcess } from '../support/process.ts'
import { freePort } from '../support/services/free-port.ts'
import { signAccessToken, subscriberToken, testIssuer, testKey } from '../support/token.ts'

const books = 'https://example.com/books/{id}'
const pattern = 'https://example.com/books/:id'
const settings = { subscriptions: true, issuers: [testIssuer] }

const accessToken = (hubUrl: string) => signAccessToken(hubUrl, [{ actions: ['subscribe'], topics: [{ match: '*' }] }])
const json = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))

test('subscriptions of the generation of the token are listed, in rows and as JSON', async () => {
  await using hub = await startHub(settings)
  const payload = { user: 'ada\u202e' }
  const headers = { Authorization: `Bearer ${await subscriberToken(['*'], payload)}` }
  await hub.subscribe(`topic=${encodeURIComponent(books)}`, { headers })
  await hub.subscribe(`match_urlpattern=${encodeURIComponent(pattern)}`)
  const env = { MERCURE_URL: hub.url, MERCURE_JWT: await subscriberToken(['*']) }
  const rows = await runCommand(['subscriptions'], { env })
  assert.deepEqual([rows.code, rows.err], [0, ''])
  assert.match(
    rows.out,
    /^topic {2}https:\/\/example\.com\/books\/\{id\} {2}urn:uuid:\S+ {2}\{"user":"ada\\u\{202e\}"\}\n$/,
  )
  const [one, ...others] = json((await runCommand(['subscriptions', '--json'], { env })).out)
  assert.deepEqual([one.topic, one.active, one.payload, others], [books, true, payload, []])

  const v1 = { MERCURE_URL: hub.url, MERCURE_JWT: await accessToken(hub.hubUrl) }
  const [other, ...more] = json((await runCommand(['subscriptions', '--json'], { env: v1 })).out)
  assert.deepEqual([other.match, other.match_type, other.active, more], [pattern, 'urlpattern', true, []])

  const { code, out, err } = await runCommand(['subscriptions', '--generation', '1.0'], { env })
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /^The hub lists the subscriptions of 0\.x, the generation of the token: .+\n$/)
})

test('topics filter; where nobody is subscribed to them, nothing is printed', async () => {
  await using hub = await startHub(settings)
  await hub.subscribe('topic=a&topic=b&topic=c')
  const env = { MERCURE_URL: hub.url, MERCURE_JWT: await subscriberToken(['*']) }
  const { out } = await runCommand(['subscriptions', '--json', 'a', 'c', 'd'], { env })
  assert.deepEqual(
    json(out)
      .map(({ topic }) => topic)
      .sort(),
    ['a', 'c'],
  )
  assert.deepEqual(await runCommand(['subscriptions', 'd'], { env }), { code: 0, out: '', err: '' })
})

for (const generation of ['0.x', '1.0'] as const) {
  test(`who comes and goes is told, in ${generation}`, async () => {
    await using hub = await startHub(settings)
    const parameter = generation === '0.x' ? 'topic' : 'match'
    const there = await hub.subscribe(`${parameter}=there`)
    const token = generation === '0.x' ? await subscriberToken(['*']) : await accessToken(hub.hubUrl)
    await using watching = await startCommand(['subscriptions', '--watch', '--json', 'there', 'later'], {
      MERCURE_URL: hub.url,
      MERCURE_JWT: token,
    })
    const seen = () => watching.log.map(({ topic, match, active }) => `${topic ?? match} ${active}`)
    await watching.until(() => seen().length === 1)
    const later = await hub.subscribe(`${parameter}=later`)
    await watching.until(() => seen().length === 2)
    there.close()
    await watching.until(() => seen().length === 3)
    later.close()
    await watching.until(() => seen().length === 4)
    watching.signal('SIGINT')
    assert.equal(await watching.exit(), 0)
    assert.deepEqual(seen(), ['there true', 'later true', 'there false', 'later false'])
    assert.equal(watching.stderr, '')
  })
}

test('a hub that returns without them: who was subscribed has gone', async () => {
  const port = await freePort()
  const config = `addr: 127.0.0.1:${port}\ntransport_url: local://local\njwt_key: ${testKey}\nallow_anonymous: true\nsubscriptions: true\n`
  const hub = await HubProcess.start({ config })
  const url = await hub.url()
  const stay = new AbortController()
  const token = await subscriberToken(['*'])
  await fetch(`${url}/.well-known/mercure?topic=a`, { signal: stay.signal })
  await using watching = await startCommand(['subscriptions', '--watch', 'a'], { MERCURE_URL: url, MERCURE_JWT: token })
  await watching.until(() => watching.stdout.includes('+ topic  a  urn:uuid:'))
  await hub[Symbol.asyncDispose]()
  await using again = await HubProcess.start({ config })
  await again.url()
  await watching.until(() => watching.stdout.includes('\n- topic  a  urn:uuid:'))
  assert.match(watching.stderr, /^Lost the hub: .+\nThe hub is back, after .+\n$/)
  stay.abort()
})

test('a refusal, a hub that is not there and what is no hub end with 1 and one sentence, on standard error', async () => {
  await using hub = await startHub(settings)
  await using page = createServer((_, response) => response.end('{}'))
  await once(page.listen(0, '127.0.0.1'), 'listening')
  const cases: [args: string[], sentence: RegExp][] = [
    [[], /: 401 token_missing: .+ Give it with --token or MERCURE_JWT\.\n$/],
    [['--watch', '--token', await subscriberToken(['other'])], /: 401 subscribe_not_granted: .+\n$/],
    [['--url', `http://127.0.0.1:${await freePort()}`], /^No hub answers at .+: connect ECONNREFUSED .+\n$/],
    [
      ['--url', `http://127.0.0.1:${(page.address() as AddressInfo).port}`],
      / answers with no list of subscriptions: .+\n$/,
    ],
    [['--generation', '2'], /^error: .+Allowed choices are 0\.x, 1\.0\.\n/],
  ]
  for (const [args, sentence] of cases) {
    const { code, out, err } = await runCommand(['subscriptions', ...args], { env: { MERCURE_URL: hub.url } })
    assert.deepEqual([code, out], [1, ''], args.join(' '))
    assert.match(err, sentence)
  }
})

test('a terminal gets headings and a count', { skip: isMissing('script') }, async () => {
  await using hub = await startHub(settings)
  const env = { MERCURE_URL: hub.url, MERCURE_JWT: await subscriberToken(['*']), NO_COLOR: '1' }
  assert.equal(await runInTerminal(['subscriptions'], env), '0 subscriptions\n')
  await hub.subscribe('topic=a')
  const shown = await runInTerminal(['subscriptions'], env)
  assert.match(shown, /^kind {3}topic {2}subscriber {2,}payload\ntopic {2}a {6}urn:uuid:\S+\n\n1 subscription\n$/)
})
