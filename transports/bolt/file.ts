import { hash } from 'node:crypto'
import { open as openPath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { HubError } from '../../src/errors.ts'
import type { Update } from '../../src/protocol/update.ts'
import { decodeEntry, type StoredEntry } from './entry.ts'
import { checkFormat, foreign } from './format.ts'
import { sequenceKeys, sequenceValues } from './sequence.ts'

/** An entry with its number in the log. Numbers grow by one, and none is given twice. */
export interface NumberedEntry extends StoredEntry {
  readonly sequence: number
  /** What it takes in its table. */
  readonly byteLength: number
}

export interface NewEntry {
  readonly update: Update
  /** As `encodeEntry` gives it. */
  readonly bytes: Buffer
}

/** How much to read at once. The entry that reaches `bytes` is the last one, so that there is always progress. */
export interface Bounds {
  readonly entries: number
  readonly bytes: number
}

/** The version of all of this: tables, keys, and the encoding of entries. */
const formatVersion = '1'
/** The table with the format's version: by it, files of other programs and of later versions of this one are told apart. */
const markTable = 'talaria'
/** LMDB allows for more, but long keys make its trees deep. Longer texts are indexed by their hash. */
const maxKeyBytes = 255

/**
 * A log in an LMDB file, in three tables: entries by number, numbers by id, numbers by topic. What one call appends and removes is one
 * transaction: after a crash at any moment all of it is there, or nothing.
 *
 * LMDB writes a transaction in a thread of its own, flushes it (fdatasync) and only then makes it visible. lmdb-js can show
 * transactions before they are flushed (`overlappingSync`); where one follows the other that gains nothing measurable, and a reader
 * would see what a power failure may take back.
 */
export class LogFile {
  readonly path: string
  readonly #root: RootDatabase<Buffer, string>
  readonly #mark: Database<string, string>
  readonly #entries: Database<Buffer, number>
  readonly #byId: Database<number, Buffer>
  readonly #byTopic: Database<number, Buffer>
  #last: number
  #closed = false

  /**
   * @param bucket a file may hold several logs under different names
   * @throws HubError `configuration_invalid` for a file that is not a log; an Error of LMDB's or of the operating system's
   */
  static async open(path: string, bucket: string, { readOnly = false } = {}): Promise<LogFile> {
    const isNew = (await checkFormat(path)) === 'empty'
    if (isNew && readOnly) throw foreign(path, 'empty or not there')
    const options = {
      path,
      noSubdir: true,
      readOnly,
      permissionsMode: 0o600,
      encoding: 'binary' as const,
      overlappingSync: false,
      eventTurnBatching: false,
    }
    const root = open<Buffer, string>(options)
    try {
      const file = new LogFile(path, root, openMark(root, path), bucket)
      if (isNew) await flushDirectory(dirname(path))
      return file
    } catch (error) {
      await root.close()
      throw error
    }
  }

  private constructor(
    path: string,
    root: RootDatabase<Buffer, string>,
    mark: Database<string, string>,
    bucket: string,
  ) {
    const table = <V, K extends Buffer | number>(name: string, options: object): Database<V, K> => {
      const database: Database<V, K> | undefined = root.openDB(`${bucket}:${name}`, options)
      if (database === undefined) throw foreign(path, `a log, but has no bucket "${bucket}"`)
      return database
    }
    const index = { keyEncoding: 'binary', dupSort: true, dupFixed: true, encoder: sequenceValues }
    this.path = path
    this.#root = root
    this.#mark = mark
    this.#entries = table('entries', { encoding: 'binary', keyEncoder: sequenceKeys })
    this.#byId = table('ids', index)
    this.#byTopic = table('topics', index)
    const [last = 0] = this.#entries.getKeys({ reverse: true, limit: 1 })
    this.#last = last
  }

  /** The oldest entry's number; the next one's where there is none. */
  get first(): number {
    this.#checkOpen()
    const [first = this.#last + 1] = this.#entries.getKeys({ limit: 1 })
    return first
  }

  /** The newest entry's number; 0: there was none yet. */
  get last(): number {
    return this.#last
  }

  /** What the entries and their indexes take of the file, in bytes, to within some pages. */
  get usedBytes(): number {
    this.#checkOpen()
    return [this.#entries, this.#byId, this.#byTopic].reduce((sum, table) => {
      const stats = table.getStats() as TableStats
      return sum + stats.pageSize * (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages)
    }, 0)
  }

  /**
   * Appends entries and removes others; nothing of either writes only to see whether that works. Resolves when it is on disk, and
   * tells for each new entry whether an older one has its id. One call at a time: the next one's numbers depend on it.
   */
  async commit(appended: readonly NewEntry[], removed: readonly NumberedEntry[]): Promise<readonly boolean[]> {
    this.#checkOpen()
    const first = this.#last + 1
    const added = appended.map(({ update, bytes }, i) => ({ sequence: first + i, bytes, keys: keysOf(update) }))
    const gone = removed.map(({ update, sequence }) => ({ sequence, keys: keysOf(update) }))
    const areNew: Promise<boolean>[] = []
    const done = this.#root.batch(() => {
      for (const { sequence, keys } of gone) {
        this.#entries.remove(sequence)
        this.#byId.remove(keys.id, sequence)
        for (const topic of keys.topics) this.#byTopic.remove(topic, sequence)
      }
      for (const { sequence, bytes, keys } of added) {
        this.#entries.put(sequence, bytes)
        areNew.push(putFirst(this.#byId, keys.id, sequence))
        this.#byId.put(keys.id, sequence)
        for (const topic of keys.topics) this.#byTopic.put(topic, sequence)
      }
      if (gone.length + added.length === 0) this.#mark.put('format', formatVersion)
    })
    try {
      const [, ...isNew] = await Promise.all([done, ...areNew])
      this.#last += added.length
      return isNew.map(answer => !answer)
    } catch (error) {
      throw await causeOf(error)
    }
  }

  /** The entries after a number, up to and with another, oldest first. */
  read(after: number, upTo: number, bounds: Bounds): NumberedEntry[] {
    return this.#read({ start: after + 1, end: upTo + 1 }, bounds)
  }

  /** The newest entries, oldest first. */
  readNewest(bounds: Bounds): NumberedEntry[] {
    return this.#read({ reverse: true }, bounds).reverse()
  }

  readOne(sequence: number): NumberedEntry | undefined {
    this.#checkOpen()
    const bytes = this.#entries.get(sequence)
    return bytes === undefined ? undefined : this.#decode(sequence, bytes)
  }

  /** The number of the oldest entry with an id. */
  find(id: string): number | undefined {
    this.#checkOpen()
    return this.#byId.get(keyOf(id))
  }

  /** The numbers of a topic's entries after a number, in order. */
  findByTopic(topic: string, after: number, limit: number): number[] {
    this.#checkOpen()
    return [...this.#byTopic.getValues(keyOf(topic), { start: after + 1, limit })]
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#root.close()
  }

  #read(range: { start?: number; end?: number; reverse?: boolean }, bounds: Bounds): NumberedEntry[] {
    this.#checkOpen()
    const entries: NumberedEntry[] = []
    let bytes = 0
    for (const { key, value } of this.#entries.getRange({ ...range, limit: bounds.entries })) {
      entries.push(this.#decode(key, value))
      bytes += value.byteLength
      if (bytes >= bounds.bytes) break
    }
    return entries
  }

  #decode(sequence: number, bytes: Buffer): NumberedEntry {
    try {
      return { ...decodeEntry(bytes), sequence, byteLength: bytes.byteLength }
    } catch (cause) {
      throw new HubError('transport_unavailable', `The log is damaged: entry ${sequence} cannot be read.`, { cause })
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new HubError('transport_unavailable', 'The log is closed.')
  }
}

/** What lmdb-js says of a table, as far as it is asked for. */
interface TableStats {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly entryCount: number
}

/** Opens the table with the format's version, in a new file after writing it. */
function openMark(root: RootDatabase<Buffer, string>, path: string): Database<string, string> {
  const isNew = (root.getStats() as TableStats).entryCount === 0
  const options = { encoding: 'string' as const, create: isNew }
  const mark: Database<string, string> | undefined = root.openDB(markTable, options)
  if (mark === undefined) throw foreign(path, 'an LMDB file of another program: choose another file')
  if (isNew) mark.putSync('format', formatVersion)
  const version = mark.get('format')
  if (version === formatVersion) return mark
  throw foreign(
    path,
    `a log of format ${version}, and this version of the hub knows format ${formatVersion}: use a later one`,
  )
}

/** Stores a value unless the key has one already, and tells which. lmdb-js documents the option, its types do not have it. */
function putFirst<V, K extends Buffer>(table: Database<V, K>, key: K, value: V): Promise<boolean> {
  const options: object = { noOverwrite: true }
  return table.put(key, value, options as unknown as number)
}

const keysOf = ({ id, topics }: Update) => ({ id: keyOf(id), topics: topics.map(keyOf) })

/** A text as an index key: its UTF-8, or, for one that LMDB cannot take, a byte that no UTF-8 has and its hash. */
function keyOf(text: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length > 0 && bytes.length <= maxKeyBytes) return bytes
  return Buffer.concat([Buffer.of(0xff), hash('sha256', bytes, 'buffer')])
}

/** lmdb-js rejects with an error that has a promise of the reason. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> }
  return commitError === undefined ? error : await commitError.catch(cause => cause)
}

/** A new file is there after a power failure only when its directory is on disk. Windows has no such call, and no need of it. */
async function flushDirectory(path: string): Promise<void> {
  try {
    await using directory = await openPath(path)
    await directory.sync()
  } catch (error) {
    if (process.platform !== 'win32') throw error
  }
}
