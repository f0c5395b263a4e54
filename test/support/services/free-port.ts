import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** A port that nobody listens at; nodes of a cluster use the one that is 10,000 higher as well. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await takePort()
    if (port < 55_000) return port
  }
}

async function takePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
