import type { HistoryPage } from '../../src/transport.ts'
import { overtaken } from '../backend/refusals.ts'
import { columns, decodeRow, type NumberedUpdate, toText } from './entry.ts'
import { positionOf, type Timeline } from './position.ts'
import type { Row, Session, Statement } from './session.ts'
import type { Tables } from './tables.ts'

/** The update that reaches the bytes is the last one. */
export interface Bounds {
  readonly entries: number
  readonly bytes: number
}

const pageBounds: Bounds = { entries: 1000, bytes: 512 * 1024 }
/** Updates looked at by the server for one page where few have the topics. */
const updatesPerPart = 20_000
const answerMs = 15_000

interface Range {
  readonly after: number
  readonly upTo: number
  readonly topics?: readonly string[] | undefined
}

/**
 * The updates after a number, up to and with another, oldest first, as many as the bounds allow.
 * @throws Failure
 */
export async function readUpdates(session: Session, range: Range, bounds: Bounds): Promise<NumberedUpdate[]> {
  return (await readRows(session, range, bounds)).map(decodeRow)
}

/** The same, and the id of the update with that number, as its column has it, if there is one and updates follow. @throws Failure */
export async function readOn(
  session: Session,
  range: Range,
  bounds: Bounds,
): Promise<{ updates: NumberedUpdate[]; idBefore: string | undefined }> {
  const rows = await readRows(session, range, bounds)
  return { updates: rows.map(decodeRow), idBefore: rows[0]?.at(-1) ?? undefined }
}

async function readRows(session: Session, range: Range, { entries, bytes }: Bounds): Promise<readonly Row[]> {
  const { after, upTo, topics } = range
  const filter = topics === undefined ? '' : 'AND topics && $5'
  const source = `WHERE number > $1 AND number <= $2 ${filter} ORDER BY number`
  const statement = {
    name: topics === undefined ? 'read' : 'read topics',
    text: within(session.tables, source, ''),
  }
  const values = [after, upTo, entries, bytes, ...(topics === undefined ? [] : [topics])]
  return await session.query(statement, values, answerMs)
}

/** The newest updates up to a number, oldest first. @throws Failure */
export async function readNewest(session: Session, upTo: number, bounds: Bounds): Promise<NumberedUpdate[]> {
  const pages: NumberedUpdate[][] = []
  const text = within(session.tables, 'WHERE number > $1 AND number <= $2 ORDER BY number DESC', 'DESC')
  let { entries, bytes } = bounds
  for (let end = upTo; entries > 0 && bytes > 0; ) {
    const values = [0, end, Math.min(entries, pageBounds.entries), Math.min(bytes, pageBounds.bytes)]
    const page = (await session.query({ text }, values, answerMs)).map(decodeRow).reverse()
    if (page.length === 0) break
    pages.push(page)
    entries -= page.length
    bytes -= page.reduce((sum, { update }) => sum + Buffer.byteLength(update.data), 0)
    end = page[0]!.number - 1
  }
  return pages.reverse().flat()
}

/** Of what `source` finds, $3 updates at most, and no more after those that reach $4 bytes. */
const within = ({ updates }: Tables, source: string, direction: '' | 'DESC'): string => `
  SELECT ${columns}, (SELECT id FROM ${updates} WHERE number = $1) FROM (
    SELECT *, coalesce(sum(octet_length(data)) OVER (
      ORDER BY number ${direction} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
    FROM (SELECT * FROM ${updates} ${source} LIMIT $3) AS found
  ) AS sized WHERE bytes_before < $4 ORDER BY number ${direction}`

/** The number of the earliest update with an id. @throws Failure */
export async function findId(session: Session, id: string): Promise<number | undefined> {
  const statement = {
    name: 'find',
    text: `SELECT number FROM ${session.tables.updates} WHERE hashtextextended(id, 0) = hashtextextended($1, 0) AND id = $1
      ORDER BY hashtextextended(id, 0), number LIMIT 1`,
  }
  return readNumber(session, statement, [toText(id)])
}

