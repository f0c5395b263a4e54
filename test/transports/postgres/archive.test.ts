import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { openArchive } from '../../../transports/postgres.ts'
import { idsOf, linesOf, runHistory } from '../../support/history.ts'
import { TestLog } from '../../support/log.ts'
import { createTestUpdate } from '../../support/node.ts'
import { newLog, schemaOf } from '../../support/postgres.ts'
import { noPostgresProgram, PostgresServer } from '../../support/services/postgres.ts'

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

describe('a log in PostgreSQL without a hub', { skip: noPostgresProgram }, async () => {
  if (noPostgresProgram !== false) return
  const server = await PostgresServer.start()
  after(() => server[Symbol.asyncDispose]())
  const admin = await server.client()

  const fill = async (ids: readonly string[]): Promise<URL> => {
    const url = newLog(server.url)
    const archive = await openArchive(url, { writable: true })
    await archive.append!(ids.map(id => ({ update: createTestUpdate({ id }) })))
    await archive.close()
    return url
  }

  test('what leaves it before it is read is passed over', async () => {
    const url = await fill(range(0, 2500))
    const archive = await openArchive(url, { writable: false })
    assert.equal(archive.size, 2500)
    const read: string[] = []
    for await (const page of archive.read()) {
      if (read.length === 0) await admin.query(`DELETE FROM ${schemaOf(url)}.mercure_updates WHERE number <= 2400`)
      read.push(...page.map(({ update }) => update.id))
    }
    await archive.close()
    assert.deepEqual(read.slice(0, 1000), range(0, 1000))
    assert.deepEqual(read.slice(1000), range(2400, 2500))
  })

  test('imported updates keep their times, wherever they come', async () => {
    const url = (await fill(['a'])).href
    const times = ['2020-01-01T00:00:00.001Z', '2999-01-01T00:00:00.000Z', '2000-01-01T00:00:00.999Z']
    const lines = times.map((time, i) => JSON.stringify({ id: `${i}`, topics: ['t'], data: 'a\0b', time })).join('\n')
    assert.equal(await runHistory([url, '--import', '-'], lines), 'Imported: 3 updates.\n')
    const output = linesOf(await runHistory([url, '--json'])).map(line => JSON.parse(line))
    assert.deepEqual(
      output.slice(1).map(({ id, data, time }) => ({ id, data, time })),
      times.map((time, i) => ({ id: `${i}`, data: 'a\0b', time })),
    )
    await using log = await TestLog.start(new URL(url))
    assert.deepEqual(await log.after({ id: '0' }), ['1', '2'])
  })

  test('a role that may not read all that it needs is told what, and what it is told is enough', async () => {
    const url = await fill(['a'])
    const schema = schemaOf(url)
    await admin.query(`CREATE ROLE looker LOGIN`)
    const { href } = Object.assign(new URL(url), { username: 'looker' })
    let text = ''
    const refused = (message: RegExp) =>
      assert.rejects(runHistory([href, '--json']), (error: Error & { code?: string }) => {
        text = error.message
        assert.equal(error.code, 'configuration_invalid', text)
        assert.match(text, message)
        assert.doesNotMatch(text, /CREATE|INSERT|DELETE/)
        return true
      })
    await refused(
      /GRANT USAGE ON SCHEMA \S+ TO looker; GRANT SELECT ON \S+_log" TO looker; GRANT SELECT ON \S+_updates"/,
    )
    const all = text
    await admin.query(`GRANT USAGE ON SCHEMA ${schema} TO looker; GRANT SELECT ON ${schema}.mercure_updates TO looker`)
    await refused(/execute as that one: GRANT SELECT ON "\w+"\."mercure_log" TO looker\.$/)
    await admin.query(`REVOKE ALL ON SCHEMA ${schema} FROM looker; REVOKE ALL ON ${schema}.mercure_updates FROM looker`)
    await admin.query(/GRANT.*(?=\.$)/.exec(all)![0])
    assert.deepEqual(idsOf(await runHistory([href, '--json'])), ['a'])
  })

  test('a role that may read looks, and is told what it lacks for an import', async () => {
    const url = await fill(['a'])
    await admin.query(`CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA ${schemaOf(url)} TO reader;
      GRANT SELECT ON ALL TABLES IN SCHEMA ${schemaOf(url)} TO reader`)
    const { href } = Object.assign(url, { username: 'reader' })
    assert.deepEqual(idsOf(await runHistory([href, '--json'])), ['a'])
    await assert.rejects(runHistory([href, '--import', '-'], '{"id":"b","topics":["t"]}'), {
      code: 'configuration_invalid',
      message: /the role reader lacks rights; .*GRANT INSERT ON/,
    })
  })

  test('a look makes nothing', async () => {
    const url = newLog(server.url)
    await assert.rejects(runHistory([url.href]), { message: /^There is no log in the schema "test_/ })
    const { rows } = await admin.query('SELECT to_regnamespace($1) AS found', [schemaOf(url)])
    assert.deepEqual(rows, [{ found: null }])
  })
})
