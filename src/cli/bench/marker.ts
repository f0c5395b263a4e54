/** What an update of a load says of itself, in its data. */
export interface Marker {
  /** Which load it belongs to: whatever else is published to its topics is not counted. */
  readonly run: number
  readonly publisher: number
  /** Its number among the updates of this publisher to this topic, from 0. */
  readonly number: number
  /** When it was published, in microseconds of the load's own clock. */
  readonly micros: number
}

const delimiter = 0x7e // "~"
const dot = 0x2e
const zero = 0x30

/** `~RUN.PUBLISHER.NUMBER.MICROS~`, none of which is changed by form encoding, filled up to a size in bytes. */
export function formatMarker({ run, publisher, number, micros }: Marker, size: number): string {
  return `~${run}.${publisher}.${number}.${Math.round(micros)}~`.padEnd(size, 'x')
}

/** Finds markers in a body that arrives in pieces of any size. */
export class MarkerScanner {
  /** The field of the marker under way; -1: none is. */
  #field = -1
  readonly #fields = [0, 0, 0, 0]

  /** Calls `found` with the fields of a marker, in its order. */
  scan(bytes: Buffer, from: number, to: number, found: (...fields: [number, number, number, number]) => void): void {
    const fields = this.#fields
    let at = from
    while (at < to) {
      if (this.#field === -1) {
        at = bytes.indexOf(delimiter, at)
        if (at === -1 || at >= to) return
        this.#begin()
        at++
      }
      while (at < to) {
        const byte = bytes[at++]!
        const digit = byte - zero
        if (digit >= 0 && digit <= 9) fields[this.#field] = fields[this.#field]! * 10 + digit
        else if (byte === dot && this.#field < 3) this.#field++
        else {
          const isComplete = byte === delimiter && this.#field === 3
          this.#field = -1
          if (isComplete) found(fields[0]!, fields[1]!, fields[2]!, fields[3]!)
          else if (byte === delimiter) this.#begin()
          break
        }
      }
    }
  }

  #begin(): void {
    this.#field = 0
    this.#fields.fill(0)
  }
}
