import type { TestBackend } from '../backends.ts'
import { startRelay } from '../relay.ts'
import { noPulsarProgram, PulsarServer } from './pulsar.ts'

/** By its WebSocket API. */
export const pulsar: TestBackend = {
  name: 'pulsar',
  skipped: noPulsarProgram,
  async open() {
    const server = await PulsarServer.start()
    const relay = await startRelay(server)
    return {
      relay,
      url(log, { relayed = false, size } = {}) {
        const url = new URL(`pulsar+ws://127.0.0.1:${relayed ? relay.port : server.port}?topic=${log}`)
        if (size !== undefined) url.searchParams.set('size', String(size))
        return url
      },
      // After a crash its bookie would not start again.
      stop: () => server.stop(),
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
