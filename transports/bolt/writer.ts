import { setImmediate as nextTurn } from 'node:timers/promises'
import { HubError } from '../../src/errors.ts'
import { encodeEvent } from '../../src/protocol/event-stream.ts'
import type { Update } from '../../src/protocol/update.ts'
import type { KeyedUpdate, LogEntry, PublishKey, TransportLog } from '../../src/transport.ts'
import { encodeEntry } from './entry.ts'
import type { LogFile, NewEntry, Removal } from './file.ts'
import { positionOf } from './history.ts'
import type { FileIdentity } from './identity.ts'
import { Outage } from './outage.ts'
import type { Retention } from './retention.ts'

interface Publish extends NewEntry {
  readonly event: Uint8Array
  /** With the update that has its key, where another one has. */
  resolve(first?: KeyedUpdate): void
  reject(error: HubError): void
}

/** A group of publishes that is on disk. */
interface Stored {
  readonly group: readonly Publish[]
  /** The number of its first entry. */
  readonly first: number
  /** Of each, whether an older entry has its id. */
  readonly reused: readonly boolean[]
}

interface WriterOptions {
  readonly file: LogFile
  readonly retention: Retention
  readonly identity: FileIdentity
  readonly deliver: (entry: LogEntry) => void
  readonly log: TransportLog
}

/** What one commit takes of the updates that wait. */
const groupBounds = { entries: 1024, bytes: 8 << 20 }

/**
 * Stores what is published. The updates that come while a commit is under way share the next one and with it the wait for the disk, in
 * which the event loop has no part. The same commits remove what is over the log's bounds.
 */
export class Writer {
  readonly #file: LogFile
  readonly #retention: Retention
  readonly #deliver: (entry: LogEntry) => void
  readonly #log: TransportLog
  readonly #outage: Outage
  readonly #identity: FileIdentity
  readonly #queue: Publish[] = []
  #running: Promise<void> | undefined
  #trimming = false
  #expiry: NodeJS.Timeout | undefined
  /** Waits until it is known whether an outage is over. */
  #probe: PromiseWithResolvers<void> | undefined
  #closed = false

  constructor({ file, retention, identity, deliver, log }: WriterOptions) {
    this.#file = file
    this.#identity = identity
    this.#retention = retention
    this.#deliver = deliver
    this.#log = log
    this.#outage = new Outage(file.path, log)
  }

