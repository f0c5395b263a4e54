import type { LogFile, NewEntry, NumberedEntry, Removal } from './file.ts'

/** What of a log is kept. 0: no such bound. */
export interface RetentionBounds {
  readonly entries: number
  readonly ageMs: number
  /** Of the file, for entries and indexes. */
  readonly bytes: number
  /** The fraction of the publishes after which the bounds are looked at, from 0, never, to 1, after each. */
  readonly cleanupFrequency: number
}

/** How much one commit removes, or twice what it appends: a millisecond's work that keeps up with any rate of publishing. */
const step = { entries: 256, bytes: 1 << 20 }
/** Entries that expire while nobody publishes are looked for no more often than this, and no less. */
const wait = { leastMs: 1000, mostMs: 3_600_000 }

/** Says which entries are over a bound: the oldest ones, in small steps. The newest entry always stays, since its id is the last event id. */
export class Retention {
  readonly #file: LogFile
  #bounds: RetentionBounds
  /** For how long an entry is held, in milliseconds. */
  readonly #heldMs: number
  /** The part of a look that publishes have added up to. */
  #due = 0

  constructor(file: LogFile, bounds: RetentionBounds) {
    this.#file = file
    this.#bounds = bounds
    this.#heldMs = this.active && bounds.ageMs > 0 ? bounds.ageMs : Number.POSITIVE_INFINITY
  }

  /** There is something to look for at all. */
  get active(): boolean {
    const { entries, ageMs, bytes, cleanupFrequency } = this.#bounds
    return cleanupFrequency > 0 && entries + ageMs + bytes > 0
  }

  /**
   * Whether an entry belongs to the log at a time. What has expired does not, even before it is removed; the other bounds are only what
   * removals come to.
   */
  isHeld({ sequence, timeMs }: Pick<NumberedEntry, 'sequence' | 'timeMs'>, nowMs: number): boolean {
    return timeMs > nowMs - this.#heldMs || sequence === this.#file.last
  }

  /** From now on nothing is removed. */
  stop(): void {
    this.#bounds = { ...this.#bounds, cleanupFrequency: 0 }
  }

  /** Counts publishes; tells whether the bounds are to be looked at. */
  isDue(published: number): boolean {
    if (!this.active) return false
    this.#due += published * this.#bounds.cleanupFrequency
    if (this.#due < 1) return false
    this.#due %= 1
    return true
  }

  /** The next entries to remove, oldest first, in the commit that appends others; and whether there are more. */
  select(appended: readonly NewEntry[], nowMs: number): { removed: readonly Removal[]; more: boolean } {
    const { first, last } = this.#file
    const { entries, ageMs, bytes } = this.#bounds
    const surplus = entries === 0 ? 0 : last - first + 1 + appended.length - entries
    const surplusBytes = bytes === 0 ? 0 : this.#file.usedBytes - bytes
    const expiredAtMs = ageMs === 0 ? Number.NEGATIVE_INFINITY : nowMs - ageMs
    const most = {
      entries: Math.max(step.entries, 2 * appended.length),
      bytes: Math.max(step.bytes, 2 * appended.reduce((sum, entry) => sum + entry.bytes.byteLength, 0)),
    }
    const removed: Removal[] = []
    let removedBytes = 0
    for (const entry of this.#file.iterate(first - 1, appended.length > 0 ? last : last - 1)) {
      if (removed.length >= surplus && removedBytes >= surplusBytes && entry.timeMs > expiredAtMs) break
      if (removed.length >= most.entries || removedBytes >= most.bytes) return { removed, more: true }
      removed.push({ sequence: entry.sequence, id: entry.update.id })
      removedBytes += entry.byteLength
    }
    // What is over a bound may be among those that are appended only now.
    return { removed, more: appended.length > 0 && (removed.length < surplus || removedBytes < surplusBytes) }
  }

  /** How long until the oldest entry expires; `undefined`: none ever does. */
  untilExpiryMs(nowMs: number): number | undefined {
    const { first, last } = this.#file
    if (!this.active || this.#bounds.ageMs === 0 || first >= last) return undefined
    const expiresAt = (this.#file.readOne(first)?.timeMs ?? nowMs) + this.#bounds.ageMs
    return Math.min(wait.mostMs, Math.max(wait.leastMs, expiresAt - nowMs))
  }
}
