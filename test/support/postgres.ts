import { EventEmitter, once } from 'node:events'
import type { Update } from '../../src/protocol/update.ts'
import type { LogEntry, Transport, TransportLog } from '../../src/transport.ts'
import { open } from '../../transports/postgres.ts'
import { createTestUpdate } from './node.ts'

let schemas = 0

/** The URL of a log that is not there yet, in a schema of its own. */
export function newLog(server: URL, options: Readonly<Record<string, string>> = {}): URL {
  const url = new URL(server)
  url.searchParams.set('schema', `test_${process.pid}_${schemas++}`)
  for (const [name, value] of Object.entries(options)) url.searchParams.set(name, value)
  return url
}

/** The schema that a URL names. */
export const schemaOf = (url: URL): string => url.searchParams.get('schema')!

/** The same log, by another way. */
export function through(url: URL, { port }: { port: number }): URL {
  const other = new URL(url)
  other.port = String(port)
  return other
}

/** A transport on a PostgreSQL, what it delivered, and what it logged. */
export class PostgresLog implements AsyncDisposable {
  readonly transport: Transport
  readonly delivered: (LogEntry & { readonly live: boolean })[] = []
  readonly messages: string[] = []
  readonly logged: { readonly level: keyof TransportLog; readonly message: string }[]
  readonly #changed: EventEmitter

  static async open(url: URL, { publishTimeoutMs = 5000 } = {}): Promise<PostgresLog> {
    const changed = new EventEmitter().setMaxListeners(0)
    const logged: PostgresLog['logged'] = []
    const note = (level: keyof TransportLog) => (_fields: object, message: string) => {
      logged.push({ level, message })
      changed.emit('change')
    }
    const log = { info: note('info'), warn: note('warn'), error: note('error') }
    return new PostgresLog(await open(url, { log, publishTimeoutMs }), logged, changed)
  }

  static async start(url: URL, options: { publishTimeoutMs?: number } = {}): Promise<PostgresLog> {
    const log = await PostgresLog.open(url, options)
    try {
      await log.start()
    } catch (error) {
      await log.transport.close()
      throw error
    }
    return log
  }

  private constructor(transport: Transport, logged: PostgresLog['logged'], changed: EventEmitter) {
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

  /** The ids after a mark; `undefined`: it is not there. */
  async after(
    from: { id: string } | { position: string } | 'earliest',
    topics?: readonly string[],
  ): Promise<string[] | undefined> {
    const hint = topics === undefined ? {} : { topics: new Set(topics) }
    const { found, pages } = await this.transport.history!(from, { ...hint, signal: new AbortController().signal })
    const entries = (await Array.fromAsync(pages)).flatMap(page => page.entries)
    return found ? entries.map(({ update }) => update.id) : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close()
  }
}
