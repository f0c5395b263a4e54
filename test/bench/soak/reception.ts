/** What came of the updates at one subscriber, who was to get all of them, each once, those of a publisher in the order of their numbers. */
export class Reception {
  received = 0
  duplicated = 0
  outOfOrder = 0
  /** Of the whole sequence: the same at two subscribers who got the same in the same order. */
  order = 0
  /** The publisher and number of the newest. */
  last: { readonly publisher: number; readonly number: number } | undefined
  /** By publisher: the number that comes next, and those before it that have not come. */
  readonly #next: number[] = []
  readonly #missing: Set<number>[] = []

  receive(publisher: number, number: number): void {
    this.last = { publisher, number }
    this.received++
    this.order = (Math.imul(this.order, 31) + Math.imul(publisher + 1, 1_000_003) + number) | 0
    const next = this.#next[publisher] ?? 0
    if (number < next) {
      if (this.#missing[publisher]?.delete(number)) this.outOfOrder++
      else this.duplicated++
      return
    }
    if (number > next) {
      this.#missing[publisher] ??= new Set()
      for (let skipped = next; skipped < number; skipped++) this.#missing[publisher].add(skipped)
    }
    this.#next[publisher] = number + 1
  }

  /** How many have not come, of so many that each publisher has published. */
  lost(published: readonly number[]): number {
    let lost = 0
    for (const [publisher, count] of published.entries()) {
      lost += Math.max(0, count - (this.#next[publisher] ?? 0)) + (this.#missing[publisher]?.size ?? 0)
    }
    return lost
  }
}
