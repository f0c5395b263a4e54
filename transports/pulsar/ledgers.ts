import type { Ledger } from './admin.ts'
import type { Position } from './position.ts'

/** The ledgers that a topic consists of, as far as they are known. Entries of one ledger are numbered from 0 on. */
export class Ledgers {
  #known: Ledger[] = []
  #isWhole = false

  /** What the admin API says, oldest first: these are all. */
  replace(ledgers: readonly Ledger[]): void {
    const seen = new Map(this.#known.map(({ ledger, entries }) => [ledger, entries]))
    // It may be a moment behind what was seen.
    const present = ledgers.map(({ ledger, entries }) => ({
      ledger,
      entries: Math.max(entries, seen.get(ledger) ?? 0),
    }))
    const newest = present.at(-1)?.ledger ?? -1
    this.#known = [...present, ...this.#known.filter(({ ledger }) => ledger > newest)]
    this.#isWhole = true
  }

  /** There is an entry. */
  see({ ledger, entry }: Position): void {
    const last = this.#known.at(-1)
    if (last === undefined || last.ledger < ledger) this.#known.push({ ledger, entries: entry + 1 })
    else if (last.ledger === ledger && last.entries <= entry)
      this.#known[this.#known.length - 1] = { ledger, entries: entry + 1 }
  }

  forget(): void {
    this.#known = []
    this.#isWhole = false
  }

  /** The newest place that there is. */
  get end(): Position | undefined {
    const last = this.#known.findLast(({ entries }) => entries > 0)
    return last === undefined ? undefined : { ledger: last.ledger, entry: last.entries - 1, index: -1, partition: -1 }
  }

  /** Whether a ledger is there still; `undefined`: nobody knows. */
  has(ledger: number): boolean | undefined {
    if (this.#known.some(known => known.ledger === ledger)) return true
    return this.#isWhole ? false : undefined
  }

  /** The last place before the newest so many entries; `undefined`: there are not so many, or it is not known where they begin. */
  beforeNewest(count: number): Position | undefined {
    let left = count
    for (let i = this.#known.length - 1; i >= 0; i--) {
      const { ledger, entries } = this.#known[i]!
      if (left < entries) return { ledger, entry: entries - left - 1, index: -1, partition: -1 }
      left -= entries
    }
    return undefined
  }
}
