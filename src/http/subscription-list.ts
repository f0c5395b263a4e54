import { hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Subscription } from '../protocol/subscription.ts'

type Condition = (subscription: Subscription) => boolean

/** What one turn of the event loop does of a list that may be very long: so many are looked at, or so many are written out. */
const seenPerTurn = 5000
const writtenPerTurn = 200

/** Those that are wanted, in batches that take a turn of the event loop each. */
export async function* selectSubscriptions(
  all: Iterable<Subscription>,
  isWanted: Condition,
  batchSize: number = writtenPerTurn,
): AsyncGenerator<readonly Subscription[], void> {
  let batch: Subscription[] = []
  let seen = 0
  for (const subscription of all) {
    seen++
    if (isWanted(subscription)) batch.push(subscription)
    if (batch.length < batchSize && seen < seenPerTurn) continue
    yield batch
    batch = []
    seen = 0
    await nextTurn()
  }
  yield batch
}

export async function countSubscriptions(all: Iterable<Subscription>, isWanted: Condition): Promise<number> {
  let count = 0
  for await (const batch of selectSubscriptions(all, isWanted, seenPerTurn)) count += batch.length
  return count
}

/** Ids that are longer stand in the order of pages by their beginning and a digest: a topic may be as long as a request, and links are headers. */
const longestPlace = 512
const beginning = 400

/** Where an id stands in the order of pages; that of a place is the place itself. */
export const placeOf = (id: string): string =>
  id.length <= longestPlace ? id : `${id.slice(0, beginning)}~${hash('sha256', id, 'base64url')}`

/** Part of a list in the order of ids. */
export interface SubscriptionPage {
  readonly subscriptions: readonly Subscription[]
  /** More follow. */
  readonly hasNext: boolean
}

/**
 * Those that are wanted with the lowest ids after `after`, an id or its place, `limit` of them at most. Who stays subscribed meanwhile is on exactly one page. Nothing is
 * sorted but what may be on this page: of the others each is compared once.
 */
export async function pageSubscriptions(
  all: Iterable<Subscription>,
  isWanted: Condition,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<SubscriptionPage> {
  const lowest: { readonly place: string; readonly subscription: Subscription }[] = []
  const begin = placeOf(after)
  let bound: string | undefined
  const keepLowest = () => {
    lowest.sort((one, other) => (one.place < other.place ? -1 : 1))
    if (lowest.length > limit + 1) lowest.length = limit + 1
    if (lowest.length === limit + 1) bound = lowest.at(-1)!.place
  }
  for await (const batch of selectSubscriptions(all, isWanted, seenPerTurn)) {
    for (const subscription of batch) {
      const place = placeOf(subscription.id)
      if (place > begin && (bound === undefined || place < bound)) lowest.push({ place, subscription })
    }
    if (lowest.length > 2 * limit) keepLowest()
  }
  keepLowest()
  return { subscriptions: lowest.slice(0, limit).map(one => one.subscription), hasNext: lowest.length > limit }
}
