import { z } from 'zod'
import { HubError } from '../errors.ts'
import { maxTopicsPerUpdate, type Update } from '../protocol/update.ts'
import { printable } from './printable.ts'

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
  const shownData =
    data.length > 60
      ? `${printable(data.slice(0, 60))}… (${data.length.toLocaleString('en')} characters)`
      : printable(data)
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

/** What UTF-8 cannot say would be stored as something else. */
const text = z.string().refine(value => value.isWellFormed(), 'must not contain half of a surrogate pair')
/** Ids and types are lines of an event stream. */
const line = text.regex(/^[^\r\n\0]*$/, 'must not contain CR, LF or NUL')
/** What a log may hold, and so its exports: more than may be published. Ids that no header brings back are left out where updates are delivered. */
const schema = z.strictObject({
  id: line.min(1),
  topics: z.array(text).min(1).max(maxTopicsPerUpdate),
  data: text.default(''),
  type: line.default(''),
  retry: z.int().min(0).default(0),
  private: z.boolean().default(false),
  time: z.iso
    .datetime({ offset: true })
    .refine(time => Date.parse(time) >= 0, 'must not be before 1970')
    .optional(),
})

/**
 * Reads a line of an export. It has an `id` and `topics`; what else it leaves out is empty, public, and stored now.
 * @returns `undefined` for an empty line
 * @throws HubError `configuration_invalid` with a sentence on what is wrong with the line
 */
export function parseLine(bytes: Uint8Array): ExportedUpdate | undefined {
  const json = decode(bytes)
  if (json.trim() === '') return undefined
  const result = schema.safeParse(parseJson(json))
  if (!result.success) {
    const { path, message } = result.error.issues[0]!
    throw new HubError('configuration_invalid', `${path.length === 0 ? 'the update' : path.join('.')}: ${message}.`)
  }
  const { time, ...update } = result.data
  return { update, timeMs: time === undefined ? undefined : Date.parse(time) }
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new HubError('configuration_invalid', 'this is not UTF-8.')
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new HubError('configuration_invalid', 'this is not JSON; each line is one object.')
  }
}
