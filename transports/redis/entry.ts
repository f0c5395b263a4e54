import type { Update } from '../../src/protocol/update.ts'
import type { LogEntry } from '../../src/transport.ts'

/** What Redis gives of an entry of a stream: its position, and its fields' names and values by turns. */
export type StreamEntry = readonly [position: Buffer, fields: readonly Buffer[]]

/** An entry, and its number among all that have ever been stored. */
export interface NumberedEntry extends LogEntry {
  readonly number: number
}

/** The fields of an update, names and values by turns, for people as well: `XRANGE mercure - +` shows who published what. */
export function encodeFields({ id, topics, data, type, retry, private: isPrivate }: Update): string[] {
  const fields = ['id', id]
  for (const topic of topics) fields.push('topic', topic)
  fields.push('data', data)
  if (type !== '') fields.push('type', type)
  if (retry !== 0) fields.push('retry', String(retry))
  if (isPrivate) fields.push('private', '1')
  return fields
}

/** `undefined` for an entry that no hub has stored. */
export function decodeEntry([position, fields]: StreamEntry): NumberedEntry | undefined {
  let number = Number.NaN
  let reused = false
  let id: string | undefined
  const topics: string[] = []
  let data: string | undefined
  let type = ''
  let retry = 0
  let isPrivate = false
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1]!.toString()
    switch (fields[i]!.toString('latin1')) {
      case 'number':
        number = Number(value)
        break
      case 'reused':
        reused = true
        break
      case 'id':
        id = value
        break
      case 'topic':
        topics.push(value)
        break
      case 'data':
        data = value
        break
      case 'type':
        type = value
        break
      case 'retry':
        retry = Number(value)
        break
      case 'private':
        isPrivate = true
    }
  }
  if (!Number.isSafeInteger(number) || id === undefined || data === undefined || topics.length === 0) return undefined
  const place = position.toString('latin1')
  return {
    number,
    reused,
    position: place,
    // Redis makes its marks of its clock.
    storedAt: Number.parseInt(place, 10),
    update: { id, topics, data, type, retry, private: isPrivate },
  }
}
