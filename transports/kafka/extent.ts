/**
 * From where on a log still has its records, as far as answers of its broker have told. Its offsets mean what they mean until it turns out to have lost
 * some records: then they mean others, and the next era begins.
 */
export class Extent {
  #era = 0
  #low = 0

  get era(): number {
    return this.#era
  }

  /** The offset of the oldest record that is there. */
  get low(): number {
    return this.#low
  }

  /** What was asked in an era that is over says nothing of this one. */
  see(low: number, era: number): void {
    if (era === this.#era) this.#low = Math.max(this.#low, low)
  }

  beginEra(low: number): void {
    this.#era++
    this.#low = low
  }

  positionOf(offset: number): string {
    return this.#era === 0 ? `${offset}` : `${offset}.${this.#era}`
  }

  /** The offset at a position; `undefined` for a text that is none, or of another era. */
  offsetAt(position: string): number | undefined {
    const [, offset, era = '0'] = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(position) ?? []
    return offset !== undefined && Number(era) === this.#era ? Number(offset) : undefined
  }
}
