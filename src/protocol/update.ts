import { HubError, quote } from '../errors.ts'
import { findIdFlaw, maxIdBytes } from './event-id.ts'
import type { Generation } from './generation.ts'
import { hasForbiddenCharacters, isReserved, referencesReserved } from './topic.ts'

/** What a publisher sends: one event of the log. */
export interface Update {
  readonly id: string
  /** The first is the canonical topic, the others are alternates. Never empty. */
  readonly topics: readonly string[]
  readonly data: string
  /** The event's type; empty: none. */
  readonly type: string
  /** Reconnection time for clients, in milliseconds; 0: none. */
  readonly retry: number
  /** Delivered only to subscribers whose token grants one of the topics. */
  readonly private: boolean
}

/** The fields of a publish request as they arrived, decoded but unchecked. */
export interface UpdateFields {
  readonly topics: readonly string[]
  readonly data: string
  readonly id: string
  readonly type: string
  readonly retry: string
  readonly private: boolean
  /** Names of the fields whose bytes were not valid UTF-8. */
  readonly notUtf8: ReadonlySet<string>
}

export const maxTopicsPerUpdate = 1000

/** The cursor that stands for the beginning of the log; generation 1.0 refuses it as an id. */
export const earliest = 'earliest'

/** The event type of subscription events, reserved for the hub in generation 1.0. */
export const hubEventType = 'mercure'

/**
 * Checks the topics and `retry`: what has to be right before anybody asks whether the token may publish there. `setting` is what
 * configures `maxTopics`, if anything does.
 * @throws HubError `topic_missing`, `topics_too_many`, `topic_invalid`, `retry_invalid`
 */
export function checkAddress(
  fields: UpdateFields,
  generation: Generation,
  maxTopics: number = maxTopicsPerUpdate,
  setting?: string,
): void {
  const { topics } = fields
  if (topics.length === 0) {
    throw new HubError('topic_missing', 'Missing "topic" parameter: an update needs at least one.', { generation })
  }
  if (topics.length > maxTopics) {
    const most = setting === undefined ? `${maxTopics}` : `${maxTopics} (${setting})`
    throw new HubError('topics_too_many', `too many topics in update: ${topics.length}, at most ${most}.`, {
      generation,
    })
  }
  if (generation === '1.0') {
    if (fields.notUtf8.has('topic')) {
      throw new HubError('topic_invalid', 'a "topic" is not valid UTF-8.', { generation })
    }
    for (const topic of topics) {
      if (hasForbiddenCharacters(topic)) {
        throw new HubError('topic_invalid', `${quote(topic)}: topic contains a forbidden control character.`, {
          generation,
        })
      }
    }
  }
  readRetry(fields.retry, generation)
}

/**
 * Checks what is left and makes the update, with the id that `createId` gives where the publisher gave none.
 * @throws HubError `topic_reserved`, `topic_wildcard`, `id_invalid`, `type_invalid`, `data_invalid`
 */
export function createUpdate(fields: UpdateFields, generation: Generation, createId: () => string): Update {
  for (const topic of fields.topics) checkTopic(topic, generation)
  checkId(fields, generation)
  checkType(fields, generation)
  if (generation === '1.0' && fields.notUtf8.has('data')) {
    throw new HubError('data_invalid', '"data" is not valid UTF-8: encode binary data, for example as base64.', {
      generation,
    })
  }
  return {
    id: fields.id === '' ? createId() : fields.id,
    topics: fields.topics,
    data: fields.data,
    type: fields.type,
    retry: readRetry(fields.retry, generation),
    private: fields.private,
  }
}

function checkTopic(topic: string, generation: Generation): void {
  if (generation === '0.x') {
    if (!referencesReserved(topic)) return
    throw new HubError(
      'topic_reserved',
      `${quote(topic)}: topic references the "/.well-known/mercure" namespace, which is the hub's own.`,
      { generation },
    )
  }
  if (isReserved(topic)) {
    throw new HubError(
      'topic_reserved',
      `${quote(topic)}: topic resolves into the "/.well-known/mercure" namespace, which is the hub's own.`,
      { generation },
    )
  }
  if (topic === '*') {
    throw new HubError('topic_wildcard', '"*" is the matcher of every topic and cannot be published to.', {
      generation,
    })
  }
}

function checkId({ id, notUtf8 }: UpdateFields, generation: Generation): void {
  if (id === '') return
  checkCursor(id, generation)
  if (generation === '0.x') return
  if (notUtf8.has('id')) throw new HubError('id_invalid', '"id" is not valid UTF-8.', { generation })
  if (hasForbiddenCharacters(id)) {
    throw new HubError('id_invalid', '"id" contains a forbidden control character.', { generation })
  }
  if (id.startsWith('#')) throw new HubError('id_invalid', '"id" starts with "#", which is reserved.', { generation })
  if (id === earliest) {
    throw new HubError('id_invalid', `"id" is "${earliest}", which is the cursor of the whole history.`, { generation })
  }
}

/** Its subscribers send the id back when they reconnect. */
function checkCursor(id: string, generation: Generation): void {
  // A character has a byte at least: what is longer need not be encoded.
  const flaw = id.length > maxIdBytes ? 'is too long' : findIdFlaw(utf8.encode(id))
  if (flaw === undefined) return
  const bound = flaw === 'is too long' ? ` (at most ${maxIdBytes} bytes in UTF-8)` : ''
  throw new HubError(
    'id_invalid',
    `"id" ${flaw}${bound}: the header Last-Event-ID, with which subscribers reconnect, could not carry it.`,
    { generation, mend: 'Send another one, or none: the hub then makes it.' },
  )
}

const utf8 = new TextEncoder()

function checkType({ type, notUtf8 }: UpdateFields, generation: Generation): void {
  if (generation === '0.x') {
    if (/[\r\n\0]/.test(type)) throw new HubError('type_invalid', '"type" contains a CR, LF or NUL.', { generation })
    return
  }
  if (notUtf8.has('type')) throw new HubError('type_invalid', '"type" is not valid UTF-8.', { generation })
  if (hasForbiddenCharacters(type)) {
    throw new HubError('type_invalid', '"type" contains a forbidden control character.', { generation })
  }
  if (type === hubEventType) {
    throw new HubError('type_invalid', `"type" is "${hubEventType}", which the hub keeps for subscription events.`, {
      generation,
    })
  }
}

function readRetry(text: string, generation: Generation): number {
  if (text === '') return 0
  const retry = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(retry)) return retry
  throw new HubError(
    'retry_invalid',
    `Invalid "retry" parameter: a whole number of milliseconds is expected, ${Number.MAX_SAFE_INTEGER} at most.`,
    {
      generation,
    },
  )
}
