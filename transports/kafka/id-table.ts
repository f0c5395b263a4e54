import { markOf } from '../backend/id-mark.ts'

/** Places of the log that one part of a table knows. */
const placesPerPart = 65_536
/** So many slots keep the way to an id short. */
const slots = 2 * placesPerPart

/** The ids of some consecutive places of the log. */
class Part {
  readonly #first: number
  readonly #marks = new Float64Array(slots)
  readonly #places = new Uint16Array(slots)

  constructor(number: number) {
    this.#first = number * placesPerPart
  }

  /** The lowest place counts. */
  add(mark: number, offset: number): void {
    const slot = this.#locate(mark)
    const place = offset - this.#first
    if (this.#marks[slot] === 0 || place < this.#places[slot]!) this.#places[slot] = place
    this.#marks[slot] = mark
  }

  find(mark: number): number | undefined {
    const slot = this.#locate(mark)
    return this.#marks[slot] === 0 ? undefined : this.#first + this.#places[slot]!
  }

  /** Where a mark is, or would be. */
  #locate(mark: number): number {
    let slot = mark % slots
    while (this.#marks[slot] !== 0 && this.#marks[slot] !== mark) slot = (slot + 1) % slots
    return slot
  }
}

/**
 * Where the ids of the newest updates are: Kafka finds records by their place and their time, and by nothing else. It knows ids by 53 bits of them,
 * which is 20 bytes for an update; whether an id is where it is said to be is for the log to tell.
 */
export class IdTable {
  /** How far back it goes at least, in places of the log. */
  readonly #span: number
  readonly #seed = Math.floor(Math.random() * 2 ** 32)
  /** By their numbers, which are those of their places divided; not in order. */
  readonly #parts = new Map<number, Part>()
  #firstPart = 0

  constructor(span: number) {
    this.#span = span
  }

  /** Ids of lower places are forgotten. */
  get floor(): number {
    return this.#firstPart * placesPerPart
  }

  /** An id is at a place, perhaps among others. @returns whether it is known to be at a lower one */
  add(id: string, offset: number): boolean {
    const number = Math.floor(offset / placesPerPart)
    if (number < this.#firstPart) return false
    const mark = markOf(id, this.#seed)
    const known = this.#find(mark)
    this.#part(number).add(mark, offset)
    return known !== undefined && known < offset
  }

  /** The lowest place at which an id is known to be. */
  find(id: string): number | undefined {
    return this.#find(markOf(id, this.#seed))
  }

  clear(): void {
    this.#parts.clear()
    this.#firstPart = 0
  }

  #find(mark: number): number | undefined {
    let lowest: number | undefined
    for (const part of this.#parts.values()) {
      const offset = part.find(mark)
      if (offset !== undefined && (lowest === undefined || offset < lowest)) lowest = offset
    }
    return lowest
  }

  #part(number: number): Part {
    const known = this.#parts.get(number)
    if (known !== undefined) return known
    const part = new Part(number)
    this.#parts.set(number, part)
    this.#firstPart = Math.max(this.#firstPart, number - Math.ceil(this.#span / placesPerPart))
    for (const old of this.#parts.keys()) if (old < this.#firstPart) this.#parts.delete(old)
    return part
  }
}
