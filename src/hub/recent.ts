import { encodeEvent, toSend } from '../protocol/event-stream.ts'
import type { LogEntry } from '../transport.ts'

/** An entry of the log and its event-stream bytes, encoded once for every subscriber, as they are sent. */
export interface RecentEntry extends LogEntry {
  readonly event: Uint8Array
}

/** What an entry takes besides its event: objects, index entries, the update's own strings. An estimate, in bytes. */
const overheadBytes = 512

/**
 * The newest part of the log, as it was delivered to this hub: it answers most reconnections from memory. A place is an entry's
 * number in the order of delivery, counted from 0 and never reused, so that a place still means something after its entry has left.
 */
export class Recent {
  readonly maxEntries: number
  readonly maxBytes: number
  #entries: (RecentEntry | undefined)[] = []
  /** How many entries at the front of `#entries` have left; cut off when they are half of it. */
  #gone = 0
  #bytes = 0
  #end = 0
  /** The position of the entry before `end`; it stays when that entry has left. `undefined`: nothing was delivered yet. */
  #endPosition: string | undefined
  /** Places of an id, ascending: nearly always one, which is then not wrapped in an array. */
  readonly #placesById = new Map<string, number | number[]>()
  readonly #placeByPosition = new Map<string, number>()
  #appended: (() => void)[] = []

  constructor(bounds: { entries: number; bytes: number }) {
    this.maxEntries = bounds.entries
    this.maxBytes = bounds.bytes
  }

  /** The place of the oldest entry that is still here. */
  get start(): number {
    return this.#end - (this.#entries.length - this.#gone)
  }

  /** The place that the next entry will have. */
  get end(): number {
    return this.#end
  }

  get bytes(): number {
    return this.#bytes
  }

  append(entry: LogEntry): RecentEntry {
    const recent: RecentEntry = { ...entry, event: toSend(entry.event ?? encodeEvent(entry.update)) }
    const place = this.#end++
    this.#endPosition = entry.position
    if (this.maxEntries > 0) this.#keep(recent, place)
    this.#wake()
    return recent
  }

  #keep(recent: RecentEntry, place: number): void {
    this.#entries.push(recent)
    this.#bytes += sizeOf(recent)
    this.#placeByPosition.set(recent.position, place)
    this.#addId(recent.update.id, place)
    while (this.#entries.length - this.#gone > this.maxEntries || this.#bytes > this.maxBytes) this.#dropOldest()
  }

  #wake(): void {
    const waiting = this.#appended
    if (waiting.length === 0) return
    this.#appended = []
    for (const resolve of waiting) resolve()
  }

  /** Resolves when the next entry has been appended. */
  appended(): Promise<void> {
    return new Promise(resolve => this.#appended.push(resolve))
  }

  /** The entry at a place between `start` and `end`. */
  at(place: number): RecentEntry {
    return this.#entries[place - this.start + this.#gone]!
  }

  /** The place of the earliest entry here with this id. Older ones may be in the log: see `LogEntry.reused`. */
  placeOfId(id: string): number | undefined {
    const places = this.#placesById.get(id)
    return typeof places === 'object' ? places[0] : places
  }

  /** The place after the entry at this position, if the window still begins at or before it. */
  placeAfterPosition(position: string): number | undefined {
    if (position === this.#endPosition) return this.#end
    const place = this.#placeByPosition.get(position)
    return place === undefined ? undefined : place + 1
  }

  #dropOldest(): void {
    const oldest = this.#entries[this.#gone]!
    this.#bytes -= sizeOf(oldest)
    this.#placeByPosition.delete(oldest.position)
    this.#removeId(oldest.update.id)
    this.#entries[this.#gone++] = undefined
    if (this.#gone * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#gone)
      this.#gone = 0
    }
  }

  #addId(id: string, place: number): void {
    const places = this.#placesById.get(id)
    if (places === undefined) this.#placesById.set(id, place)
    else if (typeof places === 'number') this.#placesById.set(id, [places, place])
    else places.push(place)
  }

  /** Forgets the earliest place of an id, which is the one of the oldest entry. */
  #removeId(id: string): void {
    const places = this.#placesById.get(id)
    if (typeof places === 'number') this.#placesById.delete(id)
    else if (places !== undefined) {
      places.shift()
      if (places.length === 1) this.#placesById.set(id, places[0]!)
    }
  }
}

const sizeOf = (entry: RecentEntry): number => entry.event.byteLength * 2 + overheadBytes
