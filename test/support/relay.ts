import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between a hub and its backend, and does what networks do. */
export interface Relay extends AsyncDisposable {
  readonly port: number
  /** How many connections have been made through it. */
  readonly connections: number
  /** Breaks every connection, with no word to either side. */
  cut(): void
  /** What the backend answers is held back from now on. */
  holdAnswers(): void
  /** What was held goes on. */
  releaseAnswers(): void
  /** Whether new connections are broken at once. */
  refuses: boolean
}

export async function startRelay(target: { host?: string; port: number }): Promise<Relay> {
  const pairs = new Set<{ client: Socket; backend: Socket }>()
  let held = false
  const server = createServer({ noDelay: true }, client => {
    relay.connections++
    if (relay.refuses) {
      client.resetAndDestroy()
      return
    }
    const backend = connect({ host: target.host ?? '127.0.0.1', port: target.port, noDelay: true })
    const pair = { client, backend }
    pairs.add(pair)
    for (const socket of [client, backend]) {
      socket.on('error', () => {})
      socket.once('close', () => {
        pairs.delete(pair)
        client.destroy()
        backend.destroy()
      })
    }
    client.on('data', chunk => backend.write(chunk))
    backend.on('data', chunk => client.write(chunk))
    client.once('end', () => backend.end())
    backend.once('end', () => client.end())
    if (held) backend.pause()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const relay = {
    port: (server.address() as AddressInfo).port,
    connections: 0,
    refuses: false,
    cut() {
      for (const { client, backend } of pairs) {
        // One that is closing already cannot be reset: Node would keep it for ever, and never end.
        if (client.writableEnded) client.destroy()
        else client.resetAndDestroy()
        backend.destroy()
      }
    },
    holdAnswers() {
      held = true
      for (const { backend } of pairs) backend.pause()
    },
    releaseAnswers() {
      held = false
      for (const { backend } of pairs) backend.resume()
    },
    async [Symbol.asyncDispose]() {
      server.close()
      relay.cut()
      await once(server, 'close')
    },
  }
  return relay
}
