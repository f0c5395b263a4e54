import type { Serial } from './selection.ts'

/** What became of an update, as far as its publisher was told. */
export type Fate = 'unanswered' | 'stored' | 'unknown'

const fates: readonly Fate[] = ['unanswered', 'stored', 'unknown']

interface Published {
  /** When it was sent first, in milliseconds since the soak began. */
  readonly atMs: number[]
  readonly fates: number[]
}

/** What was published, when, and what was answered. */
export class Publications {
  stored = 0
  unknown = 0
  /** Any of those that are stored, and a late one. */
  newest: (Serial & { readonly id: string }) | undefined
  readonly #published: Published[] = []

  get publishers(): readonly number[] {
    return [...this.#published.keys()]
  }

  /** The number of the next of this publisher. */
  begin(publisher: number, atMs: number): number {
    this.#published[publisher] ??= { atMs: [], fates: [] }
    const published = this.#published[publisher]!
    published.fates.push(0)
    return published.atMs.push(atMs) - 1
  }

  settle({ publisher, number }: Serial, fate: 'stored' | 'unknown', id = ''): void {
    this.#published[publisher]!.fates[number] = fates.indexOf(fate)
    this[fate]++
    if (fate === 'stored') this.newest = { publisher, number, id }
  }

  /** NaN: nobody has published it. */
  atMs({ publisher, number }: Serial): number {
    return this.#published[publisher]?.atMs[number] ?? Number.NaN
  }

  *storedOf(publisher: number): Generator<Serial> {
    for (const [number, fate] of this.#published[publisher]!.fates.entries()) {
      if (fates[fate] === 'stored') yield { publisher, number }
    }
  }
}
