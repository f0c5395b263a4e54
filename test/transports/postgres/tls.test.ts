import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { createCertificate } from '../../support/certificate.ts'
import { TestLog } from '../../support/log.ts'
import { newLog } from '../../support/postgres.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'

describe('PostgreSQL with TLS', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const certificate = await createCertificate()
  const another = await createCertificate()
  after(() => Promise.all([certificate, another].map(one => one[Symbol.asyncDispose]())))
  const settings = ['listen_addresses=127.0.0.1,127.0.0.2']
  const server = await PostgresServer.start({ certificate, settings })
  after(() => server[Symbol.asyncDispose]())
  const admin = await server.client()

  const at = (host: string, options: Readonly<Record<string, string>>): URL =>
    Object.assign(newLog(server.url, options), { hostname: host })
  const root = { sslrootcert: certificate.certFile }

  /** Whether each of the hub's connections is encrypted. */
  const areEncrypted = async (): Promise<boolean[]> => {
    const text = 'SELECT ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE application_name = $1'
    const { rows } = await admin.query<{ ssl: boolean }>(text, ['talaria'])
    return rows.map(({ ssl }) => ssl)
  }

  for (const [name, url] of [
    ['verify-full', at('127.0.0.1', { sslmode: 'verify-full', ...root })],
    ['verify-ca, whatever the host is called', at('127.0.0.2', { sslmode: 'verify-ca', ...root })],
    ['require, whoever has signed it', at('127.0.0.2', { sslmode: 'require' })],
    ['prefer, where there is TLS', at('127.0.0.2', { sslmode: 'prefer' })],
  ] as const) {
    test(name, async () => {
      await using log = await TestLog.start(url)
      await log.publish({ id: 'a' })
      await log.delivers('a')
      assert.deepEqual(await log.after('earliest'), ['a'])
      assert.deepEqual(await areEncrypted(), [true, true, true])
    })
  }

  test('disable, where there is TLS', async () => {
    await using log = await TestLog.start(at('127.0.0.1', { sslmode: 'disable' }))
    await log.publish({ id: 'a' })
    assert.deepEqual(await areEncrypted(), [false, false])
  })

  for (const [name, url, message] of [
    [
      'verify-full, and a certificate for another host',
      at('127.0.0.2', { sslmode: 'verify-full', ...root }),
      /its certificate is for another host; sslmode=verify-ca does not look at that/,
    ],
    [
      'verify-full, and a certificate of an unknown authority',
      at('127.0.0.1', { sslmode: 'verify-full', sslrootcert: another.certFile }),
      /its certificate is signed by nobody known here; name the file of the authority in the option sslrootcert/,
    ],
    [
      'verify-ca, and a certificate of an unknown authority',
      at('127.0.0.1', { sslmode: 'verify-ca', sslrootcert: another.certFile }),
      /its certificate is signed by nobody known here/,
    ],
  ] as const) {
    test(`${name}: refused`, async () => {
      await assert.rejects(TestLog.start(url), { code: 'configuration_invalid', message })
    })
  }

  describe('who the server is, and how the role proves who it is', async () => {
    const as = (user: string, options: Readonly<Record<string, string>>): URL =>
      Object.assign(at('127.0.0.1', options), { username: user, password: 's3cret' })
    const refused = (url: URL, message: RegExp) =>
      assert.rejects(TestLog.start(url), error => {
        const { code, message: text } = error as { code?: string; message: string }
        assert.equal(code, 'configuration_invalid', text)
        assert.match(text, message)
        return true
      })
    const start = async (url: URL): Promise<void> => {
      await using log = await TestLog.start(url)
      await log.publish({ id: 'a' })
    }
    before(async () => {
      await admin.query(
        `CREATE ROLE scram LOGIN SUPERUSER PASSWORD 's3cret'; CREATE ROLE clear LOGIN SUPERUSER PASSWORD 's3cret'`,
      )
      const rules = await readFile(server.accessFile, 'utf8')
      const own = 'host all scram 127.0.0.1/32 scram-sha-256\nhost all clear 127.0.0.1/32 password\n'
      await writeFile(server.accessFile, own + rules)
      await admin.query('SELECT pg_reload_conf()')
    })

    const binding = { channel_binding: 'require' }
    for (const sslmode of ['allow', 'prefer', 'require']) {
      test(`channel binding, with sslmode=${sslmode}`, () => start(as('scram', { sslmode, ...binding })))
    }
    test('channel binding, and a server that asks for no password', () =>
      refused(as('postgres', { sslmode: 'require', ...binding }), /channel_binding=require, .*no password, without it/))
    test('channel binding, and a server that wants the password itself', () =>
      refused(
        as('clear', { sslmode: 'require', ...binding }),
        /the password itself \(password\), without it; have its/,
      ))
    test('channel binding, and a server without TLS', async () => {
      await using plain = await PostgresServer.start()
      const url = newLog(plain.url, { sslmode: 'prefer', ...binding })
      await refused(url, /channel_binding=require, and there is no TLS/)
    })
    test('the methods that are allowed', async () => {
      await start(as('scram', { sslmode: 'disable', require_auth: 'scram-sha-256' }))
      await start(as('clear', { sslmode: 'require', require_auth: '!md5' }))
      await refused(as('scram', { require_auth: 'md5' }), /the server asks for scram-sha-256, which require_auth does/)
      await refused(as('clear', { require_auth: '!password' }), /asks for the password itself \(password\), which/)
      await refused(as('postgres', { require_auth: '!none' }), /asks for no password, which require_auth does not/)
    })
    test('the versions of TLS', async () => {
      await start(as('scram', { sslmode: 'require', ssl_min_protocol_version: 'TLSv1.3' }))
      const version = async (options: Readonly<Record<string, string>>) => {
        await using _ = await TestLog.start(as('scram', { sslmode: 'require', ...options }))
        const text =
          'SELECT DISTINCT version FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE application_name = $1'
        return (await admin.query(text, ['talaria'])).rows
      }
      assert.deepEqual(await version({ ssl_max_protocol_version: 'TLSv1.2' }), [{ version: 'TLSv1.2' }])
    })
  })

  test('a server that demands it refuses those without, with a word on sslmode', async () => {
    await writeFile(server.accessFile, 'hostssl all all 127.0.0.1/32 trust\n')
    await admin.query('SELECT pg_reload_conf()')
    const url = at('127.0.0.1', { sslmode: 'disable' })
    await assert.rejects(TestLog.start(url), { code: 'configuration_invalid', message: /see to .*sslmode/ })
    url.searchParams.set('sslmode', 'allow')
    await using log = await TestLog.start(url)
    await log.publish({ id: 'a' })
  })
})
