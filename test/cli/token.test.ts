import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { CommanderError } from 'commander'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { tokenCommand } from '../../src/cli/token.ts'
import { authorizationDetailType as type } from '../../src/protocol/grant.ts'
import { authenticator, refuses, withBearer } from '../support/authentication.ts'
import { keyPair, pkcs8, publicJwk, secret, spki } from '../support/keys.ts'

const devSecret = '!ChangeThisMercureHubJWTSecretKey!'

/** Runs the command as `main.ts` does, without a process of its own. */
async function run(...args: string[]) {
  const outs: string[] = []
  const errs: string[] = []
  const command = tokenCommand()
    .exitOverride()
    .configureOutput({ writeOut: text => outs.push(text), writeErr: text => errs.push(text) })
  const result = (exitCode: number) => ({ out: outs.join(''), err: errs.join(''), exitCode })
  try {
    await command.parseAsync(args, { from: 'user' })
    return result(0)
  } catch (error) {
    if (error instanceof CommanderError) return result(error.exitCode)
    throw error
  }
}

async function mint(...args: string[]) {
  const { out, err, exitCode } = await run(...args)
  assert.equal(exitCode, 0, err)
  assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/, 'nothing but the token')
  const token = out.trim()
  return { token, err, header: decodeProtectedHeader(token), claims: decodeJwt(token) }
}

describe('0.x', () => {
  test('--dev fits a hub with the well-known secret and grants everything for ever', async () => {
    const { token, header, claims } = await mint('--dev')
    assert.deepEqual(header, { alg: 'HS256', typ: 'JWT' })
    assert.deepEqual(claims.mercure, { publish: ['*'], subscribe: ['*'] })
    assert.equal(claims.exp, undefined)
    const source = { key: devSecret, algorithm: 'HS256' }
    const hub = authenticator({ legacy: { publisher: source, subscriber: source } })
    assert.equal((await hub.authenticate(withBearer(token), 'publisher'))?.publish?.[0]?.everything, true)
    assert.equal((await hub.authenticate(withBearer(token), 'subscriber'))?.subscribe?.[0]?.everything, true)
  })

  test('grants and payload are what was asked for', async () => {
    const { claims } = await mint(
      ...['--key', secret, '--publish', 'a', '--publish', 'https://a.example/{id}', '--subscribe', 'b'],
      ...['--payload', '{"user": "ada"}', '--sub', 'ada', '--jti', 't1'],
      ...['--iss', 'https://i.example', '--aud', 'hub'],
    )
    assert.deepEqual(claims.mercure, {
      publish: ['a', 'https://a.example/{id}'],
      subscribe: ['b'],
      payload: { user: 'ada' },
    })
    const { sub, jti, iss, aud } = claims
    assert.deepEqual([sub, jti, iss, aud], ['ada', 't1', 'https://i.example', 'hub'])
  })

  test('the id of a 1.0 token is what was asked for', async () => {
    const { claims } = await mint('--dev', '--generation', '1.0', '--jti', 't1')
    assert.equal(claims.jti, 't1')
  })

  test('a role that was not asked for is left out', async () => {
    assert.deepEqual((await mint('--key', secret, '--publish', 'a')).claims.mercure, { publish: ['a'] })
    assert.deepEqual((await mint('--dev', '--subscribe', 'a')).claims.mercure, { subscribe: ['a'] })
  })

  test('it lasts an hour, or what --ttl says, or for ever', async () => {
    const lifetime = async (...args: string[]) => {
      const { exp, iat = Number.NaN } = (await mint('--key', secret, '--publish', 'a', ...args)).claims
      return exp === undefined ? undefined : exp - iat
    }
    assert.equal(await lifetime(), 3600)
    assert.equal(await lifetime('--ttl', '1m30s'), 90)
    assert.equal(await lifetime('--ttl', '10ms'), 1)
    assert.equal(await lifetime('--no-exp'), undefined)
    const dev = (await mint('--dev', '--ttl', '2h')).claims
    assert.equal((dev.exp ?? 0) - (dev.iat ?? 0), 7200)
  })
})

