import type { HistoryPage } from '../../src/transport.ts'
import { decodeUpdate, type Placed, toLogEntry } from './entry.ts'
import type { Extent } from './extent.ts'
import type { Pages } from './pages.ts'
import { formatPosition, isAfter, type Position } from './position.ts'
import { Repeats } from './repeats.ts'

export interface HistoryRange {
  readonly after: Position | 'earliest'
  readonly upTo: Position
}

/** Reads a part of the log in pages. @throws HubError `transport_unavailable` */
export async function* readPages(
  pages: Pages,
  { after, upTo }: HistoryRange,
  signal: AbortSignal,
): AsyncGenerator<HistoryPage> {
  const repeats = new Repeats()
  let place = after
  for (;;) {
    signal.throwIfAborted()
    const page = place === 'earliest' ? await pages.fetch(place, upTo) : await pages.page(place, upTo)
    if (page === undefined) return
    const updates = page.messages.filter(message => !repeats.has(message)).map(decodeUpdate)
    const entries = updates.filter(update => update !== undefined).map(toLogEntry)
    yield { entries, end: formatPosition(page.end) }
    if (!isAfter(upTo, page.end)) return
    place = page.end
  }
}

/** The newest updates of a log, oldest first. */
export interface Newest {
  readonly updates: readonly Placed[]
  /** The place after which they begin. */
  readonly after: Position | 'earliest'
  /** What has come up to the end. */
  readonly repeats: Repeats
  /** How many updates are in an entry, as a rule; 1 at least. */
  readonly density: number
}

export interface NewestBounds {
  readonly entries: number
  readonly bytes: number
}

/** How many entries are looked at first: one may have as many updates as this, or be none. */
const updatesPerEntry = 256
const spareEntries = 50

/**
 * The newest updates up to a place: at least one, if there is any, and nearly as many as the bounds allow. Without the admin API nobody knows where they begin:
 * then the whole log is read.
 * @throws HubError `transport_unavailable`
 */
export async function readNewest(pages: Pages, extent: Extent, upTo: Position, bounds: NewestBounds): Promise<Newest> {
  const start = extent.start ?? 'earliest'
  for (let count = Math.ceil(bounds.entries / updatesPerEntry) + spareEntries; ; count *= 4) {
    const found = extent.ledgers.beforeNewest(count)
    const isBeyond = found === undefined || (start !== 'earliest' && isAfter(start, found))
    const after = isBeyond ? start : found
    const newest = await readNewestAfter(pages, { after, upTo }, bounds)
    if (after === start || newest.after !== after || newest.updates.length >= bounds.entries / 2) return newest
  }
}

async function readNewestAfter(
  pages: Pages,
  { after, upTo }: HistoryRange,
  { entries, bytes }: NewestBounds,
): Promise<Newest> {
  const repeats = new Repeats()
  let updates: Placed[] = []
  let begin = after
  let count = 0
  let entriesRead = 0
  const trim = () => {
    let size = 0
    let from = updates.length
    while (from > 0 && updates.length - from < entries && size < bytes) size += updates[--from]!.update.data.length
    if (from === 0) return
    begin = updates[from - 1]!.position
    updates = updates.slice(from)
  }
  for (let place = after; ; ) {
    const page = await pages.fetch(place, upTo)
    if (page === undefined) break
    for (const message of page.messages) {
      const placed = repeats.has(message) ? undefined : decodeUpdate(message)
      if (message.position.index <= 0) entriesRead++
      if (placed === undefined) continue
      updates.push(placed)
      count++
    }
    place = page.end
    trim()
  }
  return { updates, after: begin, repeats, density: Math.max(1, count / entriesRead || 1) }
}
