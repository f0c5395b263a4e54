import { v7 as uuidv7 } from 'uuid'
import type { MatcherKind } from '../protocol/matcher.ts'
import { createSubscriptions, type Subscription, subscriptionEvent } from '../protocol/subscription.ts'
import type { Update } from '../protocol/update.ts'
import type { Broadcast } from '../transport.ts'
import { Announcements } from './announcements.ts'
import { Cluster, type ClusterTimes } from './cluster.ts'
import type { Subscriber } from './subscriber.ts'
import { createUpdateId } from './update-id.ts'

export interface PresenceOptions {
  /** Stores an update; it is called in the order of changes. @throws HubError */
  readonly publish: (update: Update) => Promise<void>
  /** How the nodes of this hub speak to each other; `undefined`: there is one. */
  readonly broadcast: Broadcast | undefined
  readonly times: ClusterTimes
  readonly failed: (error: unknown, during: string) => void
}

/** A node of the hub, and who is subscribed there, by subscriber. */
export interface PresentNode {
  readonly id: string
  readonly subscriptions: ReadonlyMap<string, readonly Subscription[]>
}

/** Who is subscribed to what, at all nodes, announced as it changes by updates of the log that only granted subscribers receive. */
export class Presence {
  readonly nodeId: string
  readonly #announcements: Announcements
  /** Those of this node, by subscriber. */
  readonly #own = new Map<string, readonly Subscription[]>()
  /** Those of the other nodes. */
  readonly #cluster: Cluster | undefined

  constructor({ publish, broadcast, times, failed }: PresenceOptions) {
    this.#announcements = new Announcements({ publish, failed })
    if (broadcast === undefined) {
      this.nodeId = uuidv7()
      return
    }
    this.#cluster = new Cluster({
      ...times,
      broadcast,
      own: this.#own,
      announceEnd: subscriptions => this.#announceEnd(subscriptions),
      announceReturn: () => this.#announceAgain(),
      failed,
    })
    this.nodeId = this.#cluster.id
  }

  start(): void {
    this.#cluster?.start()
  }

  /** The other nodes forget what is left here. */
  leave(): void {
    this.#announcements.close()
    this.#cluster?.leave()
  }

  /** The log has delivered an update with this id: perhaps one that announces. */
  delivered(updateId: string): void {
    this.#announcements.delivered(updateId)
  }

  add({ id, matchers, grant }: Subscriber): void {
    const subscriptions = createSubscriptions(id, matchers, grant)
    this.#own.set(id, subscriptions)
    // Before the events: who has read them finds what they say in the list of any node.
    this.#cluster?.changed(id, subscriptions)
    this.#announce(subscriptions)
  }

  remove({ id }: Subscriber): void {
    const subscriptions = this.#own.get(id)
    if (subscriptions === undefined) return
    this.#own.delete(id)
    this.#cluster?.changed(id, null)
    this.#announce(subscriptions.map(ended))
  }

  find(subscriber: string, kind: MatcherKind, pattern: string): Subscription | undefined {
    for (const { subscriptions } of this.nodes) {
      const found = subscriptions.get(subscriber)?.find(s => s.kind === kind && s.pattern === pattern)
      if (found !== undefined) return found
    }
    return undefined
  }

  /**
   * Those of all nodes, one after the other. Who comes or goes between two of them may be missing or there; those who stay are listed once.
   */
  *list(): Generator<Subscription, void> {
    for (const { subscriptions } of this.nodes) for (const list of subscriptions.values()) yield* list
  }

  /** This node, and then the others. */
  get nodes(): readonly [PresentNode, ...PresentNode[]] {
    return [{ id: this.nodeId, subscriptions: this.#own }, ...(this.#cluster?.others ?? [])]
  }

  /** How much of it there is: nodes that are known here, and who is subscribed to how much at all of them. */
  get size(): { readonly nodes: number; readonly subscribers: number; readonly subscriptions: number } {
    let subscribers = 0
    let subscriptions = 0
    for (const node of this.nodes) {
      subscribers += node.subscriptions.size
      for (const list of node.subscriptions.values()) subscriptions += list.length
    }
    return { nodes: this.nodes.length, subscribers, subscriptions }
  }

  #announce(subscriptions: readonly Subscription[]): void {
    for (const subscription of subscriptions) this.#store(subscription)
  }

  /** Those who leave meanwhile are not announced after their end. */
  async #announceAgain(): Promise<void> {
    for (const id of [...this.#own.keys()]) {
      await Promise.all((this.#own.get(id) ?? []).map(subscription => this.#store(subscription)))
    }
  }

  async #announceEnd(subscriptions: readonly Subscription[]): Promise<void> {
    for (let from = 0; from < subscriptions.length; from += announcedAtOnce) {
      const some = subscriptions.slice(from, from + announcedAtOnce)
      await Promise.all(some.map(subscription => this.#store(ended(subscription))))
    }
  }

  #store(subscription: Subscription): Promise<void> {
    // Whose end could not be announced before is not to be announced as active after that.
    const isDue = () => !subscription.active || this.#own.has(subscription.subscriber)
    return this.#announcements.announce(subscriptionEvent(subscription, createUpdateId()), isDue)
  }
}

/** A node that has gone may have had very many. */
const announcedAtOnce = 100

const ended = (subscription: Subscription): Subscription => ({ ...subscription, active: false })
