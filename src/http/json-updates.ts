import { HubError, quote } from '../errors.ts'
import type { UpdateFields } from '../protocol/update.ts'
import { readMembers } from '../protocol/update-members.ts'

/** How updates are written in a body that is no form. */
export type JsonFormat = 'json' | 'ndjson'

/** What one body brings: an update by itself, or a batch, each as its fields or as what is wrong with it. */
export type JsonUpdates =
  | { readonly kind: 'one'; readonly fields: UpdateFields }
  | { readonly kind: 'batch'; readonly updates: readonly (UpdateFields | HubError)[] }

/** Updates of a batch. */
const maxUpdates = 1000

/** `undefined`: no format of updates. */
export const jsonFormatOf = (mediaType: string | undefined): JsonFormat | undefined =>
  mediaType === 'application/x-ndjson' ? 'ndjson' : mediaType === 'application/json' ? 'json' : undefined

/**
 * Reads a JSON object, an array of them, or lines of one each; empty lines are none.
 * @throws HubError `body_malformed`, `updates_too_many`; of one update by itself what is wrong with it
 */
export function readJsonUpdates(body: Uint8Array, format: JsonFormat): JsonUpdates {
  const text = decode(body)
  if (format === 'ndjson') return { kind: 'batch', updates: readLines(text) }
  const value = parse(text)
  if (value === undefined) throw new HubError('body_malformed', 'The body is not JSON.')
  if (!Array.isArray(value)) return { kind: 'one', fields: readFields(value) }
  requireFew(value.length)
  return { kind: 'batch', updates: value.map(item => attempt(() => readFields(item))) }
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new HubError('body_malformed', 'The body is not UTF-8, as JSON is.')
  }
}

function readLines(text: string): (UpdateFields | HubError)[] {
  const lines = text.split('\n').filter(line => line.trim() !== '')
  requireFew(lines.length)
  const values = lines.map(parse)
  if (values.every(value => value === undefined)) {
    throw new HubError('body_malformed', 'No line of the body is JSON.', {
      mend: 'Send one object a line; curl keeps the line breaks of a file with --data-binary.',
    })
  }
  return values.map(value =>
    value === undefined ? new HubError('body_malformed', 'This line is not JSON.') : attempt(() => readFields(value)),
  )
}

function requireFew(count: number): void {
  if (count <= maxUpdates) return
  throw new HubError('updates_too_many', `A body has at most ${maxUpdates} updates, this one has more.`, {
    mend: 'Send several.',
  })
}

const memberNames: ReadonlySet<string> = new Set(['topic', 'data', 'id', 'type', 'retry', 'private'])

function readFields(value: unknown): UpdateFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HubError('body_malformed', `An update is a JSON object with ${[...memberNames].join(', ')}.`)
  }
  const stray = Object.keys(value).find(name => !memberNames.has(name))
  if (stray !== undefined) {
    throw new HubError('body_malformed', `An update has no ${quote(stray, 40)}; it has ${[...memberNames].join(', ')}.`)
  }
  const { topic, ...members } = value as Record<string, unknown>
  return readMembers({ topics: topic, ...members })
}

/** `undefined`: not JSON. What is wrong with it is not told: it would quote what nobody else may read in the log. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function attempt<Value>(read: () => Value): Value | HubError {
  try {
    return read()
  } catch (error) {
    if (error instanceof HubError) return error
    throw error
  }
}
