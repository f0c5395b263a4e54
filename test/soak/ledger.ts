import { following, type Selection, type Serial } from './selection.ts'

/** A stream that a reader had. */
export interface Visit {
  /** Since the soak began. */
  readonly atMs: number
  /** The node's number. */
  readonly node: number
  /** How many updates the reader had received until then. */
  readonly index: number
}

const initialBytes = 256
/** Before an update that is not the next of its publisher: what follows is its publisher, and its number in four bytes. */
const leap = 0xff

/**
 * What a reader has received, in its order, from the update after which it began. An update takes one byte as long as each publisher's come in turn, so
 * that a ledger of a million fits into a megabyte. Publishers are numbered, below 255.
 */
export class Ledger {
  readonly reader: string
  readonly selection: Selection
  /** It asked for what follows this one; `undefined`: for what comes. */
  readonly after: Serial | undefined
  readonly visits: Visit[] = []
  received = 0
  /** Updates that were not the next of their publisher: each is a fault, unless nobody knows what became of those before it. */
  outOfTurn = 0
  #bytes = Buffer.alloc(initialBytes)
  #length = 0
  /** By publisher: the number that comes next. */
  readonly #next: number[] = []

  constructor(reader: string, selection: Selection, after?: Serial) {
    this.reader = reader
    this.selection = selection
    this.after = after
  }

  /** False: it was out of turn. */
  enter({ publisher, number }: Serial): boolean {
    const next = this.#next[publisher]
    const isNext = number === next
    this.#reserve()
    if (isNext) this.#bytes[this.#length++] = publisher
    else {
      this.#bytes[this.#length++] = leap
      this.#bytes[this.#length++] = publisher
      this.#length = this.#bytes.writeUInt32LE(number, this.#length)
    }
    this.received++
    if (next === undefined || number >= next) this.#next[publisher] = following(this.selection, number)
    if (isNext || next === undefined) return true
    this.outOfTurn++
    return false
  }

  /** It has received this one of its publisher, or a later one. */
  hasReached({ publisher, number }: Serial): boolean {
    return (this.#next[publisher] ?? 0) > number
  }

  *[Symbol.iterator](): Generator<Serial> {
    const next: number[] = []
    for (let at = 0; at < this.#length; ) {
      let publisher = this.#bytes[at++]!
      let number = next[publisher]!
      if (publisher === leap) {
        publisher = this.#bytes[at]!
        number = this.#bytes.readUInt32LE(at + 1)
        at += 5
      }
      if (number >= (next[publisher] ?? 0)) next[publisher] = following(this.selection, number)
      yield { publisher, number }
    }
  }

  /** The stream on which the update with this index came. */
  visitOf(index: number): Visit | undefined {
    return this.visits.findLast(visit => visit.index <= index)
  }

  #reserve(): void {
    if (this.#length + 6 <= this.#bytes.length) return
    const larger = Buffer.alloc(this.#bytes.length * 2)
    this.#bytes.copy(larger)
    this.#bytes = larger
  }
}
