import { z } from 'zod'
import { HubError } from '../errors.ts'
import { earliest, maxTopicsPerUpdate, type Update } from '../protocol/update.ts'

/** One update of an export, as a line of JSON. */
export interface ExportedUpdate {
  readonly update: Update
  /** Milliseconds since 1970; `undefined`: not known. */
  readonly timeMs: number | undefined
}

/** A line of an export without its line break: every field of the update, and `time` where it is known. */
export function formatLine({ update, timeMs }: ExportedUpdate): string {
  const { id, topics, type, retry, private: isPrivate, data } = update
  const time = timeMs === undefined ? {} : { time: new Date(timeMs).toISOString() }
  return JSON.stringify({ id, topics, type, retry, private: isPrivate, data, ...time })
}

/** What no id and no type may hold: they are lines of an event stream. */
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
 * Reads a line of an export. `id` and `topics` are required, the other fields may be left out.
 * @throws HubError `configuration_invalid` whose message is a sentence on the line
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
    throw new HubError('configuration_invalid', 'this is not JSON; there has to be one object a line.')
  }
}
