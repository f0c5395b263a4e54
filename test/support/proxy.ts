import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between clients and a hub, and breaks the connections when told. */
export interface Proxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Where connections from now on lead: the URL of a hub. */
  target: string
  /** Breaks every connection as a network does: with no word to either side. */
  cut(): void
}

export async function startProxy(target: string): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  }
  const server = createServer({ noDelay: true }, client => {
    const { hostname, port } = new URL(proxy.target)
    const hub = keep(connect({ host: hostname, port: Number(port), noDelay: true }))
    keep(client).pipe(hub).pipe(client)
    client.once('close', () => hub.destroy())
    hub.once('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const proxy: Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target,
    cut,
    async [Symbol.asyncDispose]() {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
  return proxy
}
