import { HubError } from '../errors.ts'
import type { Update } from '../protocol/update.ts'
import type {
  Broadcast,
  History,
  HistoryPage,
  HistoryStart,
  KeyedUpdate,
  LogEntry,
  PublishKey,
  Records,
  Transport,
} from '../transport.ts'
import { decodeEntry, decodePage, encodeKeyedUpdate, encodeUpdate } from './entry.ts'
import type { Link } from './link.ts'
import type { LogFacts } from './log-host.ts'
import type { ReadingAnswer, ReadingRequest } from './readings.ts'

/** Bytes that may wait for the process that keeps the log, before publishers are refused. */
const maxWaitingBytes = 64 << 20

/** A worker's side of the log: the transport that the primary process has opened, as if it were open here. */
export async function openRemoteLog(link: Link): Promise<Transport> {
  const facts: LogFacts = JSON.parse((await link.ask('log-facts')).toString())
  const { recentEntries, hasHistory, saysWhatItHolds, saysHowDeep } = facts
  const log = new RemoteLog(link)
  return Object.assign(
    log,
    recentEntries === null ? {} : { recentEntries },
    hasHistory ? { history: log.read.bind(log) } : {},
    saysWhatItHolds ? { holds: log.stillHolds.bind(log) } : {},
    saysHowDeep ? { depth: log.askDepth.bind(log) } : {},
  )
}

class RemoteLog implements Transport {
  readonly broadcast: Broadcast
  /** The process that keeps the log keeps these for all workers, if the log itself does not. */
  readonly records: Records
  readonly #link: Link
  readonly #publishing = new Set<Promise<unknown>>()
  /** Readings that nobody has asked a page of, and nobody can any more. */
  readonly #forgotten = new FinalizationRegistry<number>(reading => this.#release(reading))
  #readings = 0
  #closed = false

  constructor(link: Link) {
    this.#link = link
    this.broadcast = {
      send: async message => {
        this.#requireOpen()
        link.send('broadcast', message)
      },
      receive: listener => link.on('broadcast', listener),
      will: message => link.send('will', message),
    }
    this.records = {
      load: async () => new Map(JSON.parse((await link.ask('load-records')).toString())),
      save: async (key, record) => {
        await link.ask('save-record', Buffer.from(JSON.stringify([key, record])))
      },
    }
  }

  async start({ backfill }: { backfill: number }, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    let live = false
    this.#link.on('entry', payload => {
      if (!this.#closed) deliver(decodeEntry(payload), live)
    })
    this.#link.on('tail', () => {
      live = true
    })
    await this.#link.ask('start', encodeNumber(backfill))
  }

  async publish(update: Update): Promise<void> {
    await this.#store('publish', encodeUpdate(update))
  }

  /** The process that keeps the log remembers keys for all workers, if the log itself does not. */
  async publishOnce(update: Update, key: PublishKey): Promise<KeyedUpdate | undefined> {
    const answer = await this.#store('publish-once', encodeKeyedUpdate(update, key))
    const first: KeyedUpdate | null = JSON.parse(answer.toString())
    return first ?? undefined
  }

  async #store(kind: 'publish' | 'publish-once', payload: Buffer): Promise<Buffer> {
    this.#requireOpen()
    if (this.#link.waitingBytes > maxWaitingBytes) {
      throw new HubError(
        'transport_unavailable',
        'The process that keeps the log takes no updates now: try again later.',
      )
    }
    const stored = this.#link.ask(kind, payload)
    this.#publishing.add(stored)
    try {
      return await stored
    } finally {
      this.#publishing.delete(stored)
    }
  }

  /** The transport's `history`, where it has one. */
  async read(
    from: HistoryStart,
    { topics, signal }: { readonly topics?: ReadonlySet<string>; readonly signal: AbortSignal },
  ): Promise<History> {
    signal.throwIfAborted()
    this.#requireOpen()
    this.#readings = (this.#readings + 1) >>> 0
    const reading = this.#readings
    const request: ReadingRequest = topics === undefined ? { reading, from } : { reading, from, topics: [...topics] }
    const release = () => this.#release(reading)
    signal.addEventListener('abort', release, { once: true })
    const answer = await this.#link.ask('history', Buffer.from(JSON.stringify(request)))
    const { found, position }: ReadingAnswer = JSON.parse(answer.toString())
    const pages = new Pages({
      ask: async () => {
        signal.throwIfAborted()
        return decodePage(await this.#link.ask('page', encodeNumber(reading)))
      },
      release,
      ended: () => {
        signal.removeEventListener('abort', release)
        this.#forgotten.unregister(release)
      },
    })
    this.#forgotten.register(pages, reading, release)
    if (!found) pages.end()
    return { found, ...(position === undefined ? {} : { position }), pages }
  }

  /** The transport's `holds`, where it has one. */
  async stillHolds(position: string): Promise<boolean> {
    const [isHeld] = await this.#link.ask('holds', Buffer.from(position))
    return isHeld === 1
  }

  /** The transport's `depth`, where it has one. */
  async askDepth(): Promise<number | undefined> {
    const depth: number | null = JSON.parse((await this.#link.ask('depth')).toString())
    return depth ?? undefined
  }

  async ready(): Promise<void> {
    this.#requireOpen()
    await this.#link.ask('ready')
  }

  /** The connection is its owner's, and stays. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      await Promise.allSettled(this.#publishing)
      this.#link.send('leave')
    }
    await Promise.allSettled(this.#publishing)
  }

  #release(reading: number): void {
    this.#link.send('release', encodeNumber(reading))
  }

  #requireOpen(): void {
    if (this.#closed) throw new HubError('transport_unavailable', 'The log is closed.')
  }
}

interface PageSource {
  /** The next page, or `undefined` after the last one. */
  readonly ask: () => Promise<HistoryPage | undefined>
  /** Gives the reading up. */
  readonly release: () => void
  readonly ended: () => void
}

/** The pages of one reading: each is asked for when it is wanted. */
class Pages implements AsyncIterableIterator<HistoryPage> {
  readonly #source: PageSource
  #done = false

  constructor(source: PageSource) {
    this.#source = source
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<HistoryPage>> {
    if (this.#done) return { done: true, value: undefined }
    try {
      const value = await this.#source.ask()
      if (value !== undefined) return { done: false, value }
    } catch (error) {
      this.end()
      throw error
    }
    this.end()
    return { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<HistoryPage>> {
    if (!this.#done) this.#source.release()
    this.end()
    return { done: true, value: undefined }
  }

  end(): void {
    this.#done = true
    this.#source.ended()
  }
}

function encodeNumber(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(number)
  return bytes
}
