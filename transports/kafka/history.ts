import type { HistoryPage } from '../../src/transport.ts'
import { overtaken } from '../backend/refusals.ts'
import { decodeUpdate, type PlacedUpdate } from './entry.ts'
import type { Extent } from './extent.ts'
import { OutOfRange, type Partition } from './partition.ts'
import type { StoredRecord } from './records.ts'

export interface Bounds {
  readonly entries: number
  readonly bytes: number
}

/** Runs a reading on a session for readers. @throws HubError `transport_unavailable` */
export type Use = <Result>(read: (session: Partition) => Promise<Result>) => Promise<Result>

export interface Log {
  readonly use: Use
  readonly extent: Extent
  /** Whether the update at an offset bears an id that an older one bears too. */
  readonly isReused: (update: PlacedUpdate) => boolean
}

/** What a broker is asked for at once; one record at least comes, however large. */
const pageBytes = 512 * 1024
/** What the newest records are read by, backwards, at first. */
const firstStep = 64
const longestStep = 4096

/** The records from one offset up to, but not including, another; `undefined`: the first of them are not there any more. @throws Failure */
export async function readRange(
  session: Partition,
  from: number,
  to: number,
  extent: Extent,
): Promise<StoredRecord[] | undefined> {
  const records: StoredRecord[] = []
  let next = from
  while (next < to) {
    const fetched = await fetchPage(session, next, extent)
    if (fetched === undefined) return undefined
    if (fetched.end === next) break
    for (const record of fetched.records) if (record.offset < to) records.push(record)
    next = fetched.end
  }
  return records
}

/** `undefined`: the log begins later. @throws Failure */
export async function fetchPage(
  session: Partition,
  from: number,
  extent: Extent,
): Promise<{ records: readonly StoredRecord[]; end: number } | undefined> {
  const { era } = extent
  try {
    const fetched = await session.fetch({ from, maxBytes: pageBytes })
    extent.see(fetched.low, era)
    return fetched
  } catch (error) {
    if (!(error instanceof OutOfRange)) throw error
    const low = await session.findLow()
    extent.see(low, era)
    // Of what is behind the end of the log nothing is there either.
    return from < low ? undefined : { records: [], end: from }
  }
}

/** The newest updates before an offset, oldest first. @throws Failure */
export async function readNewest(
  session: Partition,
  before: number,
  bounds: Bounds,
  extent: Extent,
): Promise<PlacedUpdate[]> {
  const newest: PlacedUpdate[][] = []
  let { entries, bytes } = bounds
  let end = before
  let step = firstStep
  while (entries > 0 && bytes > 0 && end > extent.low) {
    const from = Math.max(extent.low, end - Math.min(step, entries))
    const records = await readRange(session, from, end, extent)
    // Some have just left the log; the others are asked for again.
    if (records === undefined) continue
    const updates = records.map(decodeUpdate).filter(update => update !== undefined)
    newest.push(updates)
    entries -= updates.length
    for (const { update } of updates) bytes -= Buffer.byteLength(update.data)
    end = from
    step = Math.min(longestStep, step * 2)
  }
  return newest.reverse().flat()
}

export interface HistoryRange {
  /** The offset of the entry before the first one; `undefined`: from the log's beginning. */
  readonly after: number | undefined
  /** That of the last one. */
  readonly upTo: number
}

/**
 * Reads a part of the log in pages.
 * @throws HubError `transport_unavailable`, also when entries left the log before the reader came to them
 */
export async function* readPages(
  { use, extent, isReused }: Log,
  { after, upTo }: HistoryRange,
  signal: AbortSignal,
): AsyncGenerator<HistoryPage> {
  const { era } = extent
  // Whoever has what comes next in memory need not go on to read the log.
  if (after !== undefined) yield { entries: [], end: extent.positionOf(after) }
  let next = after === undefined ? extent.low : after + 1
  let hasBegun = after !== undefined
  while (next <= upTo) {
    signal.throwIfAborted()
    const page = await use(session => fetchPage(session, next, extent))
    if (extent.era !== era) throw overtaken()
    if (page === undefined) {
      if (hasBegun) throw overtaken()
      next = extent.low
      continue
    }
    // The log ends before what was delivered here: it has lost something.
    if (page.end === next) return
    next = page.end
    hasBegun = true
    const updates = page.records.map(decodeUpdate).filter(update => update !== undefined && update.offset <= upTo)
    const last = updates.at(-1)
    if (last === undefined) continue
    const entries = updates.map(placed => ({
      position: extent.positionOf(placed!.offset),
      update: placed!.update,
      reused: isReused(placed!),
    }))
    yield { entries, end: extent.positionOf(last.offset) }
  }
}
