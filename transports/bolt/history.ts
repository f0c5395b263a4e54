import { setImmediate as nextTurn } from 'node:timers/promises'
import { HubError } from '../../src/errors.ts'
import type { HistoryPage, LogEntry } from '../../src/transport.ts'
import { readingFailed } from './failure.ts'
import type { LogFile, NumberedEntry } from './file.ts'
import { missing, requireSuccession } from './succession.ts'
import { findInBlock, firstInBlock, hashOf } from './topic-block.ts'

/** A page holds the thread for about a millisecond. The entry that reaches the bytes is the last one. */
const pageBounds = { entries: 1000, bytes: 512 * 1024 }
/** Blocks of entries looked through for one page. */
const blocksPerPage = 64

export const positionOf = (sequence: number): string => String(sequence)

/** The number at a position; `undefined` for a text that is none. */
export const sequenceAt = (position: string): number | undefined =>
  /^\d{1,15}$/.test(position) ? Number(position) : undefined

export const toLogEntry = ({ sequence, update, event }: NumberedEntry): LogEntry => ({
  position: positionOf(sequence),
  update,
  event,
})

export interface HistoryRange {
  /** The number of the entry before the first one. */
  readonly after: number
  /** The number of the last one. */
  readonly upTo: number
  /** Entries with none of them are left out, or not. */
  readonly topics?: ReadonlySet<string> | undefined
  /** Entries that are not held any more, though the file still has them, are left out. */
  readonly isHeld: (entry: NumberedEntry) => boolean
}

/**
 * Reads a part of the log in pages. Each is read in one turn, from the file as it is then: between pages nothing is held open
 * that would keep LMDB from using the space of removed entries again.
 *
 * @throws HubError `transport_unavailable` when entries were removed before the reader came to them, the file is damaged, or the log
 * was closed
 */
export async function* readPages(file: LogFile, range: HistoryRange, signal: AbortSignal): AsyncGenerator<HistoryPage> {
  const { after, upTo, topics, isHeld } = range
  const hashes = topics === undefined ? undefined : [...topics].map(hashOf)
  for (let end = after; end < upTo; ) {
    if (end > after) await nextTurn()
    signal.throwIfAborted()
    if (file.first > end + 1) {
      throw new HubError(
        'transport_unavailable',
        'Updates left the log before a slow reader came to them: it is too small for that.',
      )
    }
    const page = readPage(file, hashes, end, upTo)
    end = page.end
    const held = page.entries.filter(isHeld)
    // Who has read a page may take what follows from elsewhere, where nobody looks whether it has expired.
    if (held.length === 0 && end < upTo && !isHeld(readStored(file, end))) continue
    yield { entries: held.map(toLogEntry), end: positionOf(end) }
  }
}

interface Page {
  readonly entries: readonly NumberedEntry[]
  /** The number of the last entry that it covers. */
  readonly end: number
}

function readPage(file: LogFile, hashes: readonly number[] | undefined, after: number, upTo: number): Page {
  try {
    return hashes === undefined ? scan(file, after, upTo) : scanTopics(file, hashes, after, upTo)
  } catch (error) {
    throw readingFailed(file.path, error)
  }
}

function scan(file: LogFile, after: number, upTo: number): Page {
  const entries = file.read(after, upTo, pageBounds)
  requireSuccession(file.path, entries, after)
  const newest = entries.at(-1)
  if (newest === undefined) throw missing(file.path, after + 1)
  return { entries, end: newest.sequence }
}

/** Reads what has topics with these hashes, and what is in no block yet. */
function scanTopics(file: LogFile, hashes: readonly number[], after: number, upTo: number): Page {
  const entries: NumberedEntry[] = []
  let bytes = 0
  let end = after
  for (const { last, record } of file.readTopicBlocks(after, blocksPerPage)) {
    if (firstInBlock(record) > end + 1) throw missing(file.path, end + 1)
    for (const sequence of findInBlock(record, hashes)) {
      if (sequence <= after || sequence > upTo) continue
      const entry = readStored(file, sequence)
      entries.push(entry)
      bytes += entry.byteLength
      if (entries.length === pageBounds.entries || bytes >= pageBounds.bytes) return { entries, end: sequence }
    }
    end = last
    if (end >= upTo) return { entries, end: upTo }
  }
  return end === after ? scan(file, after, upTo) : { entries, end }
}

function readStored(file: LogFile, sequence: number): NumberedEntry {
  const entry = file.readOne(sequence)
  if (entry === undefined) throw missing(file.path, sequence)
  return entry
}
