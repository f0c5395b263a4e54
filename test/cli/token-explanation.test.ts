import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { main } from '../support/process.ts'
import { signAccessToken, signToken, testIssuer, testKey } from '../support/token.ts'

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'talaria-explain-'))
  const issuers = [testIssuer]
  await writeFile(join(directory, 'mercure.yaml'), JSON.stringify({ jwt_key: testKey, issuers, subscriptions: true }))
})
after(() => rm(directory, { recursive: true }))

/** Runs `talaria token …` where that configuration is. */
async function run(args: readonly string[], { input = '', env = {} }: { input?: string; env?: object } = {}) {
  const child = spawn(process.execPath, [main, 'token', ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH, HOME: directory, ...env },
  })
  child.stdin.end(input)
  const ended = new Promise<number | null>(resolve => child.on('close', resolve))
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  assert.ok(!out.includes(testKey) && !err.includes(testKey), 'no key is shown')
  return { out, err, code }
}

describe('talaria token --explain', { concurrency: 2 }, () => {
  test('says that the hub accepts a token, for what it grants', async () => {
    const publisher = await run(['--explain', await signToken({ mercure: { publish: ['a'] } })])
    assert.equal(publisher.code, 0, publisher.err)
    assert.match(publisher.out, /^Accepted for publishing\.\n/)
    assert.match(publisher.out, /^Asked: the configuration in mercure\.yaml\.$/m)
    const subscriber = await run(['--explain', await signToken({ mercure: { subscribe: ['a'] } })])
    assert.equal(subscriber.code, 0, subscriber.err)
    assert.match(subscriber.out, /^Accepted for subscribing\.\n/)
    assert.match(subscriber.out, /^Otherwise: publishing: 401 publish_not_granted; reading subscriptions: 401/m)
  })

  test('of a signature that does not fit it says what is known of it, and not to ask what is being asked', async () => {
    const token = await signToken({ mercure: { publish: ['a'] } }, 'a key that nobody here has ever heard of')
    const unknown = await run(['--explain', token])
    assert.match(unknown.out, /^Refused for publishing: 401 token_signature\n/)
    assert.match(unknown.out, /→ Sign it with the key of publisher_jwt_key \(or jwt_key\)\.\n/)
    assert.doesNotMatch(unknown.out, /--explain/)
    const cut = await run(['--explain', token.slice(0, -4)])
    assert.match(
      cut.out.replaceAll(/\s+/g, ' '),
      /→ Its signature has 39 characters, and one of HS256 has 43: its end was cut off/,
    )
  })

  test('flags for minting are refused beside it, with what was meant', async () => {
    const token = await signToken({ mercure: { publish: ['a'] } })
    const meant = {
      '--publish': '--publish is for minting a token, and --explain is given one: write --action publish --topic b.',
      '--subscribe':
        '--subscribe is for minting a token, and --explain is given one: write --action subscribe --topic b.',
      '--sub': '--sub is for minting a token, and --explain is given one: leave it out.',
    }
    for (const [flag, sentence] of Object.entries(meant)) {
      assert.deepEqual(await run(['--explain', token, flag, 'b']), { out: '', err: `error: ${sentence}\n`, code: 1 })
    }
    const { err } = await run(['--explain', token, '--no-exp'])
    assert.match(err, /^error: --no-exp is for minting a token/)
    // What commander takes for granted nobody has said.
    assert.equal((await run(['--explain', token, '--action', 'publish', '--topic', 'a'])).code, 0)
  })

  test('says why it refuses another, all of it', async () => {
    const token = await signToken({ mercure: { publish: ['a'] }, exp: 1 }, `${testKey}\n`)
    const { out, code } = await run(['--explain', token, '--topic', 'b'])
    assert.equal(code, 1)
    assert.match(out, /^Refused for publishing: 401 token_signature\n/)
    assert.match(out, /^✗ signature .*\n(?:.*\n)?.*→ It was signed with the key .* with a line break/m)
    assert.match(out, /^✗ times\s+The token expired at 1970/m)
    assert.match(out, /^✗ action\s+The token does not grant publishing to "b"/m)
  })

  test('reads the token from a file or from standard input', async () => {
    const token = await signToken({ mercure: { publish: ['a'] } })
    await writeFile(join(directory, 'token.jwt'), `${token}\n`)
    for (const from of [run(['--explain', '@token.jwt']), run(['--explain', '@-'], { input: `${token}\n` })]) {
      assert.equal((await from).code, 0)
    }
    const missing = await run(['--explain', '@none.jwt'])
    assert.equal(missing.code, 1)
    assert.match(missing.err, /^error: --explain: the file after the @ cannot be read/)
  })

  test('asks for an access token as its hub is addressed', async () => {
    const url = 'https://hub.example'
    const details = [{ actions: ['publish'], topics: [{ match: 'a' }] }]
    const token = await signAccessToken(`${url}/.well-known/mercure`, details)
    const accepted = await run(['--explain', token, '--url', url, '--json'])
    assert.equal(accepted.code, 0, accepted.out)
    const explanation = JSON.parse(accepted.out)
    assert.equal(explanation.generation, '1.0')
    assert.deepEqual(explanation.grants.publish, [{ kind: 'exact', pattern: 'a' }])
    const elsewhere = await run(['--explain', token])
    assert.equal(elsewhere.code, 1)
    assert.match(elsewhere.out, /^✗ audience/m)
  })

  test('says which private updates a subscription gets', async () => {
    const token = await signToken({ mercure: { subscribe: ['a'] } })
    const { out, code } = await run(['--explain', token, '--match', 'a', '--topic', 'a', '--topic', 'b'])
    assert.equal(code, 0)
    assert.match(out, /Private updates of a are delivered: the token grants/)
    assert.match(out, /Private updates of b are not delivered: the token does not grant/)
  })

  test('takes the configuration that serve would: of a file, and of the environment', async () => {
    const token = await signToken({ mercure: { publish: ['a'] } }, 'another-key-of-more-than-32-characters')
    const env = { JWT_KEY: 'another-key-of-more-than-32-characters' }
    assert.equal((await run(['--explain', token], { env })).code, 0)
    await writeFile(join(directory, 'other.yaml'), `jwt_key: ${env.JWT_KEY}\n`)
    assert.equal((await run(['--explain', token, '--config', 'other.yaml'])).code, 0)
    const broken = await run(['--explain', token, '--config', 'none.yaml'])
    assert.equal(broken.code, 1)
    assert.match(broken.err, /there is no file none\.yaml/)
  })

  test('shows what a token holds, and lets it do nothing to the terminal', async () => {
    const { out } = await run(['--explain', await signToken({ mercure: { publish: ['\u001b[2J\u202e'] } })])
    assert.doesNotMatch(out, /[\u001b\u202e]/)
    assert.match(out, /u001b\[2J/)
  })
})
