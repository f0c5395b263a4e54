import type { Update } from '../../src/protocol/update.ts'
import { type EncodedRecord, encodeRecord, type StoredRecord } from './records.ts'

/** An update at its place in the log. */
export interface PlacedUpdate {
  readonly offset: number
  readonly timeMs: number
  readonly update: Update
  /** Messages up to this offset of theirs were sent before it. */
  readonly after: number | undefined
}

/** The data are the record's value, and the rest its headers: any consumer of the topic can read them. */
export function encodeUpdate({ id, topics, data, type, retry, private: isPrivate }: Update): EncodedRecord {
  const headers: [string, string][] = [['id', id], ...topics.map((topic): [string, string] => ['topic', topic])]
  if (type !== '') headers.push(['type', type])
  if (retry !== 0) headers.push(['retry', String(retry)])
  if (isPrivate) headers.push(['private', '1'])
  return encodeRecord(Buffer.from(data), headers)
}

/** Adds what was sent before the update. */
export function encodeAfter(record: EncodedRecord, messageOffset: number): EncodedRecord {
  const { headers } = encodeRecord(new Uint8Array(), [['after', String(messageOffset)]])
  return { ...record, headerCount: record.headerCount + 1, headers: Buffer.concat([record.headers, headers]) }
}

/** `undefined` for a record that no hub has stored. */
export function decodeUpdate({ offset, timeMs, value, headers }: StoredRecord): PlacedUpdate | undefined {
  let id: string | undefined
  const topics: string[] = []
  let type = ''
  let retry = 0
  let isPrivate = false
  let after: number | undefined
  for (const [name, bytes] of headers) {
    switch (name) {
      case 'id':
        id = bytes.toString()
        break
      case 'topic':
        topics.push(bytes.toString())
        break
      case 'type':
        type = bytes.toString()
        break
      case 'retry':
        retry = Number(bytes.toString())
        break
      case 'private':
        isPrivate = true
        break
      case 'after':
        after = Number(bytes.toString())
    }
  }
  if (id === undefined || value === undefined || topics.length === 0) return undefined
  return { offset, timeMs, after, update: { id, topics, data: value.toString(), type, retry, private: isPrivate } }
}

export function readId({ headers }: StoredRecord): string | undefined {
  return headers.find(([name]) => name === 'id')?.[1].toString()
}
