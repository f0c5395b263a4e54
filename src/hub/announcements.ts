import { setTimeout as after } from 'node:timers/promises'
import { HubError } from '../errors.ts'
import type { Update } from '../protocol/update.ts'

export interface AnnouncementsOptions {
  /** Stores an update; those of several calls in their order. @throws HubError */
  readonly publish: (update: Update) => Promise<void>
  readonly failed: (error: unknown, during: string) => void
}

interface Announcement {
  readonly update: Update
  readonly isDue: () => boolean
  readonly settled: PromiseWithResolvers<void>
  /** It came with what the log delivers, whatever its publisher was told. */
  isDelivered: boolean
}

/** How long the log is left alone after it has refused an announcement. */
const pauseMs = 1000
/** What is published at once of what has waited: everybody else publishes as well. */
const storedAtOnce = 100
/** What may wait: one who comes and goes all the time is not to fill the memory while the log is away. */
const maxWaiting = 100_000

/**
 * Stores what there is to say of subscriptions. While the log is away it waits, in its order: who follows the events would otherwise have those
 * for subscribers who have gone meanwhile, and never learn of who has come. What was perhaps stored, and is not delivered soon, is stored again,
 * with the same id.
 */
export class Announcements {
  readonly #options: AnnouncementsOptions
  /** By the ids of their updates. */
  readonly #unsettled = new Map<string, Announcement>()
  #waiting: Announcement[] = []
  /** The outage of now has been told of. */
  #isTold = false
  #closed = false

  constructor(options: AnnouncementsOptions) {
    this.#options = options
  }

  /** Resolves when it is stored, or never will be. `isDue`: asked again after a wait; what is due no more is left out. */
  async announce(update: Update, isDue: () => boolean): Promise<void> {
    const announcement = { update, isDue, settled: Promise.withResolvers<void>(), isDelivered: false }
    this.#unsettled.set(update.id, announcement)
    if (this.#waiting.length > 0 || !(await this.#store(announcement))) await this.#wait(announcement)
    this.#unsettled.delete(update.id)
  }

  /** The log has delivered an update with this id. */
  delivered(id: string): void {
    const announcement = this.#unsettled.get(id)
    if (announcement !== undefined) announcement.isDelivered = true
  }

  /** What waits is given up. */
  close(): void {
    this.#closed = true
    for (const { settled } of this.#waiting.splice(0)) settled.resolve()
  }

  async #wait(announcement: Announcement): Promise<void> {
    if (this.#closed) return
    if (this.#waiting.length === maxWaiting) {
      this.#options.failed(new Error(`${maxWaiting} wait for the log already`), 'announcing a subscription')
      return
    }
    this.#waiting.push(announcement)
    if (this.#waiting.length === 1) void this.#storeWaiting()
    await announcement.settled.promise
  }

  async #storeWaiting(): Promise<void> {
    await after(pauseMs, undefined, { ref: false })
    while (this.#waiting.length > 0) {
      const some = this.#waiting.slice(0, storedAtOnce)
      const stored = await Promise.all(some.map(one => one.isDelivered || !one.isDue() || this.#store(one)))
      const settled = new Set(some.filter((_, i) => stored[i]))
      this.#waiting = this.#waiting.filter(announcement => !settled.has(announcement))
      for (const { settled: done } of settled) done.resolve()
      if (settled.size < some.length) await after(pauseMs, undefined, { ref: false })
    }
  }

  /** False: it is to be stored later. An outage is told of once. */
  async #store(announcement: Announcement): Promise<boolean> {
    try {
      await this.#options.publish(announcement.update)
      this.#isTold = false
      return true
    } catch (error) {
      if (announcement.isDelivered) return true
      const isAway = error instanceof HubError && error.code === 'transport_unavailable'
      if (!isAway || !this.#isTold) this.#options.failed(error, 'announcing a subscription')
      this.#isTold ||= isAway
      return !isAway
    }
  }
}
