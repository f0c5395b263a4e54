import { readId } from './entry.ts'
import type { Extent } from './extent.ts'
import { fetchPage, readRange } from './history.ts'
import type { Partition } from './partition.ts'

interface Footprint {
  readonly offset: number
  readonly id: string
}

/** How far back it goes, in updates. */
const length = 1000

/**
 * What was read last. A broker that has lost the end of a log, with a disk or as a replica that was behind, gives the places of what is lost to what comes
 * next: who goes on from where it was would pass over that.
 */
export class Trail {
  #footprints: Footprint[] = []

  add(offset: number, id: string): void {
    this.#footprints.push({ offset, id })
    if (this.#footprints.length >= 2 * length) this.#footprints = this.#footprints.slice(-length)
  }

  /** The offset from which on the log is not what was read, as far back as that is known here; `undefined`: it is that. @throws Failure */
  async findFork(session: Partition, extent: Extent): Promise<number | undefined> {
    const last = this.#footprints.at(-1)
    if (last === undefined) return undefined
    const page = await fetchPage(session, last.offset, extent)
    // What has left the log is no longer to be compared.
    if (page === undefined) return undefined
    const [record] = page.records
    if (record?.offset === last.offset && readId(record) === last.id) return undefined
    const from = Math.max(extent.low, this.#footprints[0]!.offset)
    const records = (await readRange(session, from, last.offset + 1, extent)) ?? []
    const ids = new Map(records.map(found => [found.offset, readId(found)]))
    return this.#footprints.find(({ offset, id }) => offset >= from && ids.get(offset) !== id)?.offset
  }

  /** What is from an offset on is another log's. */
  cut(offset: number): void {
    this.#footprints = this.#footprints.filter(footprint => footprint.offset < offset)
  }
}
