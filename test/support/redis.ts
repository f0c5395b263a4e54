import { EventEmitter, once } from 'node:events'
import type { Update } from '../../src/protocol/update.ts'
import type { LogEntry, Transport, TransportLog } from '../../src/transport.ts'
import { connect } from '../../transports/redis/client.ts'
import { keysOf } from '../../transports/redis/keys.ts'
import { readLocation } from '../../transports/redis/location.ts'
import { open } from '../../transports/redis.ts'
import { createTestUpdate } from './node.ts'

let streams = 0

/** The URL of a log that is not there yet, on a Redis. */
export function newStream(server: URL, query = ''): URL {
  const url = new URL(server)
  url.pathname = `/test-${process.pid}-${streams++}`
  url.search = query
  return url
}

/** Removes what a log has left on a Redis. */
export async function removeLog(url: URL): Promise<void> {
  const client = await connect(readLocation(url))
  await client.unlink(...Object.values(keysOf(readLocation(url).stream)))
  client.disconnect()
}

/** A transport on a Redis, what it delivered, and what it logged. */
export class RedisLog implements AsyncDisposable {
  readonly transport: Transport
  readonly delivered: (LogEntry & { readonly live: boolean })[] = []
  readonly messages: string[] = []
  readonly logged: { readonly level: keyof TransportLog; readonly fields: object; readonly message: string }[]
  readonly #changed: EventEmitter

  static async open(url: URL, { publishTimeoutMs = 5000 } = {}): Promise<RedisLog> {
    const changed = new EventEmitter().setMaxListeners(0)
    const logged: RedisLog['logged'] = []
    const note = (level: keyof TransportLog) => (fields: object, message: string) => {
      logged.push({ level, fields, message })
      changed.emit('change')
    }
    const log = { info: note('info'), warn: note('warn'), error: note('error') }
    return new RedisLog(await open(url, { log, publishTimeoutMs }), logged, changed)
  }

  static async start(url: URL, options: { publishTimeoutMs?: number } = {}): Promise<RedisLog> {
    const log = await RedisLog.open(url, options)
    await log.start()
    return log
  }

  private constructor(transport: Transport, logged: RedisLog['logged'], changed: EventEmitter) {
    this.transport = transport
    this.logged = logged
    this.#changed = changed
    transport.broadcast!.receive(message => {
      this.messages.push(Buffer.from(message).toString())
      changed.emit('change')
    })
  }

  async start(backfill = 100): Promise<void> {
    await this.transport.start({ backfill }, (entry, live) => {
      this.delivered.push({ ...entry, live })
      this.#changed.emit('change')
    })
  }

  publish(fields: Partial<Update> & { id: string }): Promise<void> {
    return this.transport.publish(createTestUpdate(fields))
  }

  send(message: string): Promise<void> {
    return this.transport.broadcast!.send(Buffer.from(message))
  }

  get ids(): string[] {
    return this.delivered.map(({ update }) => update.id)
  }

  /** Resolves when something that was delivered, logged or received makes the condition true. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.#changed, 'change')
  }

  delivers(id: string): Promise<void> {
    return this.until(() => this.ids.includes(id))
  }

  logs(message: RegExp): Promise<void> {
    return this.until(() => this.logged.some(line => message.test(line.message)))
  }

  /** The ids after an id; `undefined`: it is not there. */
  async after(id: string): Promise<string[] | undefined> {
    return await this.#read({ id })
  }

  async all(): Promise<string[]> {
    return (await this.#read('earliest'))!
  }

  async #read(from: { id: string } | 'earliest'): Promise<string[] | undefined> {
    const { found, pages } = await this.transport.history!(from, { signal: new AbortController().signal })
    const entries = (await Array.fromAsync(pages)).flatMap(page => page.entries)
    return found ? entries.map(({ update }) => update.id) : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close()
  }
}
