import { z } from 'zod'
import { HubError } from '../errors.ts'
import { earliest, maxTopicsPerUpdate, type Update } from '../protocol/update.ts'

/** An update of a log as tools see it. */
export interface ExportedUpdate {
  readonly update: Update
  /** When it was stored, in milliseconds since 1970; `undefined`: not known. */
  readonly timeMs: number | undefined
}

/** A line of an export, without its line break: every field of the update, and `time` where it is known. */
export function formatLine({ update, timeMs }: ExportedUpdate): string {
  const { id, topics, type, retry, private: isPrivate, data } = update
  const time = timeMs === undefined ? {} : { time: new Date(timeMs).toISOString() }
  return JSON.stringify({ id, topics, type, retry, private: isPrivate, data, ...time })
}

/** An update for people, on one line: its time, id and topics, whether it is private, and how its data begins. */
export function formatRow({ update, timeMs }: ExportedUpdate): string {
  const { id, topics, type, private: isPrivate, data } = update
  const shownData = data.length > 60 ? `${printable(data.slice(0, 60))}… (${data.length} characters)` : printable(data)
  const parts = [
    timeMs === undefined ? '-'.padEnd(24) : new Date(timeMs).toISOString(),
    printable(id),
    topics.map(printable).join(' '),
    ...(isPrivate ? ['private'] : []),
    ...(type === '' ? [] : [`type=${printable(type)}`]),
    shownData,
  ]
  return parts.join('  ')
}

/** A publisher's text is shown, and does nothing to the terminal. */
const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, character => {
    const code = character.codePointAt(0)!.toString(16)
    return character === '\n' ? '\\n' : `\\u{${code}}`
  })

/** Ids and types are lines of an event stream. */
const line = z.string().regex(/^[^\r\n\0]*$/, 'must not contain CR, LF or NUL')
const schema = z.strictObject({
  id: line.min(1).refine(id => id !== earliest, `must not be "${earliest}", which is the cursor of the whole history`),
  topics: z.array(z.string()).min(1).max(maxTopicsPerUpdate),
  data: z.string().default(''),
  type: line.default(''),
  retry: z.int().min(0).default(0),
  private: z.boolean().default(false),
  time: z.iso.datetime({ offset: true }).optional(),
})

/**
 * Reads a line of an export. It has an `id` and `topics`; what else it leaves out is empty, public, and stored now.
 * @throws HubError `configuration_invalid` with a sentence on what is wrong with the line
 */
export function parseLine(text: string): ExportedUpdate {
  const result = schema.safeParse(parseJson(text))
  if (!result.success) {
    const { path, message } = result.error.issues[0]!
    throw new HubError('configuration_invalid', `${path.length === 0 ? 'the update' : path.join('.')}: ${message}.`)
  }
  const { time, ...update } = result.data
  return { update, timeMs: time === undefined ? undefined : Date.parse(time) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new HubError('configuration_invalid', 'this is not JSON; each line is one object.')
  }
}
