import type { Database, RootDatabase } from 'lmdb'
import { HubError } from '../../src/errors.ts'
import type { Update } from '../../src/protocol/update.ts'
import type { KeyedUpdate, PublishKey, Records } from '../../src/transport.ts'
import type { CommitFailures } from './commit-failures.ts'
import { decodeEntry, type StoredEntry } from './entry.ts'
import { damaged, readingFailed } from './failure.ts'
import { foreign } from './format.ts'
import { keyOf } from './id-key.ts'
import { KeyTable } from './key-table.ts'
import { RecordTable } from './record-table.ts'
import { sequenceKeys, sequenceValues } from './sequence.ts'
import { requireSuccession } from './succession.ts'
import { TopicBlock } from './topic-block.ts'
import { TopicBlocks } from './topic-blocks.ts'

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
  /** Remembered with it. */
  readonly key?: PublishKey | undefined
}

/** An entry to remove: its number and its id. */
export interface Removal {
  readonly sequence: number
  readonly id: string
}

/** How much to read at once. The entry that reaches `bytes` is the last one, so that there is always progress. */
export interface Bounds {
  readonly entries: number
  readonly bytes: number
}

/** An LMDB file that is known to be a log. */
export interface OpenedFile {
  readonly path: string
  readonly root: RootDatabase<Buffer, string>
  readonly failures: CommitFailures
  /** The table with the format's version. */
  readonly mark: Database<string, string>
  /** A file may hold several logs under different names. */
  readonly bucket: string
  readonly readOnly: boolean
  /** Called when the file is closed. */
  readonly release: () => void
}

/** What lmdb-js says of a table, as far as it is asked for. */
export interface TableStats {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly entryCount: number
}

/**
 * A log in an LMDB file, in three tables: entries by number, numbers by id, topics of blocks of entries. What one call appends and removes
 * is one transaction: after a crash at any moment all of it is there, or nothing.
 *
 * LMDB writes a transaction in a thread of its own, flushes it (fdatasync) and only then makes it visible. lmdb-js can show
 * transactions before they are flushed (`overlappingSync`); where one follows the other that gains nothing measurable, and a reader
 * would see what a power failure may take back.
 */
export class LogFile {
  readonly path: string
  readonly #root: RootDatabase<Buffer, string>
  readonly #failures: CommitFailures
  readonly #release: () => void
  readonly #mark: Database<string, string>
  readonly #entries: Database<Buffer, number>
  readonly #byId: Database<number, Buffer>
  readonly #topics: TopicBlocks
  readonly #keys: KeyTable
  readonly #records: RecordTable
  #last: number
  #closed = false

  /** @throws HubError `configuration_invalid` for a bucket that is not there and cannot be made */
  constructor({ path, root, failures, mark, bucket, readOnly, release }: OpenedFile) {
    const table = <V, K extends Buffer | number>(name: string, options: object): Database<V, K> => {
      const database: Database<V, K> | undefined = root.openDB(`${bucket}:${name}`, options)
      if (database === undefined) throw foreign(path, `a log, but has no bucket "${bucket}"`)
      return database
    }
    this.path = path
    this.#root = root
    this.#failures = failures
    this.#mark = mark
    this.#release = release
    this.#entries = table('entries', { encoding: 'binary', keyEncoder: sequenceKeys })
    this.#byId = table('ids', { keyEncoding: 'binary', dupSort: true, dupFixed: true, encoder: sequenceValues })
    this.#keys = new KeyTable(root, bucket)
    this.#records = new RecordTable(root, bucket)
    this.#last = lastKey(this.#entries) ?? 0
    const blocks = table<Buffer, number>('topics', { encoding: 'binary', keyEncoder: sequenceKeys })
    // A reader needs none, and reads what it can of a log whose newest entries are damaged.
    this.#topics = new TopicBlocks(blocks, readOnly ? new TopicBlock(1) : this.#readBlock(blocks))
  }

  /** The oldest entry's number; the next one's where there is none. */
  get first(): number {
    const [first = this.#last + 1] = this.#look(() => [...this.#entries.getKeys({ start: 0, limit: 1 })])
    return first
  }

  /** The newest entry's number; 0: there was none yet. */
  get last(): number {
    return this.#last
  }

  /** What the entries and their indexes take of the file, in bytes, to within some pages. */
  get usedBytes(): number {
    return [this.#entries, this.#byId, this.#topics.table].reduce((sum, table) => {
      const stats = this.#look(() => table.getStats() as TableStats)
      return sum + stats.pageSize * (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages)
    }, 0)
  }

  /**
   * Appends entries and removes the oldest ones. Resolves when that is on disk, and tells for each new entry whether an older one has its
   * id. One call at a time: the next one's numbers depend on it.
   */
  async commit(appended: readonly NewEntry[], removed: readonly Removal[]): Promise<readonly boolean[]> {
    this.#checkOpen()
    const first = this.#last + 1
    const keyed = appended.flatMap(({ key, update }) => (key === undefined ? [] : { ...key, id: update.id }))
    const ids = appended.map(({ update }) => keyOf(update.id))
    const { complete, settle } = this.#topics.extend(appended)
    const isNew: Promise<boolean>[] = []
    try {
      if (keyed.length > 0) this.#keys.prepare()
      const done = this.#root.batch(() => {
        this.#keys.renew(keyed)
        this.#remove(removed)
        appended.forEach(({ bytes }, i) => {
          const id = ids[i]!
          this.#entries.put(first + i, bytes)
          isNew.push(putFirst(this.#byId, id, first + i))
          this.#byId.put(id, first + i)
        })
        this.#topics.put(complete)
      })
      const [, ...answers] = await Promise.all([done, ...isNew])
      this.#last += appended.length
      settle()
      return answers.map(answer => !answer)
    } catch (error) {
      throw await this.#failures.causeOf(error)
    }
  }

