import type { MatcherKind } from '../protocol/matcher.ts'
import { createSubscriptions, type Subscription, subscriptionEvent } from '../protocol/subscription.ts'
import type { Update } from '../protocol/update.ts'
import type { Subscriber } from './subscriber.ts'
import { createUpdateId } from './update-id.ts'

/** Who is subscribed to what, announced as it changes by updates of the log that only granted subscribers receive. */
export class Presence {
  readonly #announce: (update: Update) => void
  readonly #bySubscriber = new Map<string, readonly Subscription[]>()

  /** `announce` stores an update; it is called in the order of changes and deals with failure itself. */
  constructor(announce: (update: Update) => void) {
    this.#announce = announce
  }

  add({ id, matchers, grant }: Subscriber): void {
    const subscriptions = createSubscriptions(id, matchers, grant)
    this.#bySubscriber.set(id, subscriptions)
    for (const subscription of subscriptions) this.#announce(subscriptionEvent(subscription, createUpdateId()))
  }

  remove({ id }: Subscriber): void {
    for (const subscription of this.#bySubscriber.get(id) ?? []) {
      this.#announce(subscriptionEvent({ ...subscription, active: false }, createUpdateId()))
    }
    this.#bySubscriber.delete(id)
  }

  find(subscriber: string, kind: MatcherKind, pattern: string): Subscription | undefined {
    return this.#bySubscriber.get(subscriber)?.find(s => s.kind === kind && s.pattern === pattern)
  }

  list(wanted: (subscription: Subscription) => boolean): Subscription[] {
    return [...this.#bySubscriber.values()].flat().filter(wanted)
  }
}
