interface Range {
  from: number
  /** The last one. */
  to: number
}

/**
 * Who was to receive what, and did. Each publisher numbers its updates to a topic from 0, and publishes one only when the one before
 * is answered: every stream of the topic has to see these numbers in their order, each once.
 */
export class Ledger {
  readonly #publishers: number
  readonly #topics: number
  /** By publisher and topic: the number that the next update will have. */
  readonly #issued: Uint32Array
  /** By publisher and topic: numbers of the updates that were refused or never answered; they may be delivered, and need not. */
  readonly #unstored = new Map<number, number[]>()
  /** By stream and publisher: the number after the highest that was received. */
  readonly #next: Uint32Array
  /** By stream and publisher: lower numbers that were not received. */
  readonly #gaps = new Map<number, Range[]>()
  #received = 0
  #duplicated = 0
  #outOfOrder = 0

  constructor(counts: { publishers: number; topics: number; streams: number }) {
    this.#publishers = counts.publishers
    this.#topics = counts.topics
    this.#issued = new Uint32Array(counts.publishers * counts.topics)
    this.#next = new Uint32Array(counts.streams * counts.publishers)
  }

  /** Deliveries, duplicates not counted. */
  get received(): number {
    return this.#received
  }

  get duplicated(): number {
    return this.#duplicated
  }

  /** Those that came after one that was published later. */
  get outOfOrder(): number {
    return this.#outOfOrder
  }

  /** The number of the next update. */
  issue(publisher: number, topic: number): number {
    return this.#issued[publisher * this.#topics + topic]!++
  }

  /** Nobody said that this one is stored. */
  notStored(publisher: number, topic: number, number: number): void {
    const key = publisher * this.#topics + topic
    const numbers = this.#unstored.get(key)
    if (numbers === undefined) this.#unstored.set(key, [number])
    else numbers.push(number)
  }

  /** Tells whether it is a delivery to be counted: known, and not a duplicate. */
  receive(stream: number, publisher: number, number: number): boolean {
    if (publisher >= this.#publishers) return false
    const key = stream * this.#publishers + publisher
    const next = this.#next[key]!
    if (number >= next) {
      if (number > next) this.#gapsOf(key).push({ from: next, to: number - 1 })
      this.#next[key] = number + 1
    } else if (this.#fillGap(key, number)) this.#outOfOrder++
    else {
      this.#duplicated++
      return false
    }
    this.#received++
    return true
  }

  /**
   * Updates that were stored and not received, counted once for each stream. Of a stream that has ended, only those before the
   * last one that it received.
   */
  countLost(streams: Iterable<{ readonly topic: number; readonly index: number; readonly isOpen: boolean }>): number {
    let lost = 0
    for (const { topic, index, isOpen } of streams) {
      for (let publisher = 0; publisher < this.#publishers; publisher++) {
        const key = index * this.#publishers + publisher
        const issued = publisher * this.#topics + topic
        const from = this.#next[key]!
        if (isOpen && from < this.#issued[issued]!)
          lost += this.#countStored(issued, { from, to: this.#issued[issued]! - 1 })
        for (const gap of this.#gaps.get(key) ?? []) lost += this.#countStored(issued, gap)
      }
    }
    return lost
  }

  #countStored(issued: number, { from, to }: Range): number {
    const unstored = this.#unstored.get(issued)?.filter(number => number >= from && number <= to).length ?? 0
    return to - from + 1 - unstored
  }

  #gapsOf(key: number): Range[] {
    const gaps = this.#gaps.get(key) ?? []
    this.#gaps.set(key, gaps)
    return gaps
  }

  #fillGap(key: number, number: number): boolean {
    const gaps = this.#gaps.get(key) ?? []
    const at = gaps.findIndex(({ from, to }) => number >= from && number <= to)
    const gap = gaps[at]
    if (gap === undefined) return false
    const parts = [
      { from: gap.from, to: number - 1 },
      { from: number + 1, to: gap.to },
    ]
    gaps.splice(at, 1, ...parts.filter(({ from, to }) => from <= to))
    return true
  }
}
