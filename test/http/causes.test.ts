import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { JWTPayload } from 'jose'
import type { ErrorCode } from '../../src/errors.ts'
import type { Explanation } from '../../src/http/verdict.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { sign } from '../support/keys.ts'
import { main } from '../support/process.ts'
import { signAccessToken, signToken, testIssuer, testKey } from '../support/token.ts'

interface Row {
  readonly cause: string
  readonly settings?: Settings
  readonly action?: 'publish' | 'subscribe'
  /** Absent: the request has none. */
  readonly token?: (hubUrl: string) => Promise<string>
  readonly code: ErrorCode
  readonly status: number
  readonly says: RegExp
  readonly mend: RegExp
  /** What the log and the command line say besides. */
  readonly diagnosis?: RegExp
}

const grants = { mercure: { publish: ['*'], subscribe: ['*'] } }
const details = [{ actions: ['publish', 'subscribe'], topics: [{ match: '*' }] }]
const current = { issuers: [testIssuer], protocol: '1.0', jwt_key: undefined }
const secret = 'a-secret-with-$PECIAL-characters!-and-32-bytes'

const signMistyped = (claims: JWTPayload) =>
  sign(claims, { alg: 'HS256', key: Buffer.from(testKey), header: { typ: 'JWT' } })

const rows: readonly Row[] = [
  { cause: 'no token', code: 'token_missing', status: 401, says: /Publishing needs a token/, mend: /Bearer <JWT>/ },
  {
    cause: 'no token, in 1.0',
    settings: current,
    code: 'token_missing',
    status: 401,
    says: /Publishing needs a token/,
    mend: /Bearer <JWT>/,
  },
  {
    cause: 'anonymous off',
    settings: { allow_anonymous: false },
    action: 'subscribe',
    code: 'token_missing',
    status: 401,
    says: /does not allow anonymous subscribers/,
    mend: /allow_anonymous/,
  },
  {
    cause: 'wrong typ',
    settings: current,
    token: () => signToken(grants),
    code: 'token_type',
    status: 401,
    says: /typ is missing.*"at\+jwt"/,
    mend: /publisher_jwt_key/,
  },
  {
    cause: 'wrong typ, where both are spoken',
    settings: { issuers: [testIssuer], jwt_key: secret },
    token: hubUrl => signMistyped({ iss: testIssuer.id, aud: hubUrl, authorization_details: details }),
    code: 'token_signature',
    status: 401,
    says: /signature does not fit the key/,
    mend: /has authorization_details: .*typ must be "at\+jwt", and it has "JWT"\. If it is meant as a token of 0\.x: (sign it|it was signed) with/,
  },
  {
    cause: 'wrong typ, where both are spoken with one key',
    settings: { issuers: [testIssuer] },
    token: hubUrl => signMistyped({ iss: testIssuer.id, aud: hubUrl, authorization_details: details }),
    code: 'publish_not_granted',
    status: 401,
    says: /has no "publish" list/,
    mend: /typ must be "at\+jwt", and it has "JWT"/,
  },
  {
    cause: 'wrong typ, told by the issuer',
    settings: { issuers: [testIssuer], jwt_algorithm: 'HS512' },
    token: () => signMistyped({ iss: testIssuer.id }),
    code: 'token_algorithm',
    status: 401,
    says: /alg is "HS256"/,
    mend: /of an issuer of access tokens of 1\.0: .*typ must be "at\+jwt", and it has "JWT"/,
  },
  {
    cause: 'an access token where 0.x is spoken',
    token: hubUrl => signAccessToken(hubUrl, details),
    code: 'token_generation',
    status: 401,
    says: /accepts 0\.x tokens only/,
    mend: /"issuers"/,
  },
  {
    cause: 'wrong iss',
    settings: current,
    token: hubUrl => signAccessToken(hubUrl, details, { iss: 'https://other.example' }),
    code: 'token_issuer',
    status: 401,
    says: /iss is "https:\/\/other\.example"/,
    mend: /"issuers"/,
  },
  {
    cause: 'wrong aud',
    settings: current,
    token: () => signAccessToken('https://other.example', details),
    code: 'token_audience',
    status: 401,
    says: /aud is "https:\/\/other\.example"; it must name this hub/,
    mend: /resource_identifier/,
  },
  {
    cause: 'a malformed claim',
    token: () => signToken({ mercure: { publish: 'a' } }),
    code: 'token_claims',
    status: 401,
    says: /mercure\.publish is not a list/,
    mend: /"mercure": \{"publish": \[/,
  },
  {
    cause: 'malformed details',
    settings: current,
    token: hubUrl => signAccessToken(hubUrl, [{ actions: ['publish'], topics: [] }]),
    code: 'token_claims',
    status: 401,
    says: /authorization_details\[0\]\.topics is not a list/,
    mend: /"authorization_details": \[\{"type"/,
  },
  {
    cause: 'a wrong key',
    token: () => signToken(grants, 'another-key-that-is-long-enough-for-hs256'),
    code: 'token_signature',
    status: 401,
    says: /signature does not fit the key/,
    mend: /publisher_jwt_key \(or jwt_key\)/,
  },
  {
    cause: 'a wrong key, in 1.0',
    settings: { ...current, issuers: [{ id: testIssuer.id, publisher: { key: secret }, subscriber: { key: secret } }] },
    token: hubUrl => signAccessToken(hubUrl, details),
    code: 'token_signature',
    status: 401,
    says: /signature does not fit the key/,
    mend: /that issuer's publisher \(under "issuers"\)/,
  },
  {
    cause: 'a wrong algorithm',
    settings: { jwt_algorithm: 'HS512' },
    token: () => signToken(grants),
    code: 'token_algorithm',
    status: 401,
    says: /alg is "HS256"; this hub verifies publishers with HS512/,
    mend: /Sign it with HS512, or change the algorithm of publisher_jwt_key/,
  },
  {
    cause: 'expired',
    token: () => signToken({ ...grants, exp: 1 }),
    code: 'token_expired',
    status: 401,
    says: /expired at 1970-01-01T00:00:01/,
    mend: /fresh.*clocks/,
  },
  {
    cause: 'expired, in 1.0',
    settings: current,
    token: hubUrl => signAccessToken(hubUrl, details, { exp: 1 }),
    code: 'token_expired',
    status: 401,
    says: /expired at 1970-01-01T00:00:01/,
    mend: /fresh.*clocks/,
  },
  {
    cause: 'special characters lost in the key',
    settings: { jwt_key: secret },
    token: () => signToken(grants, secret.replace('$PECIAL', '')),
    code: 'token_signature',
    status: 401,
    says: /signature does not fit the key/,
    mend: /talaria token --explain/,
    diagnosis: /without what begins with \$, which a shell.*single quotes/,
  },
]

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'talaria-causes-'))
})
after(() => rm(directory, { recursive: true }))

