import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Archive, ArchivedUpdate } from '../../src/archive.ts'
import { HubError } from '../../src/errors.ts'
import { encodeEvent } from '../../src/protocol/event-stream.ts'
import { encodeEntry } from './entry.ts'
import { isDamage } from './failure.ts'
import type { LogFile, NumberedEntry } from './file.ts'

const pageBounds = { entries: 1000, bytes: 1 << 20 }

/** A log's file to look through. A hub may be writing it: what leaves the log meanwhile is passed over. */
export class BoltArchive implements Archive {
  readonly #file: LogFile

  constructor(file: LogFile) {
    this.#file = file
  }

  get size(): number {
    return this.#file.last - this.#file.first + 1
  }

  /** @throws HubError `transport_unavailable` at the end, when some could not be read */
  async *read(): AsyncGenerator<readonly ArchivedUpdate[]> {
    const upTo = this.#file.last
    let lost = 0
    for (let end = 0; end < upTo; ) {
      const after = Math.max(end, this.#file.first - 1)
      const page = this.#readPage(after, upTo)
      end = page.end
      lost += end - after - page.entries.length
      yield page.entries
      await nextTurn()
    }
    if (lost === 0) return
    throw new HubError(
      'transport_unavailable',
      `The log ${this.#file.path} is damaged: ${lost} of its updates cannot be read. The others were.`,
    )
  }

  #readPage(after: number, upTo: number): { entries: readonly NumberedEntry[]; end: number } {
    try {
      const entries = this.#file.read(after, upTo, pageBounds)
      return { entries, end: entries.at(-1)?.sequence ?? upTo }
    } catch (error) {
      if (!isDamage((error as Error).cause)) throw error
      return this.#readOneByOne(after, Math.min(upTo, after + pageBounds.entries))
    }
  }

  /** What is left where there is damage. */
  #readOneByOne(after: number, end: number): { entries: readonly NumberedEntry[]; end: number } {
    const entries: NumberedEntry[] = []
    for (let sequence = after + 1; sequence <= end; sequence++) {
      try {
        const entry = this.#file.readOne(sequence)
        if (entry !== undefined) entries.push(entry)
      } catch (error) {
        if (!isDamage((error as Error).cause)) throw error
      }
    }
    return { entries, end }
  }

  async append(updates: readonly ArchivedUpdate[]): Promise<number> {
    const now = Date.now()
    const entries = updates.map(({ update, timeMs = now }) => ({
      update,
      bytes: encodeEntry(update, encodeEvent(update), timeMs),
    }))
    await this.#file.commit(entries, [])
    return 0
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
