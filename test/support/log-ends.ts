import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Transport } from '../../src/transport.ts'
import { Link } from '../../src/workers/link.ts'
import { LogHost } from '../../src/workers/log-host.ts'
import { openRemoteLog } from '../../src/workers/remote-log.ts'

const maxWaitingBytes = 256 << 20

/** Both ends of a connection like that of the primary process and a worker. */
export async function socketPair(): Promise<readonly [Socket, Socket]> {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-pair-'))
  const server = createServer().listen(join(directory, 'socket'))
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const one = connect(join(directory, 'socket'))
  await once(one, 'connect')
  const [other] = await accepted
  server.close()
  await rm(directory, { recursive: true })
  return [one, other]
}

/** A log in this process, and the ends of it that workers would have, over real sockets. */
export class HostedLog implements AsyncDisposable {
  readonly host: LogHost
  /** The connections as the workers have them, in the order of `connect`. */
  readonly links: Link[] = []
  /** The same, as the log's process has them. */
  readonly hostLinks: Link[] = []
  /** The sockets of `links`. */
  readonly sockets: Socket[] = []

  static async open(transport: Transport, recent = { entries: 1000, bytes: 64 << 20 }): Promise<HostedLog> {
    return new HostedLog(await LogHost.start(transport, recent))
  }

  private constructor(host: LogHost) {
    this.host = host
  }

  async connect(options: { maxWaitingBytes?: number; onOverflow?: () => void } = {}): Promise<Transport> {
    const [ours, theirs] = await socketPair()
    const hostLink = new Link(ours, { maxWaitingBytes, ...options })
    this.hostLinks.push(hostLink)
    this.host.attach(hostLink)
    const link = new Link(theirs, { maxWaitingBytes })
    this.links.push(link)
    this.sockets.push(theirs)
    return await openRemoteLog(link)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.links) link.end()
    await Promise.all([...this.links, ...this.hostLinks].map(link => link.closed))
    await this.host.close()
  }
}

/**
 * One transport of two workers' ends: what is published goes through the first, with keys through either, what is read comes through the second.
 */
export async function openThroughTwo(transport: Transport): Promise<Transport> {
  const log = await HostedLog.open(transport)
  const [writer, reader] = [await log.connect(), await log.connect()]
  let keyed = 0
  return {
    ...(reader.recentEntries === undefined ? {} : { recentEntries: reader.recentEntries }),
    ...(reader.history === undefined ? {} : { history: reader.history }),
    ...(reader.holds === undefined ? {} : { holds: reader.holds }),
    start: (options, deliver) => reader.start(options, deliver),
    async publish(update) {
      await writer.publish(update)
      // An answer through the other end: what was delivered before is there.
      await reader.ready?.()
    },
    publishOnce: (update, key) => (keyed++ % 2 === 0 ? writer : reader).publishOnce!(update, key),
    broadcast: reader.broadcast!,
    ready: () => reader.ready!(),
    async close() {
      await Promise.all([writer.close(), reader.close()])
      await log[Symbol.asyncDispose]()
    },
  }
}
