import type { TestBackend } from '../backends.ts'
import { startRelay } from '../relay.ts'
import { KafkaServer, noKafkaProgram } from './kafka.ts'

export const kafka: TestBackend = {
  name: 'kafka',
  skipped: noKafkaProgram,
  async open() {
    // What was answered is in the page cache: a crash of Kafka loses nothing of it, one of the machine might.
    const server = await KafkaServer.prepare()
    // Kafka tells its clients where to go on: it knows of the relay.
    const relay = await startRelay({ port: server.ports.relayed })
    server.relayThrough(relay.port)
    await server.run()
    return {
      relay,
      url(log, { relayed = false, size } = {}) {
        const url = new URL(`kafka://127.0.0.1:${relayed ? relay.port : server.ports.plain}/?topic=${log}`)
        if (size !== undefined) url.searchParams.set('size', String(size))
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
