import { LRUCache } from 'lru-cache'
import { Readers } from '../backend/readers.ts'
import type { Client, Topic } from './client.ts'
import { type Page, PastReader } from './past.ts'
import { formatPosition, isAfter, type Position } from './position.ts'

/** Subscribers that have lost a hub come back together, and with the same few ids. */
const keptPages = 32

/** Reads the past: by few readers at a time, and once for all who want the same. */
export class Pages {
  readonly #readers: Readers<PastReader>
  readonly #kept = new LRUCache<string, Promise<Page | undefined>>({ max: keptPages })

  constructor(client: Client, topic: Topic) {
    this.#readers = new Readers(async () => new PastReader(client, topic))
  }

  /** What follows a place, up to another one at least while there is more than a page. @throws HubError `transport_unavailable` */
  async page(after: Position, upTo: Position): Promise<Page | undefined> {
    const key = formatPosition(after)
    const kept = await this.#kept.get(key)
    if (kept !== undefined && !isAfter(kept.end, upTo)) return kept
    const reading = this.fetch(after, upTo)
    this.#kept.set(key, reading)
    // A part that ends where the log ended then has more after it now.
    const forget = () => {
      if (this.#kept.peek(key) === reading) this.#kept.delete(key)
    }
    reading.then(page => (page?.end === undefined || !isAfter(upTo, page.end) ? forget() : undefined), forget)
    return await reading
  }

  /** As `page`, for one who reads alone. @throws HubError `transport_unavailable` */
  fetch(after: Position | 'earliest', upTo: Position): Promise<Page | undefined> {
    return this.#readers.use(reader => reader.page(after, upTo))
  }

  /** The log is another one now. */
  forget(): void {
    this.#kept.clear()
  }

  async close(): Promise<void> {
    await this.#readers.close()
  }
}
