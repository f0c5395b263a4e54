import { setImmediate as nextTurn } from 'node:timers/promises'
import { encodeEvent } from '../../src/protocol/event-stream.ts'
import type { Update } from '../../src/protocol/update.ts'
import { encodeEntry } from './entry.ts'
import type { LogFile } from './file.ts'

const pageBounds = { entries: 1000, bytes: 1 << 20 }

interface ArchivedUpdate {
  readonly update: Update
  readonly timeMs?: number | undefined
}

/** A log's file to look through. A hub may be writing it: what leaves the log meanwhile is passed over. */
export class BoltArchive {
  readonly #file: LogFile

  constructor(file: LogFile) {
    this.#file = file
  }

  /** How many updates there are. */
  get size(): number {
    return this.#file.last - this.#file.first + 1
  }

  /** All updates there are at the time of the call, oldest first. */
  async *read(): AsyncGenerator<readonly ArchivedUpdate[]> {
    const upTo = this.#file.last
    for (let page = this.#file.read(0, upTo, pageBounds); page.length > 0; ) {
      yield page
      await nextTurn()
      page = this.#file.read(page.at(-1)!.sequence, upTo, pageBounds)
    }
  }

  /** Stores updates in this order; those without a time get that of now. One call at a time. */
  async append(updates: readonly ArchivedUpdate[]): Promise<void> {
    const now = Date.now()
    const entries = updates.map(({ update, timeMs = now }) => ({
      update,
      bytes: encodeEntry(update, encodeEvent(update), timeMs),
    }))
    await this.#file.commit(entries, [])
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