describe('1.0', () => {
  test('--dev', async () => {
    const { header, claims } = await mint('--generation', '1.0', '--dev')
    assert.deepEqual(header, { alg: 'HS256', typ: 'at+jwt' })
    assert.equal(claims.iss, 'https://localhost')
    assert.equal(claims.aud, 'https://localhost/.well-known/mercure')
    assert.equal(claims.exp, 4_102_444_800)
    const topics = [{ match: '*' }]
    assert.deepEqual(claims.authorization_details, [
      { type, actions: ['publish'], topics },
      { type, actions: ['subscribe'], topics },
    ])
  })

  test('a hub that trusts the issuer accepts it', async () => {
    const iss = 'https://issuer.example'
    const aud = 'https://hub.example/.well-known/mercure'
    const { token, claims, header } = await mint(
      ...[
        '--generation',
        '1.0',
        '--key',
        pkcs8(keyPair('ES256').privateKey),
        '--kid',
        'k1',
        '--iss',
        iss,
        '--aud',
        aud,
      ],
      ...['--sub', 'ada', '--client-id', 'app', '--ttl', '5m'],
      ...['--publish', 'https://a.example/1', '--publish-urlpattern', 'https://a.example/:id'],
      ...['--subscribe-urlpattern', '*', '--payload', '"p"'],
    )
    assert.deepEqual(header, { alg: 'ES256', typ: 'at+jwt', kid: 'k1' })
    assert.deepEqual([claims.sub, claims.client_id, typeof claims.jti], ['ada', 'app', 'string'])
    assert.deepEqual(claims.authorization_details, [
      {
        type,
        actions: ['publish'],
        topics: [{ match: 'https://a.example/1' }, { match: 'https://a.example/:id', match_type: 'urlpattern' }],
      },
      { type, actions: ['subscribe'], topics: [{ match: '*', match_type: 'urlpattern' }], payload: 'p' },
    ])
    const source = { key: spki(keyPair('ES256').publicKey), algorithm: 'ES256' }
    const issuers = [{ id: iss, publisher: source, subscriber: source }]
    const hub = authenticator({ legacy: undefined, issuers, now: Date.now })
    const grant = await hub.authenticate(withBearer(token), 'publisher')
    assert.deepEqual(
      grant?.publish?.map(({ kind }) => kind),
      ['exact', 'urlpattern'],
    )
  })
})

describe('keys', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'token-'))
  })
  after(() => rm(directory, { recursive: true }))

  for (const [algorithm, natural] of [
    ['RS256', 'RS256'],
    ['PS512', 'RS256'],
    ['ES256', 'ES256'],
    ['ES384', 'ES384'],
    ['ES512', 'ES512'],
    ['EdDSA', 'EdDSA'],
  ] as const) {
    test(`${algorithm}: PEM and JWK, with --alg and without`, async () => {
      const { privateKey, publicKey } = keyPair(algorithm)
      const legacy = { publisher: { key: spki(publicKey), algorithm } }
      for (const key of [pkcs8(privateKey), JSON.stringify(publicJwk(privateKey))]) {
        assert.equal((await mint('--key', key, '--publish', 'a')).header.alg, natural)
        const { token } = await mint('--key', key, '--alg', algorithm, '--publish', 'a', '--no-exp')
        assert.notEqual(await authenticator({ legacy }).authenticate(withBearer(token), 'publisher'), null)
      }
    })
  }

  test('a secret of one byte, and HS512', async () => {
    const { token, header } = await mint('--key', 't', '--alg', 'HS512', '--publish', 'a', '--no-exp')
    assert.equal(header.alg, 'HS512')
    const hub = authenticator({ legacy: { publisher: { key: 't', algorithm: 'HS512' } } })
    assert.notEqual(await hub.authenticate(withBearer(token), 'publisher'), null)
  })

  test('@FILE reads a file, less the line break at its end', async () => {
    const file = join(directory, 'secret')
    for (const [ending, accepted] of [
      ['', true],
      ['\n', true],
      ['\r\n', true],
      ['\n\n', false],
    ] as const) {
      await writeFile(file, secret + ending)
      const { token } = await mint('--key', `@${file}`, '--publish', 'a', '--no-exp')
      const attempt = async () => authenticator().authenticate(withBearer(token), 'publisher')
      if (accepted) assert.notEqual(await attempt(), null)
      else await refuses(attempt, { code: 'token_signature' })
    }
  })
})