/** The number of the oldest update, and that of the newest; `undefined`: there is none. @throws Failure */
export const findFirst = (session: Session): Promise<number | undefined> =>
  readNumber(session, { name: 'first', text: `SELECT min(number) FROM ${session.tables.updates}` })

export const findLast = (session: Session): Promise<number | undefined> =>
  readNumber(session, { name: 'last', text: `SELECT max(number) FROM ${session.tables.updates}` })

/** Nothing that followed this number has been removed. @throws Failure */
export async function isComplete(session: Session, after: number): Promise<boolean> {
  const text = `SELECT number FROM ${session.tables.updates} WHERE number = $1`
  if ((await readNumber(session, { name: 'at', text }, [after])) !== undefined) return true
  const first = await findFirst(session)
  return first === undefined || first <= after + 1
}

async function readNumber(
  session: Session,
  statement: Statement,
  values: readonly unknown[] = [],
): Promise<number | undefined> {
  const [row] = await session.query(statement, values, answerMs)
  return row?.[0] == null ? undefined : Number(row[0])
}

export interface HistoryRange {
  /** The number before that of the first update. */
  readonly after: number
  /** The number of the last one. */
  readonly upTo: number
  /** Updates with none of them are left out. */
  readonly topics?: ReadonlySet<string> | undefined
}

/** Runs something in a session. */
export type Use = <Result>(read: (session: Session) => Promise<Result>) => Promise<Result>

/**
 * Reads a part of the log in pages; between them nothing is held.
 * @throws Failure; HubError `transport_unavailable` when updates were removed before the reader came to them
 */
export async function* readPages(
  use: Use,
  { after, upTo, topics }: HistoryRange,
  timeline: Timeline,
  signal: AbortSignal,
): AsyncGenerator<HistoryPage> {
  const wanted = topics && [...topics].map(toText)
  const { era } = timeline
  for (let end = after; end < upTo; ) {
    signal.throwIfAborted()
    const page = await use(session => readPage(session, { after: end, upTo, topics: wanted }))
    // A reader that began at the beginning of the log began wherever that was.
    const isGap = end > 0 && page.entries[0]?.number !== end + 1
    if (isGap && !(await use(session => isComplete(session, end)))) throw overtaken()
    if (timeline.era !== era || page.entries.some(entry => isAnother(entry, timeline))) throw overtaken()
    end = page.end
    if (page.entries.length === 0 && end >= upTo) return
    yield {
      entries: page.entries.map(({ number, update, reused }) => ({
        position: positionOf(number, timeline),
        update,
        reused,
      })),
      end: positionOf(end, timeline),
    }
  }
}

/** The log has another update with that number than the one that was delivered, and that has not been noticed yet. */
const isAnother = ({ number, update }: NumberedUpdate, { trail }: Timeline): boolean =>
  trail.has(number, toText(update.id)) === false

/** The next updates, and the number up to which that is all. */
async function readPage(
  session: Session,
  range: { after: number; upTo: number; topics: readonly string[] | undefined },
): Promise<{ entries: readonly NumberedUpdate[]; end: number }> {
  const partEnd = range.topics === undefined ? range.upTo : await findPartEnd(session, range)
  const entries = await readUpdates(session, { ...range, upTo: partEnd }, pageBounds)
  const last = entries.at(-1)?.number ?? partEnd
  if (range.topics === undefined) return { entries, end: last }
  const isFull =
    entries.length === pageBounds.entries ||
    entries.reduce((sum, { update }) => sum + Buffer.byteLength(update.data), 0) >= pageBounds.bytes
  return { entries, end: isFull ? last : partEnd }
}

async function findPartEnd(session: Session, { after, upTo }: { after: number; upTo: number }): Promise<number> {
  const text = `SELECT max(number) FROM (
    SELECT number FROM ${session.tables.updates} WHERE number > $1 AND number <= $2 ORDER BY number LIMIT ${updatesPerPart}) AS part`
  return (await readNumber(session, { name: 'part', text }, [after, upTo])) ?? upTo
}
