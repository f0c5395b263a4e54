import { after, describe, test } from 'node:test'
import { open } from '../../transports/postgres.ts'
import { newLog } from '../support/postgres.ts'
import { noPostgresProgram, openPostgres, PostgresServer, postgresPrograms } from '../support/services/postgres.ts'
import { testTransport } from './contract.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} }

if (noPostgresProgram !== false && process.env.TALARIA_TEST_POSTGRES_URL === undefined) {
  test('postgres://', { skip: noPostgresProgram }, () => {})
} else {
  const [, ...others] = postgresPrograms
  const servers = [
    await openPostgres(),
    ...(await Promise.all(others.map(programs => PostgresServer.start({ programs })))),
  ]
  describe('a real PostgreSQL', () => {
    after(() => Promise.all(servers.map(server => server[Symbol.asyncDispose]())))
    for (const [i, { url: server }] of servers.entries()) {
      testTransport({
        name: i === 0 ? 'postgres://' : `postgres://, of another version (${postgresPrograms[i]})`,
        async create({ size }) {
          const url = newLog(server, size === undefined ? {} : { size: String(size) })
          return { open: () => open(url, { log: silent }), dispose: async () => {} }
        },
      })
    }
  })
}
