import { setImmediate as nextTurn } from 'node:timers/promises'
import { HubError } from '../../src/errors.ts'
import type { HistoryPage, LogEntry } from '../../src/transport.ts'
import type { LogFile, NumberedEntry } from './file.ts'

/** A page holds the thread for about a millisecond. The entry that reaches the bytes is the last one. */
const pageBounds = { entries: 1000, bytes: 512 * 1024 }
/** With more topics than these, reading everything costs less than merging their indexes. */
const maxIndexedTopics = 64

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
}

/**
 * Reads a part of the log in pages. Each is read in one turn, from the file as it is then: between pages nothing is held open
 * that would keep LMDB from using the space of removed entries again.
 *
 * @throws HubError `transport_unavailable` when entries were removed before the reader came to them, or the log was closed
 */
export async function* readPages(file: LogFile, range: HistoryRange, signal: AbortSignal): AsyncGenerator<HistoryPage> {
  const { after, upTo, topics } = range
  const readPage =
    topics === undefined || topics.size > maxIndexedTopics ? scan(file, upTo) : scanTopics(file, topics, after, upTo)
  for (let end = after; end < upTo; ) {
    if (end > after) await nextTurn()
    signal.throwIfAborted()
    if (file.first > end + 1) {
      throw new HubError('transport_unavailable', 'Updates left the log before a slow reader came to them: it is too small for that.')
    }
    const page = readPage(end)
    end = page.end
    yield { entries: page.entries.map(toLogEntry), end: positionOf(end) }
  }
}

interface Page {
  readonly entries: readonly NumberedEntry[]
  /** The number of the last entry that it covers. */
  readonly end: number
}

function scan(file: LogFile, upTo: number): (after: number) => Page {
  return after => {
    const entries = file.read(after, upTo, pageBounds)
    return { entries, end: entries.at(-1)?.sequence ?? upTo }
  }
}

/** Reads what some topics have: it costs their entries, not those of the log. */
function scanTopics(file: LogFile, topics: ReadonlySet<string>, from: number, upTo: number): (after: number) => Page {
  const sequences = merge([...topics].map(topic => sequencesOf(file, topic, from, upTo)))
  return () => {
    const entries: NumberedEntry[] = []
    let bytes = 0
    for (let next = sequences.next(); next.done !== true; next = sequences.next()) {
      const entry = file.readOne(next.value)
      if (entry === undefined) continue
      entries.push(entry)
      bytes += entry.byteLength
      if (entries.length === pageBounds.entries || bytes >= pageBounds.bytes) return { entries, end: entry.sequence }
    }
    return { entries, end: upTo }
  }
}

/** Merges ascending numbers; one that is in several comes once. */
function* merge(lists: readonly Iterator<number, void>[]): Generator<number, void> {
  const heads = lists.map(list => ({ list, value: list.next().value }))
  for (;;) {
    const least = heads.reduce((least, { value = Number.POSITIVE_INFINITY }) => Math.min(least, value), Number.POSITIVE_INFINITY)
    if (least === Number.POSITIVE_INFINITY) return
    yield least
    for (const head of heads) if (head.value === least) head.value = head.list.next().value
  }
}

/** The numbers of a topic's entries, read as they are asked for. */
function* sequencesOf(file: LogFile, topic: string, after: number, upTo: number): Generator<number, void> {
  const chunk = 256
  for (let from = after; ; ) {
    const sequences = file.findByTopic(topic, from, chunk)
    for (const sequence of sequences) {
      if (sequence > upTo) return
      yield sequence
    }
    if (sequences.length < chunk) return
    from = sequences.at(-1)!
  }
}
