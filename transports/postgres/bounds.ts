/** How many updates a log keeps, and for how long in milliseconds; 0: no bound. */
export interface LogBounds {
  readonly entries: number
  readonly ageMs: number
}

/** So many updates are remembered with their times, or one a second. */
const marksPerAge = 1000

/** Which of the updates that were seen are within the bounds for certain. */
export class WithinBounds {
  readonly #bounds: LogBounds
  #newest = 0
  /** Some updates that have not expired, oldest first, with their times in milliseconds since 1970. */
  readonly #marks: { readonly number: number; readonly timeMs: number }[] = []

  constructor(bounds: LogBounds) {
    this.#bounds = bounds
  }

  /** Each update, in the log's order. */
  see({ number, timeMs }: { readonly number: number; readonly timeMs: number }): void {
    const { ageMs } = this.#bounds
    this.#newest = number
    if (ageMs === 0) return
    const last = this.#marks.at(-1)
    if (last === undefined || timeMs - last.timeMs >= Math.max(1000, ageMs / marksPerAge)) {
      this.#marks.push({ number, timeMs })
    }
  }

  /** Who is told no asks the log itself. */
  holds(number: number, nowMs: number): boolean {
    const { entries, ageMs } = this.#bounds
    if (entries > 0 && number <= this.#newest - entries) return false
    if (ageMs === 0) return true
    while (this.#marks.length > 0 && this.#marks[0]!.timeMs <= nowMs - ageMs) this.#marks.shift()
    const oldest = this.#marks[0]
    return oldest !== undefined && number >= oldest.number
  }
}