const settled = (text: string) => text.replace(/\(\d+ s ago\)/, 'now')

async function use(hub: TestHub, action: Row['action'], token: string): Promise<Response> {
  const headers: Record<string, string> = token === '' ? {} : { Authorization: `Bearer ${token}` }
  if (action === 'subscribe') return await fetch(`${hub.hubUrl}?topic=a`, { headers })
  return await fetch(hub.hubUrl, { method: 'POST', headers, body: new URLSearchParams({ topic: 'a' }) })
}

/** `talaria token --explain`, with the hub's own configuration. */
async function explain(hub: TestHub, settings: Settings, ...args: string[]) {
  const file = join(directory, 'mercure.yaml')
  // Which is YAML, too.
  await writeFile(file, JSON.stringify({ jwt_key: testKey, allow_anonymous: true, ...settings }))
  const command = [main, 'token', '--config', file, '--url', hub.url, '--topic', 'a', '--json', ...args]
  return await new Promise<{ code: unknown; explanation: Explanation; stdout: string; stderr: string }>(resolve => {
    const env = { PATH: process.env.PATH, HOME: directory }
    execFile(process.execPath, command, { cwd: directory, env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, explanation: JSON.parse(stdout), stdout, stderr }),
    )
  })
}

suite('the answer, the log and talaria token --explain agree on', () => {
  for (const { cause, settings = {}, action = 'publish', code, status, says, mend, diagnosis, ...row } of rows) {
    test(cause, async () => {
      await using hub = await startHub(settings)
      const token = (await row.token?.(hub.hubUrl)) ?? ''
      const response = await use(hub, action, token)
      const answer = await response.text()
      assert.equal(response.status, status, answer)
      assert.ok(answer.startsWith(`${code}: `), answer)
      assert.match(answer, says)
      assert.match(answer, mend)
      assert.match(response.headers.get('WWW-Authenticate') ?? '', /^Bearer /)

      const line = await hub.logged(line => line.code === code)
      assert.equal(`${code}: ${line.reason}\n`, answer)
      if (diagnosis !== undefined) {
        assert.match(`${line.cause}`, diagnosis)
        assert.doesNotMatch(answer, diagnosis, 'who sends a token learns nothing of the key')
      }

      const explained = await explain(hub, settings, '--action', action, `--explain=${token}`)
      assert.equal(explained.code, 1, explained.stderr)
      const verdict = explained.explanation.verdict[action]
      assert.equal(settled(`${verdict.code}: ${verdict.message}\n`), settled(answer))
      assert.equal(verdict.status, status)
      const broken = explained.explanation.checks.find(({ ok }) => !ok)
      assert.match(broken?.says ?? '', says)
      assert.match(broken?.mend ?? '', diagnosis ?? mend)
      for (const said of [explained.stdout, answer, JSON.stringify(line)]) {
        assert.ok(!said.includes(testKey) && !said.includes(secret), 'no key is shown')
      }
    })
  }
})
