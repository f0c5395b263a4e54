import { createUpdateId } from '../hub/update-id.ts'
import { checkAddress, createUpdate, type Update } from '../protocol/update.ts'
import { readMembers } from '../protocol/update-members.ts'
import { requireKeys } from './keys.ts'

/** An update as an application writes it. */
export interface NewUpdate {
  /** The first is the canonical topic, the others are alternates; 1,000 at most. */
  readonly topics: string | readonly string[]
  /** Text; objects go through `JSON.stringify`. Default: empty. */
  readonly data?: string | undefined
  /** Default: a new `urn:uuid:`. */
  readonly id?: string | undefined
  /** The event's type. Default: none. */
  readonly type?: string | undefined
  /** How long clients wait before they reconnect, in whole milliseconds. Default: as they do. */
  readonly retry?: number | undefined
  /** Only for subscribers whose token grants one of the topics. Default: false. */
  readonly private?: boolean | undefined
}

const updateKeys: readonly (keyof NewUpdate)[] = ['topics', 'data', 'id', 'type', 'retry', 'private']

/**
 * Checks an update by the rules of generation 1.0, and gives it an id where it has none.
 * @throws HubError `body_malformed`, `topic_*`, `topics_too_many`, `id_invalid`, `type_invalid`, `data_invalid`, `retry_invalid`
 */
export function readUpdate(given: NewUpdate): Update {
  requireKeys(given, updateKeys, 'An update')
  const fields = readMembers(given)
  checkAddress(fields, '1.0')
  return createUpdate(fields, '1.0', createUpdateId)
}
