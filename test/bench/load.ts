import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What a load is made of. */
export interface Load {
  readonly port: number
  readonly subscribers: number
  readonly updates: number
  /** Publishers at once, each on a connection of its own, each waiting for its answer. */
  readonly publishers: number
  readonly token: string
}

export interface Outcome {
  readonly connectsPerSecond: number
  readonly deliveriesPerSecond: number
  readonly publishesPerSecond: number
  /** From before the publish request to the arrival, in milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number }
}

const path = '/.well-known/mercure'
const marker = 0x7e // "~", around the time in each update
const payload = 'x'.repeat(100)
const connectsAtOnce = 100

/** Opens streams; each has its response head when this resolves. */
export async function openStreams({
  port,
  subscribers,
}: Load): Promise<{ sockets: Socket[]; connectsPerSecond: number }> {
  const started = performance.now()
  const sockets: Socket[] = []
  const open = async () => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.write(`GET ${path}?topic=bench HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    const [head] = (await once(socket, 'data')) as [Buffer]
    socket.pause()
    if (!head.includes(' 200 ')) throw new Error(`subscribing: ${head}`)
  }
  while (sockets.length < subscribers) {
    await Promise.all(Array.from({ length: Math.min(connectsAtOnce, subscribers - sockets.length) }, open))
  }
  return { sockets, connectsPerSecond: (subscribers / (performance.now() - started)) * 1000 }
}

/** Publishes, and waits until every stream has every update. */
export async function publishToAll(
  load: Load,
  sockets: readonly Socket[],
): Promise<Omit<Outcome, 'connectsPerSecond'>> {
  const latencies: number[] = []
  const expected = sockets.length * load.updates
  let delivered = 0
  const { promise: allDelivered, resolve, reject } = Promise.withResolvers<void>()
  for (const socket of sockets) {
    socket.on('error', reject).on('close', () => reject(new Error('a stream ended early')))
    // A marker may be split over two reads; what follows the first one is kept until the second is there.
    let rest: Buffer = Buffer.alloc(0)
    socket.resume().on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let at = 0
      for (;;) {
        const begin = bytes.indexOf(marker, at)
        const end = begin === -1 ? -1 : bytes.indexOf(marker, begin + 1)
        if (end === -1) {
          rest = begin === -1 ? Buffer.alloc(0) : bytes.subarray(begin)
          break
        }
        latencies.push(performance.now() - Number(bytes.toString('latin1', begin + 1, end)))
        delivered++
        at = end + 1
      }
      if (delivered === expected) resolve()
    })
  }
  const started = performance.now()
  let sent = 0
  const publishers = Array.from({ length: load.publishers }, async () => {
    const socket = connect(load.port, '127.0.0.1').setNoDelay()
    while (sent < load.updates) {
      sent++
      const body = `topic=bench&data=~${performance.now()}~${payload}`
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${load.token}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      const [answer] = (await once(socket, 'data')) as [Buffer]
      if (!answer.includes(' 200 ')) throw new Error(`publishing: ${answer}`)
    }
    socket.destroy()
  })
  await Promise.all(publishers)
  const published = performance.now() - started
  await allDelivered
  const elapsed = performance.now() - started
  for (const socket of sockets) socket.removeAllListeners('close').destroy()
  latencies.sort((a, b) => a - b)
  const quantile = (q: number) => latencies[Math.floor((latencies.length - 1) * q)] ?? 0
  return {
    deliveriesPerSecond: (expected / elapsed) * 1000,
    publishesPerSecond: (load.updates / published) * 1000,
    latencyMs: { p50: quantile(0.5), p99: quantile(0.99) },
  }
}