  /** What is kept beside the entries. @throws HubError `transport_unavailable` */
  get records(): Records {
    return {
      load: async () => this.#look(() => this.#records.read()),
      save: async (key, record) => {
        this.#checkOpen()
        try {
          await this.#records.save(key, record)
        } catch (error) {
          const cause = await this.#failures.causeOf(error)
          throw new HubError('transport_unavailable', `The log ${this.path} cannot be written.`, { cause })
        }
      },
    }
  }

  /** Resolves when the file has been found to have room for so many bytes, which are then free in it. */
  async makeRoom(bytes: number): Promise<void> {
    this.#checkOpen()
    try {
      await this.#mark.put('room', ' '.repeat(bytes))
      await this.#mark.remove('room')
    } catch (error) {
      throw await this.#failures.causeOf(error)
    }
  }

  /**
   * The entries after a number, up to and with another, oldest first. Reading them is for one turn of the event loop: the iterator holds
   * the file as it was, and with it the space of what is removed meanwhile.
   */
  iterate(after: number, upTo: number): Generator<NumberedEntry> {
    return this.#iterate({ start: after + 1, end: upTo + 1 })
  }

  /** The same, as many as the bounds allow. */
  read(after: number, upTo: number, bounds: Bounds): NumberedEntry[] {
    return take(this.iterate(after, upTo), bounds)
  }

  /** The newest entries, oldest first. */
  readNewest(bounds: Bounds): NumberedEntry[] {
    const newest = take(this.#iterate({ ...fromTheEnd }), bounds).reverse()
    requireSuccession(this.path, newest, (newest[0]?.sequence ?? 1) - 1)
    return newest
  }

  readOne(sequence: number): NumberedEntry | undefined {
    const bytes = this.#look(() => this.#entries.get(sequence))
    return bytes === undefined ? undefined : this.#decode(sequence, bytes)
  }

  /** The number of the oldest entry with an id. */
  find(id: string): number | undefined {
    return this.#look(() => this.#byId.get(keyOf(id)))
  }

  /** The update that was stored with a key which is remembered. @throws HubError `transport_unavailable` */
  findKeyed(text: string): KeyedUpdate | undefined {
    return this.#look(() => this.#keys.find(text))
  }

  /** The numbers of the oldest entries with an id. */
  findSome(id: string, limit: number): readonly number[] {
    return this.#look(() => [...this.#byId.getValues(keyOf(id), { limit })])
  }

  /**
   * The stored blocks with entries after a number, oldest first. What follows the last of them is in no block yet.
   * Reading them is for one turn of the event loop: the iterator holds the file as it was.
   */
  *readTopicBlocks(after: number, limit: number): Generator<{ readonly last: number; readonly record: Buffer }> {
    this.#checkOpen()
    try {
      for (const { key, value } of this.#topics.table.getRange({ start: after + 1, limit }))
        yield { last: key, record: value }
    } catch (error) {
      throw readingFailed(this.path, error)
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#root.close()
    this.#release()
  }

  *#iterate(range: { start?: number; end?: number; reverse?: boolean }): Generator<NumberedEntry> {
    this.#checkOpen()
    try {
      for (const { key, value } of this.#entries.getRange(range)) yield this.#decode(key, value)
    } catch (error) {
      throw readingFailed(this.path, error)
    }
  }

  #remove(removed: readonly Removal[]): void {
    for (const { sequence, id } of removed) {
      this.#entries.remove(sequence)
      this.#byId.remove(keyOf(id), sequence)
    }
    this.#topics.removeUpTo(removed.at(-1)?.sequence ?? 0)
  }

  /** The incomplete block: what is in the log after the last stored one. */
  #readBlock(blocks: Database<Buffer, number>): TopicBlock {
    const after = Math.max(lastKey(blocks) ?? 0, this.first - 1)
    const block = new TopicBlock(after + 1)
    for (const { update, byteLength } of this.read(after, this.#last, TopicBlock.bounds))
      block.add(update.topics, byteLength)
    return block
  }

  #decode(sequence: number, bytes: Buffer): NumberedEntry {
    try {
      return { ...decodeEntry(bytes), sequence, byteLength: bytes.byteLength }
    } catch (cause) {
      throw damaged(this.path, `is damaged (entry ${sequence} cannot be read)`, cause)
    }
  }

  #look<Answer>(ask: () => Answer): Answer {
    this.#checkOpen()
    try {
      return ask()
    } catch (error) {
      throw readingFailed(this.path, error)
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new HubError('transport_unavailable', 'The log is closed.')
  }
}

/** Stores a value unless the key has one already, and tells which. lmdb-js documents the option, its types do not have it. */
function putFirst<V, K extends Buffer>(table: Database<V, K>, key: K, value: V): Promise<boolean> {
  const options: object = { noOverwrite: true }
  return table.put(key, value, options as unknown as number)
}

function take(entries: Iterable<NumberedEntry>, bounds: Bounds): NumberedEntry[] {
  const taken: NumberedEntry[] = []
  let bytes = 0
  for (const entry of entries) {
    taken.push(entry)
    bytes += entry.byteLength
    if (taken.length >= bounds.entries || bytes >= bounds.bytes) break
  }
  return taken
}

/** A range has to be given both ends: lmdb-js's own are for keys of another encoding. */
const fromTheEnd = { reverse: true, start: Number.MAX_SAFE_INTEGER, end: 0 }

const lastKey = (table: Database<Buffer, number>): number | undefined =>
  [...table.getKeys({ ...fromTheEnd, limit: 1 })][0]
