import { markOf } from '../backend/id-mark.ts'
import type { Position } from './position.ts'

/** Places that one part knows. */
const placesPerPart = 65_536
/** So many slots keep the way to an id short. */
const slots = 2 * placesPerPart

/** The ids of some updates of the log that follow each other. */
class Part {
  readonly #marks = new Float64Array(slots)
  readonly #places = new Uint16Array(slots)
  readonly #ledgers = new Float64Array(placesPerPart)
  readonly #entries = new Uint32Array(placesPerPart)
  readonly #indexes = new Int32Array(placesPerPart)
  #count = 0

  get isFull(): boolean {
    return this.#count === placesPerPart
  }

  get last(): Position {
    return this.#at(this.#count - 1)
  }

  /** The first place of an id counts. */
  add(mark: number, { ledger, entry, index }: Position): void {
    const slot = this.#locate(mark)
    if (this.#marks[slot] === 0) {
      this.#marks[slot] = mark
      this.#places[slot] = this.#count
    }
    this.#ledgers[this.#count] = ledger
    this.#entries[this.#count] = entry
    this.#indexes[this.#count] = index
    this.#count++
  }

  find(mark: number): Position | undefined {
    const slot = this.#locate(mark)
    return this.#marks[slot] === 0 ? undefined : this.#at(this.#places[slot]!)
  }

  #at(place: number): Position {
    const [ledger, entry, index] = [this.#ledgers[place]!, this.#entries[place]!, this.#indexes[place]!]
    return { ledger, entry, index, partition: -1 }
  }

  /** Where a mark is, or would be. */
  #locate(mark: number): number {
    let slot = mark % slots
    while (this.#marks[slot] !== 0 && this.#marks[slot] !== mark) slot = (slot + 1) % slots
    return slot
  }
}

/**
 * Where the ids of updates are that follow each other in the log: Pulsar finds messages by their place and their time, and by nothing else. It knows ids by
 * 53 bits of them.
 */
export class KnownIds {
  readonly #seed: number
  readonly #maxParts: number
  readonly #parts: Part[] = []
  #start: Position | undefined

  /** `span`: how many updates it knows at least when there are so many. `seed`: of its own for each process. */
  constructor(span: number, seed: number) {
    this.#maxParts = Math.ceil(span / placesPerPart) + 1
    this.#seed = seed
  }

  /** The place of the last update that it has forgotten; `undefined`: it has forgotten none. */
  get start(): Position | undefined {
    return this.#start
  }

  /** The updates of the log are to be added in its order. */
  add(id: string, position: Position): void {
    let part = this.#parts.at(-1)
    if (part === undefined || part.isFull) {
      part = new Part()
      this.#parts.push(part)
      if (this.#parts.length > this.#maxParts) this.#start = this.#parts.shift()!.last
    }
    part.add(markOf(id, this.#seed), position)
  }

  /** The first entry that is known to have an update with this id, where `isThere`. */
  find(id: string, isThere: (position: Position) => boolean): Position | undefined {
    const mark = markOf(id, this.#seed)
    for (const part of this.#parts) {
      const position = part.find(mark)
      if (position !== undefined && isThere(position)) return position
    }
    return undefined
  }
}
