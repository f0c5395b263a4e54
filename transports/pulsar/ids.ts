import type { TransportLog } from '../../src/transport.ts'
import { Failure } from '../backend/failure.ts'
import { timeOfId } from '../backend/id-mark.ts'
import type { Admin } from './admin.ts'
import { decodeUpdate, type Placed } from './entry.ts'
import type { Extent } from './extent.ts'
import { KnownIds } from './known-ids.ts'
import type { Pages } from './pages.ts'
import { isAfter, type Position } from './position.ts'

export interface IdsOptions {
  /** Updates of which the ids are kept in mind; 0: of none. */
  readonly span: number
  readonly pages: Pages
  readonly extent: Extent
  readonly admin: Admin | undefined
  readonly log: TransportLog
}

/** A clock may be behind that of another hub, or of the broker, by so much. */
const skewMs = 10_000
/** An update is stored so long after it got its id at most, as a rule. */
const longestWayMs = 60_000
/** What is read at most to find an id by its time, in pages. */
const pagesPerSearch = 64
const retryMs = 1000

/**
 * Where ids are in the log. Those of the newest updates are known by an index, which is filled from the log when the hub starts; the ids that hubs assign
 * tell the time, by which they are found in the whole log.
 */
export class Ids {
  readonly #options: IdsOptions
  /** Of what was there before this hub, and of what it has delivered. */
  #older!: KnownIds
  #newer!: KnownIds
  #filling: Promise<void> = Promise.resolve()
  #isFilled = true
  /** The index has every id of the log, as far as it has not forgotten any. */
  #isWhole = true
  #attempt = 0
  #closed = false

  constructor(options: IdsOptions) {
    this.#options = options
    this.reset()
  }

  /** The log is another one now. */
  reset(): void {
    const seed = Math.floor(Math.random() * 2 ** 32)
    this.#older = new KnownIds(this.#options.span, seed)
    this.#newer = new KnownIds(this.#options.span, seed)
    this.#attempt++
    this.#isFilled = true
    this.#isWhole = true
  }

  /** An update is delivered. @returns whether its id is, or may be, that of an older one too */
  add({ update: { id }, position }: Placed): boolean {
    if (this.#options.span === 0) return false
    const isReused = this.#find(id) !== undefined
    this.#newer.add(id, position)
    // Those that are not read yet may have it; who asks for it then waits for that.
    return isReused || (!this.#isFilled && timeOfId(id) === undefined)
  }

  /** Reads the ids of what is in the log up to a place. `density`: updates in an entry, as a rule. */
  fill(upTo: Position | 'earliest', density: number): void {
    if (this.#options.span === 0 || upTo === 'earliest') return
    this.#isFilled = false
    this.#isWhole = false
    const attempt = ++this.#attempt
    this.#filling = this.#fill(upTo, density, attempt).then(() => {
      if (attempt === this.#attempt) this.#isFilled = true
    })
  }

  /** Whether it is known where an id is, or was. */
  knows(id: string): boolean {
    return this.#find(id, () => true) !== undefined
  }

  /** The place of the earliest update with an id. @throws HubError `transport_unavailable` */
  async find(id: string): Promise<Position | undefined> {
    const known = this.#find(id)
    if (known !== undefined && this.#isFilled) return known
    await this.#filling
    return this.#find(id) ?? (await this.#findByTime(id))
  }

  close(): void {
    this.#closed = true
  }

  #find(id: string, isThere = (position: Position) => this.#options.extent.holds(position)): Position | undefined {
    return this.#older.find(id, isThere) ?? this.#newer.find(id, isThere)
  }

  async #findByTime(id: string): Promise<Position | undefined> {
    const { pages, extent, admin, span } = this.#options
    const timeMs = timeOfId(id)
    const hasForgotten =
      span === 0 || !this.#isWhole || this.#older.start !== undefined || this.#newer.start !== undefined
    if (timeMs === undefined || admin === undefined || !hasForgotten) return undefined
    const end = extent.ledgers.end
    let place = await admin.placeOfTime(timeMs - skewMs)
    for (let read = 0; place !== undefined && end !== undefined && read < pagesPerSearch; read++) {
      const page = await pages.page(place, end)
      if (page === undefined) return undefined
      const found = page.messages.find(({ properties }) => properties.id === id)
      if (found !== undefined) return extent.holds(found.position) ? found.position : undefined
      if (page.messages.at(-1)!.timeMs > timeMs + longestWayMs) return undefined
      place = page.end
    }
    return undefined
  }

  async #fill(upTo: Position, density: number, attempt: number): Promise<void> {
    const { pages, extent, span, log } = this.#options
    const newest = extent.ledgers.beforeNewest(Math.ceil(span / density))
    const start = extent.start
    let place: Position | 'earliest' = newest ?? start ?? 'earliest'
    if (newest !== undefined && start !== undefined && isAfter(start, newest)) place = start
    const isWhole = place === 'earliest'
    while (!this.#closed && attempt === this.#attempt) {
      try {
        const page = await pages.fetch(place, upTo)
        if (attempt !== this.#attempt) return
        if (page === undefined) {
          this.#isWhole = isWhole
          return
        }
        for (const message of page.messages) {
          const placed = decodeUpdate(message)
          if (placed !== undefined) this.#older.add(placed.update.id, placed.position)
        }
        place = page.end
      } catch (error) {
        if (this.#closed) return
        log.warn({ reason: Failure.of(error).message }, 'The ids of older updates are not read yet: trying again.')
        await new Promise(resolve => setTimeout(resolve, retryMs).unref())
      }
    }
  }
}
