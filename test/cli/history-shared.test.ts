import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { openTransport } from '../../transports/index.ts'
import { backends } from '../support/backends.ts'
import { idsOf, linesOf, runHistory } from '../support/history.ts'
import { createTestUpdate } from '../support/node.ts'

const log = { info() {}, warn() {}, error() {} }

const updates = [
  { id: 'a', topics: ['https://example.com/books/1', 'other'], data: 'plain' },
  { id: 'b', topics: ['https://example.com/books/2'], data: 'two\r\nlines', private: true },
  { id: 'a', topics: ['https://example.com/pens'], data: 'nul \0 and \ud83d\ude00', type: 'changed', retry: 500 },
]

for (const name of ['redis', 'postgres', 'kafka', 'pulsar'] as const) {
  const backend = await backends[name]!()
  describe(`a log in ${name}`, { skip: backend.skipped }, async () => {
    if (backend.skipped !== false) return
    const server = await backend.open()
    after(() => server[Symbol.asyncDispose]())
    let logs = 0
    const newUrl = () => server.url(`history-${logs++}`)
    const startLog = async (url: URL, deliver: (id: string) => void = () => {}) => {
      const transport = await openTransport(url, { log })
      await transport.start({ backfill: 0 }, ({ update }) => deliver(update.id))
      return transport
    }
    const createLog = async () => {
      const url = newUrl()
      const transport = await startLog(url)
      for (const update of updates) await transport.publish(createTestUpdate(update))
      await transport.close()
      return url.href
    }

    test('is listed with times, filtered and counted', async () => {
      const url = await createLog()
      const rows = linesOf(await runHistory([url]))
      for (const row of rows) assert.ok(Math.abs(Date.now() - Date.parse(row.slice(0, 24))) < 600_000, row)
      assert.deepEqual(
        rows.map(row => row.slice(26)),
        [
          'a  https://example.com/books/1 other  plain',
          'b  https://example.com/books/2  private  two\\u{d}\\nlines',
          'a  https://example.com/pens  type=changed  nul \\u{0} and \ud83d\ude00',
        ],
      )
      const ids = async (...args: string[]) => idsOf(await runHistory([url, '--json', ...args]))
      assert.deepEqual(await ids('--topic', 'https://example.com/books/{id}'), ['a', 'b'])
      assert.deepEqual(await ids('--since', '1h'), ['a', 'b', 'a'])
      assert.deepEqual(await ids('--until', '1h'), [])
      assert.equal(await runHistory([url, '--count']), '3\n')
      assert.equal(await runHistory([url, '--count', '--topic', 'other']), '1\n')
    })

    test('is what it was, with its times, when its export is imported elsewhere', async () => {
      const exported = await runHistory([await createLog(), '--json'])
      const copy = newUrl()
      assert.equal(await runHistory([copy.href, '--import', '-'], exported), 'Imported: 3 updates.\n')
      assert.equal(await runHistory([copy.href, '--json']), exported)
      const transport = await startLog(copy)
      const { found, pages } = await transport.history!({ id: 'a' }, { signal: new AbortController().signal })
      assert.ok(found)
      const rest = (await Array.fromAsync(pages)).flatMap(({ entries }) => entries.map(({ update }) => update))
      assert.deepEqual(
        rest,
        updates.slice(1).map(update => createTestUpdate(update)),
      )
      await transport.publish(createTestUpdate({ id: 'after' }))
      await transport.close()
      assert.deepEqual(idsOf(await runHistory([copy.href, '--json'])), ['a', 'b', 'a', 'after'])
    })

    test('takes an import in batches, behind what is there, and hubs deliver it', async () => {
      const url = await createLog()
      const ids = Array.from({ length: 2500 }, (_, i) => `more-${i}`)
      const arrived = Promise.withResolvers<void>()
      const delivered: string[] = []
      const transport = await startLog(new URL(url), id => {
        delivered.push(id)
        if (id === ids.at(-1)) arrived.resolve()
      })
      const input = ids.map(id => `${JSON.stringify({ id, topics: ['t'] })}\n`).join('')
      assert.equal(await runHistory([url, '--import', '-'], input), 'Imported: 2,500 updates.\n')
      await arrived.promise
      await transport.close()
      assert.deepEqual(delivered, ids)
      const output = await runHistory([url, '--json'])
      assert.deepEqual(idsOf(output), ['a', 'b', 'a', ...ids])
      const { time } = JSON.parse(linesOf(output).at(-1)!)
      assert.ok(Math.abs(Date.now() - Date.parse(time)) < 600_000)
    })

    test('keeps the times of an older log', async () => {
      const url = newUrl().href
      const times = ['1970-01-01T00:00:00.000Z', '2020-01-01T00:00:00.000Z', '2020-01-01T00:00:00.000Z']
      const lines = times.map((time, i) => JSON.stringify({ id: `id-${i}`, topics: ['t'], time })).join('\n')
      assert.equal(await runHistory([url, '--import', '-'], lines), 'Imported: 3 updates.\n')
      const shown = linesOf(await runHistory([url, '--json'])).map(line => JSON.parse(line).time)
      assert.deepEqual(shown, times)
      assert.deepEqual(idsOf(await runHistory([url, '--json', '--until', '2000-01-01'])), ['id-0'])
    })

    test('that is not there is not made by a look', async () => {
      const url = newUrl().href
      for (let i = 0; i < 2; i++) {
        await assert.rejects(runHistory([url]), { code: 'configuration_invalid', message: /^There is no log in the / })
      }
    })

    test('cannot be looked at while the server is away, nor with a wrong password', async () => {
      const url = server.url('away', { relayed: true })
      server.relay.refuses = true
      await assert.rejects(runHistory([url.href]), { code: 'transport_unavailable', message: /cannot be used: / })
      server.relay.refuses = false
      const nobody = newUrl()
      nobody.username = 'nobody'
      nobody.password = 'hunter2'
      await assert.rejects(runHistory([nobody.href]), error => {
        const { code, message } = error as { code: string; message: string }
        assert.equal(code, 'configuration_invalid')
        assert.match(
          message,
          new RegExp(
            `^transport_url, ${name}: .*${name}://user:password@host|"nobody" does not exist|asks for no user|knows tokens, no users`,
          ),
        )
        assert.doesNotMatch(message, /hunter2/)
        return true
      })
    })
  })
}
