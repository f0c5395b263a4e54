/** Beyond, those that have taken least lately are forgotten, and may take a second's worth anew. */
const maxKeys = 100_000

/** Times are fractions that were added up: what they are off by is not to cost a whole place. */
const inexactMs = 1e-3

/**
 * A bucket for each key: it holds what may happen in a second, and fills at that rate. Of a bucket no more is kept than the time, in
 * milliseconds, at which it will be full; of a full one nothing.
 */
export class Rate {
  readonly #perSecond: number
  /** Those that were taken from last stand last. */
  readonly #fullAt = new Map<string, number>()

  /** 0: any rate. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond
  }

  /** How many buckets are not full. */
  size(now: number): number {
    this.#forgetFull(now)
    return this.#fullAt.size
  }

  /** How long until there is one to take; 0: there is. */
  waitMs(key: string, now: number): number {
    if (this.#perSecond === 0) return 0
    const fullInMs = (this.#fullAt.get(key) ?? now) - now
    const roomMs = 1000 - 1000 / this.#perSecond
    const waitMs = fullInMs - roomMs
    return waitMs > inexactMs ? waitMs : 0
  }

  /** May take more than there is: the bucket owes it. */
  take(key: string, count: number, now: number): void {
    if (this.#perSecond === 0) return
    this.#forgetFull(now)
    const fullAt = Math.max(now, this.#fullAt.get(key) ?? now) + (count * 1000) / this.#perSecond
    this.#fullAt.delete(key)
    this.#fullAt.set(key, fullAt)
    if (this.#fullAt.size > maxKeys) this.#forgetOldest()
  }

  /** A bucket that owes keeps those behind it for a while longer; each call has little to do. */
  #forgetFull(now: number): void {
    for (const [key, fullAt] of this.#fullAt) {
      if (fullAt > now) return
      this.#fullAt.delete(key)
    }
  }

  #forgetOldest(): void {
    for (const key of this.#fullAt.keys()) {
      this.#fullAt.delete(key)
      return
    }
  }
}
