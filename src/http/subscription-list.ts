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

/** Part of a list in the order of ids. */
export interface SubscriptionPage {
  readonly subscriptions: readonly Subscription[]
  /** More follow. */
  readonly hasNext: boolean
}

/**
 * Those that are wanted with the lowest ids after `after`, `limit` of them at most. Who stays subscribed meanwhile is on exactly one page. Nothing is
 * sorted but what may be on this page: of the others each is compared once.
 */
export async function pageSubscriptions(
  all: Iterable<Subscription>,
  isWanted: Condition,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<SubscriptionPage> {
  const lowest: Subscription[] = []
  let bound: string | undefined
  const keepLowest = () => {
    lowest.sort((one, other) => (one.id < other.id ? -1 : 1))
    if (lowest.length > limit + 1) lowest.length = limit + 1
    if (lowest.length === limit + 1) bound = lowest.at(-1)!.id
  }
  const mayBeOnPage: Condition = s => s.id > after && (bound === undefined || s.id < bound) && isWanted(s)
  for await (const batch of selectSubscriptions(all, mayBeOnPage, seenPerTurn)) {
    lowest.push(...batch)
    if (lowest.length > 2 * limit) keepLowest()
  }
  keepLowest()
  return { subscriptions: lowest.slice(0, limit), hasNext: lowest.length > limit }
}
