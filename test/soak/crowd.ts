import { setTimeout as sleep } from 'node:timers/promises'
import { behaviourOf, readSlowly } from './behaviour.ts'
import type { Ledger } from './ledger.ts'
import { Reader, type ReaderOptions, selectFor } from './reader.ts'
import type { Serial } from './selection.ts'

/** Then nothing more is coming. */
const quietMs = 30_000
const lookMs = 100

/** All readers of a soak. */
export class Crowd {
  readonly readers: readonly Reader[]

  constructor(
    count: number,
    publishers: number,
    options: Pick<ReaderOptions, 'nodes' | 'publications' | 'now' | 'notice' | 'alarm'>,
  ) {
    this.readers = Array.from(
      { length: count },
      (_, index) => new Reader({ ...options, ...selectFor(index, publishers), name: `reader-${index}` }),
    )
  }

  /** Until `closing`; what they do besides reading, until `calm`. */
  async run(calm: AbortSignal, closing: AbortSignal): Promise<void> {
    closing.addEventListener('abort', () => {
      for (const reader of this.readers) reader.leave()
    })
    await Promise.all([
      ...this.readers.map(reader => reader.run(closing)),
      ...this.readers.map((reader, index) => behaviourOf(index)(reader, calm)),
    ])
  }

  /** Those with tokens, who notice at once that their stream has ended. */
  get revocable(): readonly Reader[] {
    return this.readers.filter(
      ({ options }, index) => options.selection.isAuthorized && behaviourOf(index) !== readSlowly,
    )
  }

  /** Resolves when everybody has a stream, or a place in the log to go on from. */
  async begun(): Promise<void> {
    await this.#until(({ hasBegun }) => hasBegun)
  }

  /** Resolves when everybody has received these, each of another publisher, as far as they match, or nobody receives anything any more. */
  async reached(last: readonly Serial[]): Promise<void> {
    await this.#until(({ ledger, options }) => {
      const { publishers } = options.selection
      return last.every(update => publishers?.has(update.publisher) === false || ledger.hasReached(update))
    })
  }

  get deliveries(): number {
    return this.#sum(({ received }) => received)
  }

  get outOfTurn(): number {
    return this.#sum(({ outOfTurn }) => outOfTurn)
  }

  /** Of all readers together. */
  count(what: 'streams' | 'refusals' | 'cuts'): number {
    return this.readers.reduce((sum, reader) => sum + reader[what], 0)
  }

  #sum(count: (ledger: Ledger) => number): number {
    return this.readers.reduce(
      (sum, { ledger, closed }) => [...closed, ledger].reduce((all, one) => all + count(one), sum),
      0,
    )
  }

  async #until(condition: (reader: Reader) => boolean): Promise<void> {
    let { deliveries } = this
    for (let quietSince = performance.now(); performance.now() - quietSince < quietMs; await sleep(lookMs)) {
      if (this.readers.every(condition)) return
      if (deliveries !== this.deliveries) quietSince = performance.now()
      deliveries = this.deliveries
    }
  }
}
