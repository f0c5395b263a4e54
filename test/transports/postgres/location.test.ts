import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseDsn, redactDsn } from '../../../src/config/dsn.ts'
import { type Location, readLocation } from '../../../transports/postgres/location.ts'
import { tlsAttempts } from '../../../transports/postgres/tls.ts'
import { checkUrl } from '../../../transports/postgres.ts'

const plain: Location = {
  addresses: [{ host: 'host' }],
  isShuffled: false,
  user: undefined,
  password: undefined,
  database: 'db',
  tls: {
    mode: 'prefer',
    isDirect: false,
    rootCertFile: undefined,
    certFile: undefined,
    keyFile: undefined,
    oldest: undefined,
    newest: undefined,
  },
  authentication: { channelBinding: 'prefer', allowed: ['none', 'password', 'md5', 'scram-sha-256'] },
  connectTimeoutMs: 5000,
  keepAlive: { idleMs: 10_000, intervalMs: 1000, count: 10 },
  applicationName: 'talaria',
  settings: undefined,
  schema: undefined,
  prefix: 'mercure',
  bounds: { entries: 0, ageMs: 0 },
}

describe('a URL says where the log is', () => {
  const cases: readonly [string, Partial<Location>][] = [
    ['postgres://host/db', {}],
    ['postgresql://host/db', {}],
    [
      'postgres://user:password@127.0.0.1/mercure-ha',
      {
        ...{ addresses: [{ host: '127.0.0.1' }], user: 'user', password: 'password', database: 'mercure-ha' },
      },
    ],
    [
      'postgres://us%40er:p%2Fw%3F@host:6543/a%20b',
      {
        ...{ addresses: [{ host: 'host', port: 6543 }], user: 'us@er', password: 'p/w?', database: 'a b' },
      },
    ],
    ['postgres://[::1]:5433/db', { addresses: [{ host: '::1', port: 5433 }] }],
    ['postgres:///', { addresses: [{}], database: undefined }],
    ['postgres:///db?host=/run/postgresql', { addresses: [{ host: '/run/postgresql' }] }],
    ['postgres://%2Frun%2Fpostgresql/db', { addresses: [{ host: '/run/postgresql' }] }],
    [
      'postgres:///db?host=a,b&port=1,2',
      {
        addresses: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    ],
    [
      'postgres://a,b:7/db?target_session_attrs=read-write&load_balance_hosts=random',
      {
        addresses: [
          { host: 'a', port: 5432 },
          { host: 'b', port: 7 },
        ],
        isShuffled: true,
      },
    ],
    [
      'postgres://us%40er:p%2Fw@a:1,b:2/db',
      {
        addresses: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
        ...{ user: 'us@er', password: 'p/w' },
      },
    ],
    ['postgres://a,b/db', { addresses: [{ host: 'a' }, { host: 'b' }] }],
    [
      'postgres://a,b/db?port=1,2',
      {
        addresses: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    ],
    [
      'postgres://[::1]:5433,[::2]/db',
      {
        addresses: [
          { host: '::1', port: 5433 },
          { host: '::2', port: 5432 },
        ],
      },
    ],
    ['postgres://a:1,b:2/db?host=c', { addresses: [{ host: 'c' }] }],
    ['postgres://host/?dbname=db&user=u&password=p', { user: 'u', password: 'p' }],
    [
      'postgres://host/db?connect_timeout=3&application_name=hub&options=-c%20geqo%3Doff',
      {
        ...{ connectTimeoutMs: 3000, applicationName: 'hub', settings: '-c geqo=off' },
      },
    ],
    [
      'postgres://host/db?keepalives=0&client_encoding=UTF8&channel_binding=disable',
      {
        ...{ keepAlive: undefined, authentication: { ...plain.authentication, channelBinding: 'disable' } },
      },
    ],
    [
      'postgres://host/db?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem',
      {
        tls: { ...plain.tls, mode: 'verify-full', rootCertFile: '/ca.pem', certFile: '/c.pem', keyFile: '/k.pem' },
      },
    ],
    [
      'postgres://host/db?keepalives_idle=30&keepalives_interval=5&keepalives_count=3&fallback_application_name=app',
      { keepAlive: { idleMs: 30_000, intervalMs: 5000, count: 3 }, applicationName: 'app' },
    ],
    ['postgres://host/db?fallback_application_name=app&application_name=hub', { applicationName: 'hub' }],
    [
      'postgres://host/db?ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=tlsv1.3',
      { tls: { ...plain.tls, oldest: 'TLSv1.3', newest: 'TLSv1.3' } },
    ],
    [
      'postgres://host/db?require_auth=scram-sha-256,md5',
      { authentication: { channelBinding: 'prefer', allowed: ['md5', 'scram-sha-256'] } },
    ],
    [
      'postgres://host/db?require_auth=!password,!none',
      { authentication: { channelBinding: 'prefer', allowed: ['md5', 'scram-sha-256'] } },
    ],
    // What asks for what the hub does anyway.
    ...[
      ...['gssencmode=disable', 'gssencmode=prefer', 'sslcompression=0', 'replication=false', 'sslcertmode=allow'],
      ...['sslsni=1', 'requiressl=0', 'tcp_user_timeout=0', 'min_protocol_version=3.0', 'max_protocol_version=latest'],
      'gssdelegation=0',
    ].map((query): [string, Partial<Location>] => [`postgres://host/db?${query}`, {}]),
    [
      'postgres://host/db?size=1000&max_age=24h&schema=Mein%20Log&prefix=news',
      {
        ...{ bounds: { entries: 1000, ageMs: 86_400_000 }, schema: 'Mein Log', prefix: 'news' },
      },
    ],
  ]
  for (const [url, expected] of cases) {
    test(url, () => assert.deepEqual(readLocation(parseDsn(url)), { ...plain, ...expected }))
  }
})

describe('a URL that says something else is refused with what to mend', () => {
  const cases: readonly [query: string, RegExp][] = [
    ['sizes=1', /no option "sizes"\. Did you mean "size"\?/],
    ['size=many', /size: "many" is not a whole number/],
    ['max_age=1', /max_age: /],
    ['prefix=My-Log', /prefix: "My-Log" is not of small letters/],
    ['schema=0123456789012345678901234567890123456789012345678901234567890123', /63 bytes/],
    ['sslmode=maybe', /sslmode is none of allow, disable, prefer, require, verify-ca, verify-full/],
    ['sslmode=verify-ca', /needs sslrootcert/],
    ['sslcert=/a', /sslcert and sslkey belong together/],
    ['sslnegotiation=direct', /needs sslmode=require/],
    ['sslrootcert=system&sslmode=require', /needs sslmode=verify-full/],
    ['target_session_attrs=standby', /the hub writes its log/],
    ['load_balance_hosts=all', /"all" is none of disable, random/],
    ['client_encoding=LATIN1', /can only be UTF8/],
    ['port=70000', /port is no port/],
    ['port=1,2', /2 ports are given for 1 hosts/],
    ['passfile=/home/x/.pgpass', /passfile is not supported: .*PGPASSFILE/],
    ['gssencmode=require', /this value of gssencmode is not supported: GSSAPI is not spoken here/],
    ['tcp_user_timeout=1000', /this value of tcp_user_timeout is not supported/],
    ['sslsni=0', /this value of sslsni is not supported: .*write its address as the host/],
    ['sslcertmode=require', /this value of sslcertmode is not supported/],
    ['requiressl=1', /use sslmode=require/],
    ['replication=database', /the hub reads tables/],
    ['min_protocol_version=3.2', /the hub speaks 3\.0/],
    ['sslkeylogfile=/tmp/keys', /sslkeylogfile is not supported: start Node with --tls-keylog=FILE/],
    ['ssl_min_protocol_version=SSLv3', /ssl_min_protocol_version is none of TLSv1, TLSv1\.1, TLSv1\.2, TLSv1\.3/],
    ['ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2', /is above ssl_max_protocol_version/],
    ['channel_binding=require&sslmode=disable', /channel_binding=require needs TLS, and sslmode is disable/],
    ['require_auth=kerberos', /require_auth: "kerberos" is none of none, password, md5, scram-sha-256/],
    ['require_auth=gss', /require_auth: .*none is left/],
    ['require_auth=md5,!none', /either all of its methods begin with "!" or none does/],
    ['hostaddr=127.0.0.1', /hostaddr is not supported: write the address as the host/],
  ]
  for (const [query, message] of cases) {
    test(query, () => {
      const url = new URL(`postgres://user:s3cret@host/db?${query}`)
      assert.throws(
        () => checkUrl(url),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'configuration_invalid')
          assert.match(error.message, message)
          assert.match(error.message, /transport_url, postgres/)
          assert.doesNotMatch(error.message, /s3cret/)
          return true
        },
      )
    })
  }

  test('a file that cannot be read is named by its option', async () => {
    const { tls } = readLocation(new URL('postgres://host/db?sslmode=verify-full&sslrootcert=/nowhere/ca.pem'))
    await assert.rejects(tlsAttempts(tls), { code: 'configuration_invalid', message: /sslrootcert: .*ENOENT/ })
  })
})

test('the modes of TLS are those of libpq', async () => {
  const attempts = async (query: string) => {
    const found = await tlsAttempts(readLocation(new URL(`postgres://host/db?${query}`)).tls)
    return found.map(tls => (tls === false ? 'plain' : tls.rejectUnauthorized ? 'verified' : 'encrypted'))
  }
  assert.deepEqual(await attempts(''), ['encrypted', 'plain'])
  assert.deepEqual(await attempts('sslmode=disable'), ['plain'])
  assert.deepEqual(await attempts('sslmode=allow'), ['plain', 'encrypted'])
  assert.deepEqual(await attempts('sslmode=require'), ['encrypted'])
  assert.deepEqual(await attempts('sslmode=verify-full'), ['verified'])
  assert.deepEqual(await attempts('sslrootcert=system'), ['verified'])
})

test('no password is shown', () => {
  const url = new URL('postgres://user:s3cret@host/db?password=s3cret&sslmode=require')
  assert.doesNotMatch(redactDsn(url), /s3cret/)
})