describe('what is refused, with a sentence and without a token', () => {
  const dev10 = ['--generation', '1.0', '--dev']
  const cases: { args: string[]; sentence: RegExp }[] = [
    { args: [], sentence: /would grant nothing: add --publish or --subscribe/ },
    { args: ['--publish', 'a'], sentence: /--key is missing.*--dev/ },
    { args: ['--key', '', '--publish', 'a'], sentence: /the secret is empty/ },
    {
      args: ['--key', '@/nowhere/at/all', '--publish', 'a'],
      sentence:
        /^error: --key: the file after the @ cannot be read: there is no such file\. Relative names start at \/.*\.\n$/,
    },
    { args: ['--key', '@/', '--publish', 'a'], sentence: /^error: --key: .* cannot be read: it is a directory\./ },
    { args: ['--key', spki(keyPair('ES256').publicKey), '--publish', 'a'], sentence: /no private key in it/ },
    {
      args: ['--key', '-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----', '--publish', 'a'],
      sentence: /no private key in it/,
    },
    {
      args: ['--key', JSON.stringify(publicJwk(keyPair('ES256').publicKey)), '--publish', 'a'],
      sentence: /no private key in it/,
    },
    {
      args: ['--key', pkcs8(keyPair('RS256').privateKey), '--alg', 'HS256', '--publish', 'a'],
      sentence: /type rsa, HS256 needs secret/,
    },
    { args: ['--key', secret, '--alg', 'RS256', '--publish', 'a'], sentence: /type secret, RS256 needs rsa/ },
    {
      args: ['--key', pkcs8(keyPair('ES256').privateKey), '--alg', 'ES384', '--publish', 'a'],
      sentence: /curve prime256v1/,
    },
    { args: ['--dev', '--alg', 'none'], sentence: /none is not one of/ },
    { args: ['--dev', '--ttl', '5'], sentence: /no unit/ },
    { args: ['--dev', '--ttl', '0'], sentence: /--no-exp/ },
    { args: ['--dev', '--ttl', '1h', '--no-exp'], sentence: /exclude each other/ },
    { args: ['--dev', '--payload', '{x}'], sentence: /--payload is not JSON/ },
    { args: ['--dev', '--publish', 'a', '--payload', '1'], sentence: /it needs --subscribe/ },
    { args: ['--dev', '--publish-urlpattern', 'a'], sentence: /0\.x tokens have no URL Patterns/ },
    { args: ['--dev', '--client-id', 'a'], sentence: /--client-id is for --generation 1\.0/ },
    { args: ['--generation', '1.0', '--key', secret, '--aud', 'x', '--publish', 'a'], sentence: /--iss is missing/ },
    { args: ['--generation', '1.0', '--key', secret, '--iss', 'x', '--publish', 'a'], sentence: /--aud is missing/ },
    { args: [...dev10, '--no-exp'], sentence: /must expire/ },
    { args: ['--generation', '2', '--dev'], sentence: /Allowed choices are 0\.x, 1\.0/ },
    { args: ['--dev', '--unknown'], sentence: /unknown option/ },
  ]
  for (const { args, sentence } of cases) {
    test(args.map(arg => arg.split('\n')[0]?.slice(0, 30)).join(' ') || 'no option at all', async () => {
      const { out, err, exitCode } = await run(...args)
      assert.equal(out, '')
      assert.match(err, /^error: /)
      assert.match(err, sentence)
      assert.equal(exitCode, 1)
      assert.ok(!err.includes(secret))
    })
  }
})

describe('as a process', () => {
  const script = `import { tokenCommand } from ${JSON.stringify(import.meta.resolve('../../src/cli/token.ts'))}
    await tokenCommand().parseAsync(process.argv.slice(1), { from: 'user' })`
  const start = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, '--', ...args])

  test('@- reads the key from standard input; --pretty goes to standard error', async () => {
    const running = start('--key', '@-', '--publish', 'a', '--no-exp', '--pretty')
    running.child.stdin?.end(`${secret}\n`)
    const { stdout, stderr } = await running
    assert.notEqual(await authenticator().authenticate(withBearer(stdout.trim()), 'publisher'), null)
    const shown = JSON.parse(stderr)
    assert.deepEqual(shown.header, { alg: 'HS256', typ: 'JWT' })
    assert.deepEqual(shown.claims.mercure, { publish: ['a'] })
  })

  test('a mistake ends it with 1 and a sentence', async () => {
    await assert.rejects(
      start('--dev', '--payload', '{'),
      (error: { code: number; stderr: string; stdout: string }) => {
        assert.equal(error.code, 1)
        assert.equal(error.stdout, '')
        assert.match(error.stderr, /^error: --payload is not JSON/)
        return true
      },
    )
  })
})
