import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Update } from '../../src/protocol/update.ts'
import type { HistoryStart, LogEntry, Transport, TransportLog } from '../../src/transport.ts'
import { open } from '../../transports/bolt.ts'
import { createTestUpdate } from './node.ts'

/** What a transport logged, by level. */
export interface Logged {
  readonly level: keyof TransportLog
  readonly message: string
}

/** A directory of a test's own, removed with what is in it. */
export class LogDirectory implements AsyncDisposable {
  readonly path: string
  readonly logged: Logged[] = []

  static async create(): Promise<LogDirectory> {
    return new LogDirectory(await mkdtemp(join(tmpdir(), 'talaria-bolt-')))
  }

  private constructor(path: string) {
    this.path = path
  }

  /** The file that `open` opens unless told otherwise. */
  get file(): string {
    return join(this.path, 'updates.db')
  }

  /** `query` is that of the URL, with its question mark. */
  open(query = '', file = this.file): Promise<Transport> {
    const note = (level: keyof TransportLog) => (_fields: object, message: string) => {
      this.logged.push({ level, message })
    }
    return open(new URL(`bolt://${file}${query}`), {
      log: { info: note('info'), warn: note('warn'), error: note('error') },
    })
  }

  async start(query = ''): Promise<StartedLog> {
    const transport = await this.open(query)
    const log = new StartedLog(transport)
    await transport.start({ backfill: 10 }, (entry, live) => log.delivered.push({ ...entry, live }))
    return log
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true })
  }
}

/** A started transport, and what it delivered. */
export class StartedLog implements AsyncDisposable {
  readonly transport: Transport
  readonly delivered: (LogEntry & { readonly live: boolean })[] = []

  constructor(transport: Transport) {
    this.transport = transport
  }

  publish(fields: Partial<Update> & { id: string }): Promise<void> {
    return this.transport.publish(createTestUpdate(fields))
  }

  /** Everything after a mark, page by page; `undefined`: the mark is not there. */
  async pages(from: HistoryStart, topics?: readonly string[]): Promise<(readonly LogEntry[])[] | undefined> {
    const { signal } = new AbortController()
    const hint = topics === undefined ? {} : { topics: new Set(topics) }
    const history = await this.transport.history!(from, { ...hint, signal })
    const pages = (await Array.fromAsync(history.pages)).map(page => page.entries)
    return history.found ? pages : undefined
  }

  async ids(from: HistoryStart, topics?: readonly string[]): Promise<string[] | undefined> {
    return (await this.pages(from, topics))?.flat().map(({ update }) => update.id)
  }

  /** Resolves when no more than so many updates are left, which happens in the background. */
  async trimmedTo(size: number): Promise<void> {
    while ((await this.ids('earliest'))!.length > size) await nextTurn()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close()
  }
}
