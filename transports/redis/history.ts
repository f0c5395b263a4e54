import type { HistoryPage, LogEntry } from '../../src/transport.ts'
import { overtaken } from '../backend/refusals.ts'
import { answered, type Client } from './client.ts'
import { decodeEntry, type NumberedEntry, type StreamEntry } from './entry.ts'
import { beginning, isAfter, type Keys } from './keys.ts'
import { find, run } from './scripts.ts'

/** The entry that reaches the bytes is the last one of a page. */
const pageBounds = { entries: 1000, bytes: 512 * 1024 }
const answerMs = 10_000

/** The position of the earliest update with an id. @throws Failure */
export async function findId(client: Client, keys: Keys, id: string): Promise<string | undefined> {
  return ((await answered(client, run(client, find, keys, [id]), answerMs)) as string | null) ?? undefined
}

/** The position of the newest update that is there. @throws Failure */
export async function findEnd(client: Client, keys: Keys): Promise<string> {
  const [newest] = await answered(client, client.xrevrange(keys.heads, '+', '-', 'COUNT', 1), answerMs)
  return newest?.[0] ?? beginning
}

/** The position of the oldest update that is there. @throws Failure */
export async function findOldest(client: Client, keys: Keys): Promise<string | undefined> {
  const [oldest] = await answered(client, client.xrange(keys.heads, '-', '+', 'COUNT', 1), answerMs)
  return oldest?.[0]
}

/** Whether an update of a hub is, or was, at a position. @throws Failure */
export async function hasPosition(client: Client, keys: Keys, position: string): Promise<boolean> {
  return (await answered(client, client.xrange(keys.heads, position, position), answerMs)).length > 0
}

/** Where an update is, and how large. */
interface Head {
  readonly position: string
  readonly bytes: number
}

export interface HistoryRange {
  /** The position of the entry before the first one. */
  readonly after: string
  /** The position of the last one. */
  readonly upTo: string
  /** What leaves the log before it is read is passed over. */
  readonly mayMiss?: boolean
}

/**
 * Reads a part of the log in pages. Redis knows no bound in bytes: the heads tell how far a page may go.
 * @throws Failure; HubError `transport_unavailable` when entries were removed before the reader came to them
 */
export async function* readPages(
  connected: () => Promise<Client>,
  keys: Keys,
  { after, upTo, mayMiss = false }: HistoryRange,
  signal: AbortSignal,
): AsyncGenerator<HistoryPage> {
  let end = after
  let heads: readonly Head[] = []
  while (isAfter(upTo, end)) {
    signal.throwIfAborted()
    const client = await connected()
    if (heads.length === 0) heads = await readHeads(client, keys, end, upTo)
    const count = countWithin(heads, pageBounds.bytes)
    if (count === 0) return
    const last = heads[count - 1]!.position
    const page = heads.slice(0, count)
    heads = heads.slice(count)
    const [entries, oldest] = await Promise.all([readEntries(client, keys, page), findOldest(client, keys)])
    if (!mayMiss && end !== beginning && (oldest === undefined || isAfter(oldest, end))) throw overtaken()
    end = last
    yield { entries: entries.map(toLogEntry), end }
  }
}

/** The newest entries up to a position, oldest first. @throws Failure */
export async function readNewest(
  client: Client,
  keys: Keys,
  upTo: string,
  bounds: { entries: number; bytes: number },
): Promise<NumberedEntry[]> {
  const pages: NumberedEntry[][] = []
  let left = bounds
  let before = upTo
  while (left.entries > 0 && left.bytes > 0 && before !== beginning) {
    const limit = Math.min(pageBounds.entries, left.entries)
    const rows = await answered(client, client.xrevrange(keys.heads, before, '-', 'COUNT', limit), answerMs)
    const heads = rows.map(toHead)
    const count = countWithin(heads, Math.min(pageBounds.bytes, left.bytes))
    if (count === 0) break
    const page = heads.slice(0, count).reverse()
    pages.push(await readEntries(client, keys, page))
    const bytes = page.reduce((sum, head) => sum + head.bytes, 0)
    left = { entries: left.entries - count, bytes: left.bytes - bytes }
    before = `(${page[0]!.position}`
  }
  return pages.reverse().flat()
}

async function readHeads(client: Client, keys: Keys, after: string, upTo: string): Promise<Head[]> {
  const rows = client.xrange(keys.heads, `(${after}`, upTo, 'COUNT', pageBounds.entries)
  return (await answered(client, rows, answerMs)).map(toHead)
}

const toHead = ([position, fields]: [string, string[]]): Head => ({ position, bytes: Number(fields[3]) })

/** How many entries from the first on reach so many bytes. */
function countWithin(heads: readonly Head[], maxBytes: number): number {
  let bytes = 0
  const last = heads.findIndex(head => {
    bytes += head.bytes
    return bytes >= maxBytes
  })
  return last < 0 ? heads.length : last + 1
}

/** The entries of these heads, of which there is one at least; what stands between them is nobody's. */
async function readEntries(client: Client, keys: Keys, heads: readonly Head[]): Promise<NumberedEntry[]> {
  const positions = new Set(heads.map(({ position }) => position))
  const range = client.xrangeBuffer(keys.log, heads[0]!.position, heads.at(-1)!.position)
  const rows = (await answered(client, range, answerMs)) as unknown as StreamEntry[]
  return rows.map(decodeEntry).filter(entry => entry !== undefined && positions.has(entry.position)) as NumberedEntry[]
}

const toLogEntry = ({ number: _, ...entry }: NumberedEntry): LogEntry => entry
