import { markOf } from '../backend/id-mark.ts'
import { type NumberedUpdate, toText } from './entry.ts'
import type { Session } from './session.ts'

/** How far back it goes, in updates. */
const length = 50_000
/** How many updates before those of the trail are looked at, if it has to be told by their times which were not delivered. */
const updatesBefore = 100_000
const answerMs = 15_000

/**
 * Which update had which number, of those delivered last. A PostgreSQL that comes back with less than it had gives the numbers of what is lost to what
 * comes next: who goes on from where it was would pass over that. What has the number and the id of one that is lost counts as that one.
 */
export class Trail {
  readonly #seed = Math.floor(Math.random() * 2 ** 32)
  #numbers: number[] = []
  #marks: number[] = []
  #newestMs = 0

  add({ number, update, timeMs }: NumberedUpdate): void {
    this.#numbers.push(number)
    this.#marks.push(markOf(toText(update.id), this.#seed))
    this.#newestMs = Math.max(this.#newestMs, timeMs)
    if (this.#numbers.length < 2 * length) return
    this.#numbers = this.#numbers.slice(-length)
    this.#marks = this.#marks.slice(-length)
  }

  /** Whether the update with this number was one with this id; `undefined`: not known. The id is as its column has it. */
  has(number: number, id: string): boolean | undefined {
    const at = this.#indexOf(number)
    return this.#numbers[at] === number ? this.#marks[at] === markOf(id, this.#seed) : undefined
  }

  /**
   * The number from which on the log is not what was delivered; `undefined`: it is that, as far as it is there. Of the numbers up to
   * `number`, which have been delivered or passed over, the log has given those up to `given`. Where it is another one farther back than the
   * trail goes, times tell.
   * @throws Failure
   */
  async findFork(session: Session, number: number, given: number): Promise<number | undefined> {
    const lost = given < number ? given + 1 : undefined
    const [first, last] = [this.#numbers[0], this.#numbers.at(-1)]
    if (first === undefined) return lost
    const text = `SELECT number, id FROM ${session.tables.updates} WHERE number BETWEEN $1 AND $2 ORDER BY number`
    let fork = lost
    let isBounded = false
    for (const [number, id] of await session.query({ text }, [first, last], answerMs)) {
      if (this.has(Number(number), id!) === false) {
        fork = Number(number)
        break
      }
      isBounded = true
    }
    if (fork === undefined || isBounded) return fork
    return (await this.#findNewer(session, first)) ?? Math.min(fork, first)
  }

  /** The first update before those of the trail that was stored after all that were delivered. */
  async #findNewer(session: Session, before: number): Promise<number | undefined> {
    const text = `SELECT min(number) FROM (
      SELECT number, created_at FROM ${session.tables.updates} WHERE number < $1 ORDER BY number DESC LIMIT ${updatesBefore}
    ) AS found WHERE created_at > to_timestamp($2)`
    const [row] = await session.query({ text }, [before, this.#newestMs / 1000], answerMs)
    return row?.[0] == null ? undefined : Number(row[0])
  }

  /** What is from a number on is another log's. */
  cut(number: number): void {
    const at = this.#indexOf(number)
    this.#numbers.length = at
    this.#marks.length = at
  }

  /** Where a number is, or would be. */
  #indexOf(number: number): number {
    let low = 0
    let high = this.#numbers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#numbers[middle]! < number) low = middle + 1
      else high = middle
    }
    return low
  }
}
