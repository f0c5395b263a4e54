import { setImmediate as nextTurn } from 'node:timers/promises'
import { encodeEvent, toSend } from '../protocol/event-stream.ts'
import type { Matcher } from '../protocol/matcher.ts'
import { earliest } from '../protocol/update.ts'
import type { History, HistoryPage, Transport } from '../transport.ts'
import type { Recent } from './recent.ts'
import type { Subscriber } from './subscriber.ts'

/** The two sources of the past. Without `history` the window is all there is. */
export interface Past {
  readonly recent: Recent
  readonly history: Transport['history']
  readonly holds: Transport['holds']
}

/** Where a subscriber's past begins, found before its response head is sent. */
export interface Cursor {
  /** What the client is told: its own id where that was found, else `earliest`. `undefined`: it asked for nothing. */
  readonly lastEventId: string | undefined
  /** `undefined`: no past, the stream begins with what comes next. */
  readonly from: Place | undefined
}

/** A place in the log, known by its place in the window, its position, or both; `pages` is a reading from there that is under way. */
export interface Place {
  readonly window?: number | undefined
  readonly position?: string | undefined
  readonly pages?: AsyncIterable<HistoryPage> | undefined
}

/** Entries looked at and bytes written before other work gets a turn and the reader's pace is asked. */
const entriesPerStep = 1000
const bytesPerStep = 64 * 1024

/** Finds the place after `lastEventId`: in the window where that is certain to be right, else in the log. */
export async function locate(
  lastEventId: string | undefined,
  matchers: readonly Matcher[],
  { recent, history, holds }: Past,
  signal: AbortSignal,
): Promise<Cursor> {
  if (lastEventId === undefined) return { lastEventId, from: undefined }
  const known = lastEventId === earliest ? undefined : recent.placeOfId(lastEventId)
  if (known !== undefined) {
    const { position, reused } = recent.at(known)
    // An id that an older entry bears too means that older one, which only the log has; and what has left the log is not known any more.
    const isCertain = history === undefined || (reused !== true && ((await holds?.(position)) ?? true))
    if (isCertain) return { lastEventId, from: { window: known + 1, position } }
  }
  if (history === undefined) {
    return { lastEventId: earliest, from: lastEventId === earliest ? { window: recent.start } : undefined }
  }
  // What is appended from here on is delivered at this place of the window or after it: right even if the log is empty now.
  const window = lastEventId === earliest ? recent.end : undefined
  const log = await history(lastEventId === earliest ? earliest : { id: lastEventId }, { ...hint(matchers), signal })
  if (!log.found) return { lastEventId: earliest, from: undefined }
  return { lastEventId, from: { window, position: log.position, pages: log.pages } }
}

/**
 * Sends the past, then calls `goLive` in the turn in which the subscriber's place is the window's end. One loop over two sources in
 * one order: the log until a page ends inside the window, then the window place by place, both at the reader's pace. A
 * reader that the window overtakes goes back to the log. Nothing is held aside, so nothing can come twice, and a replay
 * of any length holds no more than one page.
 */
export async function replay(
  subscriber: Subscriber,
  from: Place,
  past: Past,
  goLive: () => void,
  signal: AbortSignal,
): Promise<void> {
  let place = from
  while (subscriber.state === 'replaying') {
    if (place.pages !== undefined) {
      place = await replayLog(subscriber, place, place.pages, past.recent)
    } else if (place.window !== undefined && place.window >= past.recent.start) {
      place = replayWindow(subscriber, place.window, past.recent)
      if (place.window === past.recent.end) return goLive()
      await Promise.all([subscriber.drained(), nextTurn()])
    } else {
      const log = await returnToLog(subscriber, place, past, signal)
      if (log === undefined) return subscriber.end('too slow')
      place = { position: place.position, pages: log.pages }
    }
  }
}

type PastEvent = Parameters<Subscriber['replay']>[0][number]

/** Sends pages of the log until they end, or end inside the window. */
async function replayLog(
  subscriber: Subscriber,
  from: Place,
  pages: AsyncIterable<HistoryPage>,
  recent: Recent,
): Promise<Place> {
  let { position } = from
  let read = false
  for await (const page of pages) {
    read = true
    position = page.end
    let events: PastEvent[] = []
    let bytes = 0
    for (const entry of page.entries) {
      const { update } = entry
      if (!subscriber.accepts(update)) continue
      const event = toSend(entry.event ?? encodeEvent(update))
      events.push({ event, update })
      bytes += event.byteLength
      if (bytes < bytesPerStep) continue
      subscriber.replay(events)
      await subscriber.drained()
      if (subscriber.state !== 'replaying') return {}
      events = []
      bytes = 0
    }
    subscriber.replay(events)
    if (recent.placeAfterPosition(position) !== undefined) break
    await subscriber.drained()
    if (subscriber.state !== 'replaying') return {}
  }
  if (position === undefined) return { window: from.window }
  let window = recent.placeAfterPosition(position)
  if (window === undefined && !read) {
    // The log ends here, but its end has not been delivered to this hub yet.
    await recent.appended()
    window = recent.placeAfterPosition(position)
  }
  return { window, position }
}

/** Sends the next step of the window. */
function replayWindow(subscriber: Subscriber, from: number, recent: Recent): Place {
  const events: PastEvent[] = []
  let bytes = 0
  let window = from
  let position: string | undefined
  const end = Math.min(recent.end, from + entriesPerStep)
  while (window < end && bytes < bytesPerStep) {
    const entry = recent.at(window++)
    position = entry.position
    if (!subscriber.accepts(entry.update)) continue
    events.push(entry)
    bytes += entry.event.byteLength
  }
  subscriber.replay(events)
  return { window, position }
}

/** For a reader that the window has overtaken. `undefined`: there is no log, or none that goes back so far, and what it missed is gone. */
async function returnToLog(
  subscriber: Subscriber,
  { position }: Place,
  { history }: Past,
  signal: AbortSignal,
): Promise<History | undefined> {
  if (history === undefined) return undefined
  const from = position === undefined ? earliest : { position }
  const log = await history(from, { ...hint(subscriber.matchers), signal })
  return log.found ? log : undefined
}

/** The topics that alone can match, where every matcher is an exact one. */
function hint(matchers: readonly Matcher[]): { topics?: ReadonlySet<string> } {
  if (!matchers.every(matcher => matcher.exact && !matcher.everything)) return {}
  return { topics: new Set(matchers.map(({ pattern }) => pattern)) }
}
