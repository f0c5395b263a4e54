import type { OpenArchive } from '../src/archive.ts'
import { readOptions } from '../src/config/dsn.ts'
import { HubError } from '../src/errors.ts'
import type { Update } from '../src/protocol/update.ts'
import type {
  History,
  HistoryStart,
  KeyedUpdate,
  LogEntry,
  OpenTransport,
  PublishKey,
  Records,
  Transport,
  TransportLog,
} from '../src/transport.ts'
import { BoltArchive } from './bolt/archive.ts'
import type { LogFile, NumberedEntry } from './bolt/file.ts'
import { positionOf, readPages, sequenceAt, toLogEntry } from './bolt/history.ts'
import { FileIdentity } from './bolt/identity.ts'
import { openLog } from './bolt/open.ts'
import { Retention, type RetentionBounds } from './bolt/retention.ts'
import { Writer } from './bolt/writer.ts'

/**
 * `bolt://updates.db`: a log in a file of this node. Options:
 *
 * - `size`: how many updates are kept; `max_age`: for how long (`24h`); `size_bytes`: how much of the file they and their indexes
 *   may take (`1GiB`). 0, the default, is no bound. What is over a bound is removed soon after, the newest update never.
 *   The file does not shrink: what was removed is used again.
 * - `cleanup_frequency`: the fraction of the publishes after which the bounds are looked at, from 0, never, to 1; 0.3 by default.
 * - `bucket_name`: the log's name within the file, `updates` by default.
 */
export const open: OpenTransport = async (url, { log }) => {
  const { path, bucket, bounds } = readLocation(url)
  // A path with a typo looks like this, and nothing else tells.
  const tellNew = (made: string) => log.info({}, `there was no log yet: a new one was made in ${made}`)
  const file = await openLog(path, bucket, { tellNew })
  return new BoltTransport(file, bounds, await FileIdentity.of(file.path, log), log)
}

export const checkUrl = (url: URL): void => void readLocation(url)

/** The same log without a hub; a hub may be writing it unless it is to be `writable` here. */
export const openArchive: OpenArchive = async (url, { writable }) => {
  const { path, bucket } = readLocation(url)
  return new BoltArchive(await openLog(path, bucket, { readOnly: !writable }))
}

/** @throws HubError `configuration_invalid` */
function readLocation(url: URL): { path: string; bucket: string; bounds: RetentionBounds } {
  const options = readOptions(url, {
    size: 'count',
    max_age: 'duration',
    size_bytes: 'size',
    cleanup_frequency: 'fraction',
    bucket_name: 'text',
  })
  const { size = 0, max_age = 0, size_bytes = 0, cleanup_frequency = 0.3, bucket_name = 'updates' } = options
  if (!/^[\w.-]{1,100}$/.test(bucket_name)) {
    throw invalid('bucket_name may have letters, digits, ".", "-" and "_", 100 of them at most')
  }
  return {
    path: readPath(url),
    bucket: bucket_name,
    bounds: { entries: size, ageMs: max_age, bytes: size_bytes, cleanupFrequency: cleanup_frequency },
  }
}

/** `bolt://a.db` and `bolt://./a/b.db` are relative to the working directory, `bolt:///a.db` is absolute. */
function readPath({ host, hostname, pathname, username, password }: URL): string {
  if (username !== '' || password !== '' || host !== hostname) {
    throw invalid(
      'names a file, not a server: it takes no user, password or port; write bolt://updates.db or bolt:///var/lib/updates.db',
    )
  }
  const path = decode(host + pathname)
  if (path.includes('\0')) throw invalid('the path has a %00, which no file can have in its name')
  if (path === '' || path === '/')
    throw invalid('the path of the file is missing; write bolt://updates.db or bolt:///var/lib/updates.db')
  return path
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw invalid('the path has a "%" that begins no escape; write it as %25')
  }
}

const invalid = (rule: string): HubError => new HubError('configuration_invalid', `transport_url, bolt: ${rule}.`)

/** How much of the log is delivered as past at most, in bytes: the window of newest entries is bounded in bytes too. */
const maxBackfillBytes = 64 << 20

/** An id that was reused more often than this while its updates expired waits for their removal. */
const mostOfAnId = 256

class BoltTransport implements Transport {
  readonly records: Records
  readonly #file: LogFile
  readonly #writer: Writer
  readonly #retention: Retention
  #deliver: ((entry: LogEntry, live: boolean) => void) | undefined
  /** The number of the newest entry that was delivered: history ends there, and live begins. */
  #delivered: number

  constructor(file: LogFile, bounds: RetentionBounds, identity: FileIdentity, log: TransportLog) {
    this.#file = file
    this.records = file.records
    this.#delivered = file.last
    this.#retention = new Retention(file, bounds)
    this.#writer = new Writer({
      file,
      retention: this.#retention,
      identity,
      deliver: entry => this.#deliverLive(entry),
      log,
    })
  }

  async start({ backfill }: { backfill: number }, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    for (const entry of this.#file.readNewest({ entries: backfill, bytes: maxBackfillBytes })) {
      const reused = this.#file.find(entry.update.id) !== entry.sequence
      deliver({ ...toLogEntry(entry), reused }, false)
    }
    this.#deliver = deliver
    this.#writer.trim()
  }

  #deliverLive(entry: LogEntry): void {
    this.#delivered++
    this.#deliver?.(entry, true)
  }

  async publish(update: Update): Promise<void> {
    await this.#writer.publish(update)
  }

  publishOnce(update: Update, key: PublishKey): Promise<KeyedUpdate | undefined> {
    return this.#writer.publish(update, key)
  }

  async history(
    from: HistoryStart,
    { topics, signal }: { topics?: ReadonlySet<string>; signal: AbortSignal },
  ): Promise<History> {
    const upTo = this.#delivered
    const mark = from === 'earliest' ? this.#file.first - 1 : this.#find(from)
    const position = mark === undefined || from === 'earliest' ? {} : { position: positionOf(mark) }
    const isHeld = (entry: NumberedEntry) => this.#retention.isHeld(entry, Date.now())
    const pages = readPages(this.#file, { after: mark ?? upTo, upTo, topics, isHeld }, signal)
    return { found: mark !== undefined, ...position, pages }
  }

  /** The number of the entry at a mark. A position whose entry has just been removed is one still: nothing is missing after it. */
  #find(from: { readonly id: string } | { readonly position: string }): number | undefined {
    if ('id' in from) return this.#file.findSome(from.id, mostOfAnId).find(sequence => this.#isHeld(sequence))
    const { first, last } = this.#file
    const sequence = sequenceAt(from.position)
    return sequence !== undefined && sequence >= first - 1 && sequence <= last ? sequence : undefined
  }

  /** A position is not one any more when its entry is removed or has expired. */
  holds(position: string): boolean {
    const sequence = sequenceAt(position)
    return sequence !== undefined && this.#isHeld(sequence)
  }

  #isHeld(sequence: number): boolean {
    const entry = this.#file.readOne(sequence)
    return entry !== undefined && this.#retention.isHeld(entry, Date.now())
  }

  depth(): number {
    return this.#file.last - this.#file.first + 1
  }

  ready(): Promise<void> {
    return this.#writer.ready()
  }

  async close(): Promise<void> {
    await this.#writer.close()
    await this.#file.close()
  }
}
