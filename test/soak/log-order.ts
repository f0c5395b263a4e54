import type { Serial } from './selection.ts'

/** The order of a log: what stands at which place. */
export class LogOrder {
  readonly #serials: Serial[] = []
  /** By publisher and number. */
  readonly #places: number[][] = []
  /** Those that are stored a second time. */
  readonly repeated: Serial[] = []

  get length(): number {
    return this.#serials.length
  }

  append(serial: Serial): void {
    this.#places[serial.publisher] ??= []
    const places = this.#places[serial.publisher]!
    if (places[serial.number] !== undefined) this.repeated.push(serial)
    else places[serial.number] = this.#serials.push(serial) - 1
  }

  at(place: number): Serial {
    return this.#serials[place]!
  }

  /** `undefined`: it is not there. */
  placeOf({ publisher, number }: Serial): number | undefined {
    return this.#places[publisher]?.[number]
  }
}
