import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, describe, test } from 'node:test'
import { openArchive } from '../../../transports/postgres.ts'
import { TestLog } from '../../support/log.ts'
import { createTestKey, createTestUpdate } from '../../support/node.ts'
import { newLog, schemaOf, through } from '../../support/postgres.ts'
import { startRelay } from '../../support/relay.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'

describe('where a log is kept', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const server = await PostgresServer.start()
  after(() => server[Symbol.asyncDispose]())
  const admin = await server.client()

  /** A role that may log in, with a password. */
  const as = (url: URL, user: string, password = ''): URL => Object.assign(new URL(url), { username: user, password })
  const refused = (url: URL, message: RegExp) =>
    assert.rejects(TestLog.start(url), error => {
      const { code, message: text } = error as { code?: string; message: string }
      assert.equal(code, 'configuration_invalid', text)
      assert.match(text, message)
      assert.doesNotMatch(text, /s3cret/)
      return true
    })

  test('a server that is not there is waited for', async () => {
    const relay = await startRelay(server)
    await using _ = relay
    relay.refuses = true
    const url = newLog(server.url)
    await using log = await TestLog.open(through(url, relay))
    const started = log.start()
    await log.logs(/cannot be used/)
    await assert.rejects(log.transport.ready!(), { code: 'transport_unavailable' })
    relay.refuses = false
    await started
    await log.transport.ready!()
    await log.publish({ id: 'a' })
    await log.delivers('a')
  })

  test('a hub that waits can be closed', async () => {
    const relay = await startRelay(server)
    await using _ = relay
    relay.refuses = true
    const log = await TestLog.open(through(newLog(server.url), relay))
    const started = assert.rejects(log.start(), { code: 'transport_unavailable' })
    await log.logs(/cannot be used/)
    await log.transport.close()
    await started
  })

  test('nodes that start at the same time make its tables once', async () => {
    const url = newLog(server.url)
    await using opened = new AsyncDisposableStack()
    const logs = await Promise.all(Array.from({ length: 5 }, () => TestLog.open(url)))
    for (const log of logs) opened.use(log)
    await Promise.all(logs.map(log => log.start()))
    await Promise.all(logs.map((log, i) => log.publish({ id: `id-${i}` })))
    for (const log of logs) await log.until(() => log.delivered.length === 5)
    for (const log of logs) assert.deepEqual(log.ids, logs[0]!.ids)
  })

  test('a role that owns its schema needs nothing else', async () => {
    await admin.query('CREATE ROLE hub LOGIN; CREATE SCHEMA hub AUTHORIZATION hub')
    const url = as(server.url, 'hub')
    await using log = await TestLog.start(url)
    await log.publish({ id: 'a' })
    const { rows } = await admin.query('SELECT id, topics, data, created_at FROM hub.mercure_updates')
    assert.deepEqual(rows[0].topics, ['https://example.com/a'])
    assert.equal(rows[0].data, 'data of a')
    assert.ok(rows[0].created_at instanceof Date)
  })

  test('several logs in one schema, by the prefix of their names', async () => {
    const url = newLog(server.url)
    const other = newLog(server.url, { schema: schemaOf(url), prefix: 'news' })
    await using one = await TestLog.start(url)
    await using two = await TestLog.start(other)
    await one.publish({ id: 'a' })
    await two.publish({ id: 'b' })
    await admin.query(`SELECT ${schemaOf(url)}.news_publish(ARRAY['c'], id => 'c')`)
    await two.delivers('c')
    await one.publish({ id: 'd' })
    assert.deepEqual(
      [one.ids, two.ids],
      [
        ['a', 'd'],
        ['b', 'c'],
      ],
    )
  })

  test('a role that lacks rights is told what to grant', async () => {
    await admin.query('CREATE ROLE guest LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC')
    await refused(as(server.url, 'guest'), /schema "public"; execute: GRANT USAGE, CREATE ON SCHEMA "public" TO/)
    const missing = newLog(server.url)
    await refused(as(missing, 'guest'), /CREATE SCHEMA "test_\w+" AUTHORIZATION guest/)
    const url = newLog(server.url)
    await using _ = await TestLog.start(url)
    await admin.query(`GRANT USAGE ON SCHEMA ${schemaOf(url)} TO guest`)
    let text = ''
    await assert.rejects(TestLog.start(as(url, 'guest')), (error: Error) => {
      text = error.message
      return /the role guest lacks rights/.test(text)
    })
    // What it says to execute is enough.
    await admin.query(/GRANT.*(?=\.$)/.exec(text)![0])
    await using log = await TestLog.start(as(url, 'guest'))
    await log.publish({ id: 'a' })
  })

  test('a database, a user, a password that are wrong are named', async () => {
    await refused(
      Object.assign(new URL(server.url), { pathname: '/nowhere' }),
      /"nowhere" does not exist.*create the database/,
    )
    await refused(as(server.url, 'nobody'), /"nobody" does not exist/)
    await admin.query(`CREATE ROLE keeper LOGIN PASSWORD 's3cret'; CREATE SCHEMA keeper AUTHORIZATION keeper`)
    const rules = await readFile(server.accessFile, 'utf8')
    await writeFile(server.accessFile, `host all keeper 127.0.0.1/32 scram-sha-256\n${rules}`)
    await admin.query('SELECT pg_reload_conf()')
    await refused(
      as(server.url, 'keeper', 's3cret-not'),
      /password authentication failed.*postgres:\/\/user:password@host/,
    )
    await using log = await TestLog.start(as(server.url, 'keeper', 's3cret'))
    await log.publish({ id: 'a' })
  })

  test('what cannot be a log is left alone', async () => {
    await admin.query(`CREATE DATABASE old TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`)
    await refused(Object.assign(new URL(server.url), { pathname: '/old' }), /keeps texts as LATIN1/)
    const url = newLog(server.url)
    await admin.query(`CREATE SCHEMA ${schemaOf(url)}; CREATE TABLE ${schemaOf(url)}.mercure_updates (a int)`)
    await refused(url, /"mercure_updates" already exists.*name another prefix/)
    const newer = newLog(server.url)
    await (await TestLog.start(newer)).transport.close()
    await admin.query(`UPDATE ${schemaOf(newer)}.mercure_log SET version = 99`)
    await refused(newer, /version 99, and this hub knows version 5/)
    const foreign = newLog(server.url)
    await admin.query(`CREATE SCHEMA ${schemaOf(foreign)}; CREATE TABLE ${schemaOf(foreign)}.mercure_log (a int)`)
    await refused(foreign, /is no table of a log/)
  })

  test('the tables of an older hub are brought up to date', async () => {
    const url = newLog(server.url)
    const schema = schemaOf(url)
    await (await TestLog.start(url)).transport.close()
    // What an import needs was not there.
    await admin.query(`UPDATE ${schema}.mercure_log SET version = 1;
      CREATE OR REPLACE FUNCTION ${schema}.mercure_append(updates json, messages text[]) RETURNS text
      LANGUAGE plpgsql AS $$ BEGIN RAISE 'old'; END $$;
      DROP TABLE ${schema}.mercure_keys;
      DROP FUNCTION ${schema}.mercure_append_once`)
    const archive = await openArchive(url, { writable: false })
    assert.equal(archive.size, 0)
    await archive.close()
    await using log = await TestLog.start(url)
    await log.publish({ id: 'a' })
    const publishOnce = (id: string) => log.transport.publishOnce!(createTestUpdate({ id }), createTestKey('key'))
    assert.equal(await publishOnce('b'), undefined)
    assert.equal((await publishOnce('c'))?.id, 'b')
    const { rows } = await admin.query(`SELECT version FROM ${schema}.mercure_log`)
    assert.deepEqual(rows, [{ version: 5 }])
    const told = ({ logged }: TestLog) => logged.filter(({ message }) => /brought up to date/.test(message))
    assert.deepEqual(told(log), [
      {
        ...{ level: 'info', fields: {} },
        message: 'The tables of the log were brought up to date, from version 1 to 5.',
      },
    ])
    await using next = await TestLog.start(url)
    assert.deepEqual(told(next), [])
  })

  test('of a log of which a part was dropped, it is told how to begin again', async () => {
    const url = newLog(server.url)
    await using log = await TestLog.start(url, { publishTimeoutMs: 300 })
    await log.publish({ id: 'a' })
    await admin.query(`DROP TABLE ${schemaOf(url)}.mercure_updates`)
    await assert.rejects(log.publish({ id: 'b' }), { code: 'transport_unavailable' })
    const message =
      /there is no "\w+"\."mercure_updates", and other parts of the log are there; .*execute: (.*?)\.+ ?(?:Trying|$)/
    await log.logs(message)
    await refused(url, message)
    // What it says to execute is enough.
    await admin.query(message.exec(log.logged.map(line => line.message).find(line => message.test(line))!)![1]!)
    await log.logs(/can be used again/)
    await log.publish({ id: 'c' })
    await log.delivers('c')
  })

  test('of several servers, the first that takes writes', async () => {
    await admin.query('CREATE ROLE reader LOGIN; ALTER ROLE reader SET default_transaction_read_only TO on')
    const relay = await startRelay(server)
    await using _ = relay
    relay.refuses = true
    const url = newLog(server.url, { host: '127.0.0.1,127.0.0.1', port: `${relay.port},${server.port}` })
    await using log = await TestLog.start(url)
    await log.publish({ id: 'a' })
    assert.ok(relay.connections > 0)
    await using standby = await TestLog.open(as(newLog(server.url), 'reader'))
    const started = assert.rejects(standby.start(), { code: 'transport_unavailable' })
    await standby.logs(/a standby, or takes no writes/)
    await standby.transport.close()
    await started
  })

  test('TLS is asked for, and done without where the server has none', async () => {
    const url = newLog(server.url, { sslmode: 'prefer' })
    await using log = await TestLog.start(url)
    await log.publish({ id: 'a' })
    url.searchParams.set('sslmode', 'require')
    await refused(url, /the server does not support SSL, which is TLS; set "ssl = on" there, or sslmode=disable here/)
  })
})
