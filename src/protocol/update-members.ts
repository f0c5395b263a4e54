import { HubError } from '../errors.ts'
import type { UpdateFields } from './update.ts'

/** An update as a program writes it: of each member only the type is known to be right when it has been looked at. Absent, or `null`: by default. */
export interface UpdateMembers {
  /** One topic, or a list of them. */
  readonly topics: unknown
  readonly data?: unknown
  readonly id?: unknown
  readonly type?: unknown
  readonly retry?: unknown
  readonly private?: unknown
}

/**
 * The fields of an update whose members are values, not text of a form.
 * @throws HubError `body_malformed`, `topic_invalid`, `id_invalid`, `type_invalid`, `data_invalid`, `retry_invalid`
 */
export function readMembers(members: UpdateMembers): UpdateFields {
  const topics = members.topics ?? []
  const data = members.data ?? ''
  const id = members.id ?? ''
  const type = members.type ?? ''
  const retry = members.retry ?? null
  const isPrivate = members.private ?? false
  const list: unknown = typeof topics === 'string' ? [topics] : topics
  if (!isListOfTexts(list)) throw new HubError('topic_invalid', 'A topic is not a string.')
  if (typeof data !== 'string') {
    throw new HubError('data_invalid', '"data" is not a string: give JSON.stringify of it.')
  }
  if (typeof id !== 'string') throw new HubError('id_invalid', '"id" is not a string.')
  if (typeof type !== 'string') throw new HubError('type_invalid', '"type" is not a string.')
  if (retry !== null && typeof retry !== 'number') {
    throw new HubError('retry_invalid', '"retry" is not a number: give whole milliseconds.')
  }
  // In a form it says "on": what is meant to be private is not to become public by that.
  if (typeof isPrivate !== 'boolean') {
    throw new HubError('body_malformed', '"private" is not a boolean: give true or false.')
  }
  const texts = { topic: list, data: [data], id: [id], type: [type] }
  const notUtf8 = Object.entries(texts).filter(([, values]) => !values.every(value => value.isWellFormed()))
  return {
    topics: list.map(wellFormed),
    data: wellFormed(data),
    id: wellFormed(id),
    type: wellFormed(type),
    retry: retry === null ? '' : String(retry),
    private: isPrivate,
    notUtf8: new Set(notUtf8.map(([name]) => name)),
  }
}

const isListOfTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every(item => typeof item === 'string')

/** As in a form, U+FFFD stands for what is no text; generation 1.0 refuses it. */
const wellFormed = (text: string): string => text.toWellFormed()
