import type { Hub } from '../hub/hub.ts'
import { createUpdateId } from '../hub/update-id.ts'
import type { Grant } from '../protocol/grant.ts'
import type { UpdateFields } from '../protocol/update.ts'
import { admitUpdate } from './authorize.ts'
import type { RequestBounds } from './bounds.ts'
import { createPublishKey } from './idempotency-key.ts'

export interface Publisher {
  readonly grant: Grant
  /** By which the update is published once, however often it is sent; `undefined`: each time. */
  readonly key: string | undefined
}

export interface Published {
  readonly id: string
  /** It was published before, with the same key. */
  readonly isRepeat: boolean
}

/**
 * Publishes what a publisher has sent, if it may. Those of several calls in one turn are stored in the order of the calls.
 * @throws HubError as `admitUpdate`; `transport_unavailable`, `shutting_down`; `idempotency_key_reused`
 */
export async function publishFields(
  fields: UpdateFields,
  { grant, key }: Publisher,
  { hub, bounds }: { readonly hub: Hub; readonly bounds: RequestBounds },
): Promise<Published> {
  const update = admitUpdate(fields, grant, bounds, createUpdateId)
  if (key === undefined) {
    await hub.publish(update)
    return { id: update.id, isRepeat: false }
  }
  const first = await hub.publishOnce(update, createPublishKey(key, fields, grant))
  return { id: first ?? update.id, isRepeat: first !== undefined }
}
