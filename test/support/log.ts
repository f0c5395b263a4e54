import { EventEmitter, once } from 'node:events'
import type { Update } from '../../src/protocol/update.ts'
import type { HistoryStart, LogEntry, Transport, TransportLog } from '../../src/transport.ts'
import { openTransport } from '../../transports/index.ts'
import { createTestUpdate } from './node.ts'

export interface LoggedLine {
  readonly level: keyof TransportLog
  readonly fields: object
  readonly message: string
}

export interface TestLogOptions {
  readonly publishTimeoutMs?: number
}

/** A transport on the log of a backend, without a hub: what it delivered, and what it logged. */
export class TestLog implements AsyncDisposable {
  readonly transport: Transport
  readonly delivered: (LogEntry & { readonly live: boolean })[] = []
  readonly messages: string[] = []
  readonly logged: readonly LoggedLine[]
  readonly #changed: EventEmitter

  static async open(url: URL, { publishTimeoutMs = 5000 }: TestLogOptions = {}): Promise<TestLog> {
    const changed = new EventEmitter().setMaxListeners(0)
    const logged: LoggedLine[] = []
    const note = (level: keyof TransportLog) => (fields: object, message: string) => {
      logged.push({ level, fields, message })
      changed.emit('change')
    }
    const log = { info: note('info'), warn: note('warn'), error: note('error') }
    return new TestLog(await openTransport(url, { log, publishTimeoutMs }), logged, changed)
  }

  static async start(url: URL, options: TestLogOptions = {}): Promise<TestLog> {
    const log = await TestLog.open(url, options)
    try {
      await log.start()
    } catch (error) {
      await log.transport.close()
      throw error
    }
    return log
  }

  private constructor(transport: Transport, logged: readonly LoggedLine[], changed: EventEmitter) {
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

  /** The ids after a mark (a text is an id, or `earliest`); `undefined`: it is not there. */
  async after(from: HistoryStart | string, topics?: readonly string[]): Promise<string[] | undefined> {
    const mark = typeof from === 'object' ? from : from === 'earliest' ? from : { id: from }
    const hint = topics === undefined ? {} : { topics: new Set(topics) }
    const { found, pages } = await this.transport.history!(mark, { ...hint, signal: new AbortController().signal })
    const entries = (await Array.fromAsync(pages)).flatMap(page => page.entries)
    return found ? entries.map(({ update }) => update.id) : undefined
  }

  /** The ids of all that is stored. */
  async all(): Promise<string[]> {
    return (await this.after('earliest'))!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close()
  }
}
