import type { TestBackend } from '../backends.ts'
import { startRelay } from '../relay.ts'
import { noPostgresProgram, PostgresServer } from './postgres.ts'

export const postgres: TestBackend = {
  name: 'postgres',
  skipped: noPostgresProgram,
  async open() {
    // What was committed is in the file: a crash of PostgreSQL loses nothing of it, one of the machine might.
    const server = await PostgresServer.start({ settings: ['synchronous_commit=on'] })
    const relay = await startRelay(server)
    return {
      relay,
      url(log, { relayed = false, size } = {}) {
        const url = new URL(server.url)
        if (relayed) url.port = String(relay.port)
        url.searchParams.set('schema', log)
        if (size !== undefined) url.searchParams.set('size', String(size))
        return url
      },
      stop: () => server.kill(),
      start: () => server.run(),
      pause: () => server.pause(),
      resume: async () => server.resume(),
      async [Symbol.asyncDispose]() {
        await relay[Symbol.asyncDispose]()
        await server[Symbol.asyncDispose]()
      },
    }
  },
}
