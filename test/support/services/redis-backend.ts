import type { TestBackend } from '../backends.ts'
import { startRelay } from '../relay.ts'
import { noRedisProgram, RedisServer } from './redis.ts'

export const redis: TestBackend = {
  name: 'redis',
  skipped: noRedisProgram,
  async open() {
    // What was answered is in the file: a crash of Redis loses nothing of it, one of the machine might.
    const server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'no')
    const relay = await startRelay(server)
    return {
      relay,
      url(log, { relayed = false, size } = {}) {
        const url = new URL(`redis://127.0.0.1:${relayed ? relay.port : server.port}/${log}`)
        if (size !== undefined) url.searchParams.set('max_len_approx', String(size))
        return url
      },
      stop: () => server.kill(),
      start: () => server.run(),
      pause: async () => server.pause(),
      resume: async () => server.resume(),
      async [Symbol.asyncDispose]() {
        await relay[Symbol.asyncDispose]()
        await server[Symbol.asyncDispose]()
      },
    }
  },
}
