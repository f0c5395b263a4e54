import type { Update } from '../../src/protocol/update.ts'

/** The fields of an event that `encodeEvent` has written, without its data. */
export interface EventFields extends Pick<Update, 'id' | 'type' | 'retry'> {
  /** Where the text of the first `data` line begins, in bytes. */
  readonly dataStart: number
}

const lineFeed = 0x0a
const dataPrefix = 'data: '
const eventEnd = '\n\n'

/** Reads back the lines before the data. No value has a line break, so that each line is one field. */
export function parseEvent(event: Buffer): EventFields {
  let id = ''
  let type = ''
  let retry = 0
  let at = 0
  while (event[at] !== dataPrefix.charCodeAt(0)) {
    const lineEnd = event.indexOf(lineFeed, at)
    if (lineEnd < 0) throw new RangeError('an event without data')
    const line = event.toString('utf8', at, lineEnd)
    const value = line.slice(line.indexOf(': ') + 2)
    if (line.startsWith('id')) id = value
    else if (line.startsWith('event')) type = value
    else retry = Number(value)
    at = lineEnd + 1
  }
  return { id, type, retry, dataStart: at + dataPrefix.length }
}

/** The data, with LF for every line break. */
export function readData(event: Buffer, { dataStart }: EventFields): string {
  return event.toString('utf8', dataStart, event.length - eventEnd.length).replaceAll(`\n${dataPrefix}`, '\n')
}
