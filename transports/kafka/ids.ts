import type { TransportLog } from '../../src/transport.ts'
import { Failure } from '../backend/failure.ts'
import { timeOfId } from '../backend/id-mark.ts'
import { type PlacedUpdate, readId } from './entry.ts'
import type { Extent } from './extent.ts'
import { fetchPage, type Use } from './history.ts'
import { IdTable } from './id-table.ts'
import type { StoredRecord } from './records.ts'

export interface IdsOptions {
  /** Updates of which the ids are kept in mind; 0: of none. */
  readonly span: number
  readonly use: Use
  readonly extent: Extent
  /** Resolves when everything that is in the log now has been delivered here, and with that added. */
  readonly caughtUp: () => Promise<void>
  readonly log: TransportLog
}

/** A clock may be behind that of another hub, or of the broker, by so much. */
const skewMs = 10_000
/** An update is stored so long after it got its id at most, as a rule. */
const longestWayMs = 60_000
/** More of them than a node remembers updates are of no use. */
const maxUndecided = 100_000
/** What is read at most to find an id by its time, in pages. */
const pagesPerSearch = 64
const retryMs = 1000

/**
 * Where ids are in the log. Those of the newest updates are known by a table, which is filled from the log when the hub starts; the ids that hubs assign tell the
 * time, and are found by that in the whole log.
 */
export class Ids {
  readonly #options: IdsOptions
  readonly #table: IdTable
  #filling: Promise<void> = Promise.resolve()
  #isFilled = true
  /** From this offset on the table has every id. */
  #filledFrom = Number.POSITIVE_INFINITY
  /** Where ids are that were delivered here before it was known whether older updates have them too. */
  readonly #undecided = new Map<string, number>()
  #attempt = 0
  #closed = false

  constructor(options: IdsOptions) {
    this.#options = options
    this.#table = new IdTable(options.span)
  }

  /** An update is in the log. @returns whether its id is, or may be, that of an older one too */
  add({ update: { id }, offset }: PlacedUpdate): boolean {
    if (this.#options.span === 0) return false
    if (this.#table.add(id, offset)) return true
    if (this.#isFilled || timeOfId(id) !== undefined) return false
    // Those that are not read yet may have it; who asks for it then waits for that.
    if (this.#undecided.size < maxUndecided && !this.#undecided.has(id)) this.#undecided.set(id, offset)
    return true
  }

  isReused({ update: { id }, offset }: PlacedUpdate): boolean {
    const earliest = this.#table.find(id)
    return earliest !== undefined && earliest < offset
  }

  /** Reads the ids of what is older than an offset. */
  fill(before: number): void {
    const { span, extent } = this.#options
    this.#filledFrom = Math.max(extent.low, before - span)
    if (this.#filledFrom >= before) return
    this.#isFilled = false
    const attempt = ++this.#attempt
    this.#filling = this.#fill(before, attempt).then(() => {
      if (attempt === this.#attempt) this.#isFilled = true
    })
  }

  /** The log is another one now. */
  reset(): void {
    this.#attempt++
    this.#table.clear()
    this.#undecided.clear()
    this.#filledFrom = Number.POSITIVE_INFINITY
    this.#isFilled = true
  }

  /** The offset of the earliest update with an id. @throws HubError `transport_unavailable` */
  async find(id: string): Promise<number | undefined> {
    await this.#filling
    const known = await this.#findKnown(id)
    if (known !== undefined) return known
    // It may have been stored by another node a moment ago.
    await this.#options.caughtUp()
    const { span, extent } = this.#options
    const timeMs = timeOfId(id)
    // Of a log that the table knows whole, or of an id that does not tell its time, that is all there is to know.
    const isWhole = span > 0 && Math.max(this.#filledFrom, this.#table.floor) <= extent.low
    if (timeMs === undefined || isWhole) return await this.#findKnown(id)
    return (await this.#findKnown(id)) ?? (await this.#findByTime(id, timeMs))
  }

  async #findKnown(id: string): Promise<number | undefined> {
    const { use, extent } = this.#options
    const offset = this.#table.find(id)
    if (offset === undefined || offset < extent.low) return undefined
    // It was delivered from there: the log need not be asked.
    if (this.#undecided.get(id) === offset) return offset
    const page = await use(session => fetchPage(session, offset, extent))
    const [record] = page?.records ?? []
    return record?.offset === offset && readId(record) === id ? offset : undefined
  }

  close(): void {
    this.#closed = true
  }

  async #findByTime(id: string, timeMs: number): Promise<number | undefined> {
    const { use, extent } = this.#options
    let next = await use(session => session.findTime(timeMs - skewMs))
    for (let pages = 0; next !== undefined && pages < pagesPerSearch; pages++) {
      const from: number = next
      const page = await use(session => fetchPage(session, from, extent))
      if (page === undefined || page.end === from) return undefined
      const found = page.records.find(record => readId(record) === id)
      if (found !== undefined) return found.offset
      const last: StoredRecord | undefined = page.records.at(-1)
      if (last !== undefined && last.timeMs > timeMs + longestWayMs) return undefined
      next = page.end
    }
    return undefined
  }

  async #fill(before: number, attempt: number): Promise<void> {
    const { use, extent, span, log } = this.#options
    let next = Math.max(extent.low, before - span)
    while (next < before && !this.#closed && attempt === this.#attempt) {
      const from = next
      try {
        const page = await use(session => fetchPage(session, from, extent))
        if (attempt !== this.#attempt) return
        if (page === undefined) {
          next = extent.low
          continue
        }
        if (page.end === from) return
        for (const record of page.records) {
          const id = readId(record)
          if (id !== undefined) this.#table.add(id, record.offset)
        }
        next = page.end
      } catch (error) {
        if (this.#closed) return
        log.warn({ reason: Failure.of(error).message }, 'The ids of older updates are not read yet: trying again.')
        await new Promise(resolve => setTimeout(resolve, retryMs).unref())
      }
    }
  }
}
