import type { Update } from '../../src/protocol/update.ts'
import type { PublishKey } from '../../src/transport.ts'
import type { Row } from './session.ts'

/** An update with its number in the log. */
export interface NumberedUpdate {
  readonly number: number
  readonly update: Update
  /** An older update of the log has the same id. */
  readonly reused: boolean
  /** When it got its place, in milliseconds since 1970 by the server's clock. */
  readonly timeMs: number
}

/** The columns that `decodeRow` reads, in its order. */
export const columns =
  'number, id, array_to_json(topics), data, type, retry, private, reused, exact, extract(epoch FROM created_at)'

export function decodeRow(row: Row): NumberedUpdate {
  const [number, id, topics, data, type, retry, isPrivate, reused, exact, time] = row as string[]
  const texts: Texts =
    exact == null
      ? { id: id!, topics: JSON.parse(topics!), data: data!, type: type! }
      : JSON.parse(Buffer.from(exact.slice(2), 'hex').toString())
  return {
    number: Number(number),
    update: { ...texts, retry: Number(retry), private: isPrivate === 't' },
    reused: reused === 't',
    timeMs: Math.round(Number(time) * 1000),
  }
}

type Texts = Pick<Update, 'id' | 'topics' | 'data' | 'type'>

/**
 * An update as the functions for appending take it: its columns by name, as JSON. `timeMs`: when it got its place elsewhere; absent: it gets it now.
 * `key`: for the function that knows keys.
 */
export function encodeUpdate(
  { id, topics, data, type, retry, private: isPrivate }: Update,
  { timeMs, key }: { timeMs?: number | undefined; key?: PublishKey | undefined } = {},
): string {
  const memory = key && { key: key.text, fingerprint: key.fingerprint, remember_ms: key.rememberMs }
  const created_at = timeMs === undefined ? undefined : new Date(timeMs).toISOString()
  if (isText(data) && isText(id) && isText(type) && topics.every(isText)) {
    return JSON.stringify({ id, topics, data, type, retry, private: isPrivate, created_at, ...memory })
  }
  return JSON.stringify({
    ...{
      id: toText(id),
      topics: topics.map(toText),
      data: toText(data),
      type: toText(type),
      retry,
      private: isPrivate,
      created_at,
      ...memory,
    },
    exact: `\\x${Buffer.from(JSON.stringify({ id, topics, data, type })).toString('hex')}`,
  })
}

/** PostgreSQL's texts have no NUL, and neither has UTF-8 lone surrogates. */
const isText = (text: string): boolean => !text.includes('\0') && text.isWellFormed()

/** What stands for it in the column: the picture of NUL. */
export const toText = (text: string): string => text.toWellFormed().replaceAll('\0', '\u2400')