  /**
   * Resolves when the update is on disk and delivered. Updates are stored in the order of the calls. With a key that is remembered, it is not
   * stored, and the one that was is told.
   */
  publish(update: Update, key?: PublishKey): Promise<KeyedUpdate | undefined> {
    if (this.#closed) return Promise.reject(closed())
    if (this.#identity.isLost) return Promise.reject(lost())
    if (this.#outage.isRecent) return Promise.reject(notStored())
    const event = encodeEvent(update)
    const bytes = encodeEntry(update, event, Date.now())
    return new Promise((resolve, reject) => {
      this.#queue.push({ update, event, bytes, key, resolve, reject })
      this.#wake()
    })
  }

  /** Removes what is over the bounds, in the background. */
  trim(): void {
    this.#trimming = this.#retention.active && !this.#closed
    this.#wake()
  }

  /** Resolves when the file can be written. @throws HubError `transport_unavailable` with the reason */
  async ready(): Promise<void> {
    if (this.#closed) throw closed()
    await this.#identity.check()
    this.#identity.require()
    if (this.#outage.reason === undefined) return
    this.#probe ??= Promise.withResolvers()
    const { promise } = this.#probe
    this.trim()
    await promise
    if (this.#outage.reason !== undefined) throw new HubError('transport_unavailable', this.#outage.reason)
  }

  /** Stores what was published before. */
  async close(): Promise<void> {
    this.#closed = true
    this.#trimming = false
    clearTimeout(this.#expiry)
    await this.#running
  }

  #wake(): void {
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    // What else is published in this turn goes into the same commit.
    await nextTurn()
    let stored: Stored | undefined
    while (this.#queue.length > 0 || this.#trimming || this.#probe !== undefined) {
      const step = this.#begin()
      if (stored !== undefined) {
        // LMDB's thread sets out at the end of the turn: the disk works while publishers are answered.
        await nextTurn()
        this.#answer(stored)
      }
      stored = await step
    }
    if (stored !== undefined) this.#answer(stored)
    this.#running = undefined
    this.#scheduleExpiry()
  }

  /** Starts the next thing to do. */
  async #begin(): Promise<Stored | undefined> {
    const group = this.#answerRepeated(this.#takeGroup())
    if (this.#retention.isDue(group.length)) this.#trimming = !this.#closed
    const removed = this.#trimming ? this.#takeRemovals(group) : []
    if (group.length > 0 || removed.length > 0) return await this.#commit(group, removed)
    if (this.#probe !== undefined) await this.#makeRoom()
    return undefined
  }

  #takeGroup(): Publish[] {
    let count = 0
    let bytes = 0
    const keys = new Set<string>()
    for (const publish of this.#queue) {
      // What becomes of the first one with a key is known before another's turn comes.
      if (publish.key !== undefined && keys.has(publish.key.text)) break
      if (publish.key !== undefined) keys.add(publish.key.text)
      bytes += publish.bytes.byteLength
      if (count === groupBounds.entries || (count > 0 && bytes > groupBounds.bytes)) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  /** Those that are left are to be stored. */
  #answerRepeated(group: readonly Publish[]): readonly Publish[] {
    return group.filter(({ key, resolve, reject }) => {
      if (key === undefined) return true
      try {
        const first = this.#file.findKeyed(key.text)
        if (first === undefined) return true
        resolve(first)
      } catch (error) {
        reject(error as HubError)
      }
      return false
    })
  }

  #takeRemovals(group: readonly Publish[]): readonly Removal[] {
    const { removed, more } = this.#askRetention(retention => retention.select(group, Date.now())) ?? nothing
    this.#trimming = more
    return removed
  }

  /** Entries that cannot be read cannot be removed: publishing goes on without that. */
  #askRetention<Answer>(ask: (retention: Retention) => Answer): Answer | undefined {
    try {
      return ask(this.#retention)
    } catch (error) {
      this.#retention.stop()
      this.#log.error({ err: error }, `The log ${this.#file.path} is damaged: nothing is removed from it any more.`)
      return undefined
    }
  }

  async #commit(group: readonly Publish[], removed: readonly Removal[]): Promise<Stored | undefined> {
    const first = this.#file.last + 1
    const recheck = this.#identity.recheck()
    try {
      const reused = await this.#file.commit(group, removed)
      await recheck
      if (this.#identity.isLost) {
        for (const { reject } of [...group, ...this.#queue.splice(0)]) reject(lost())
        return undefined
      }
      if (group.length > 0) this.#endOutage()
      return { group, first, reused }
    } catch (error) {
      await this.#beginOutage(error, group)
      // What has queued up meanwhile would fail the same way.
      for (const { reject } of [...group, ...this.#queue.splice(0)]) reject(notStored(error))
      return undefined
    }
  }

  /** Delivers what is on disk, and tells its publishers. */
  #answer({ group, first, reused }: Stored): void {
    group.forEach(({ update, event, resolve }, i) => {
      this.#deliver({ position: positionOf(first + i), update, event, reused: reused[i]! })
      resolve()
    })
  }

  async #makeRoom(): Promise<void> {
    try {
      await this.#file.makeRoom(this.#outage.bytes)
      this.#endOutage()
    } catch (error) {
      await this.#beginOutage(error, [])
    }
  }

  async #beginOutage(error: unknown, group: readonly Publish[]): Promise<void> {
    const bytes = group.reduce((sum, publish) => sum + publish.bytes.byteLength, 0)
    await this.#outage.begin(error, bytes)
    this.#trimming = false
    this.#answerProbe()
  }

  #endOutage(): void {
    this.#outage.end()
    this.#answerProbe()
  }

  #answerProbe(): void {
    this.#probe?.resolve()
    this.#probe = undefined
  }

  /** What nobody publishes after expires as well. */
  #scheduleExpiry(): void {
    if (this.#expiry !== undefined || this.#closed) return
    const ms = this.#askRetention(retention => retention.untilExpiryMs(Date.now()))
    if (ms === undefined) return
    this.#expiry = setTimeout(() => {
      this.#expiry = undefined
      this.trim()
    }, ms).unref()
  }
}

const nothing = { removed: [], more: false }

const closed = (): HubError => new HubError('transport_unavailable', 'The log is closed.')

const lost = (): HubError =>
  new HubError(
    'transport_unavailable',
    "The update was not stored: the file of this hub's log was deleted or replaced. The hub has to be restarted by who runs it.",
  )

const notStored = (cause?: unknown): HubError =>
  new HubError(
    'transport_unavailable',
    'The update was not stored: this hub cannot write its log now. Publish it again later.',
    { cause },
  )
