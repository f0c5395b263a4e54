import { HubError } from '../errors.ts'
import type { HistoryPage, HistoryStart, Transport } from '../transport.ts'
import { encodePage } from './entry.ts'
import type { Link } from './link.ts'

/** What a worker asks for: it counts its readings, so that it can give one up before it has begun. */
export interface ReadingRequest {
  readonly reading: number
  readonly from: HistoryStart
  readonly topics?: readonly string[]
}

/** Whether the mark was found, and where. */
export interface ReadingAnswer {
  readonly found: boolean
  readonly position?: string
}

interface Reading {
  readonly abort: AbortController
  pages?: AsyncIterator<HistoryPage>
}

/**
 * The readings of the log by the subscribers of one worker, each until its end or until the worker gives it up. Pages are read when they are
 * asked for, one after another and as fast as the worker takes them: a thousand readers at once wait in the log, not in memory.
 */
export class Readings {
  readonly #link: Link
  readonly #history: NonNullable<Transport['history']>
  readonly #readings = new Map<number, Reading>()
  #lastPage: Promise<unknown> = Promise.resolve()

  constructor(link: Link, history: NonNullable<Transport['history']>) {
    this.#link = link
    this.#history = history
    link.answer('history', payload => this.#begin(JSON.parse(payload.toString())))
    link.answer('page', payload => this.#readPage(payload.readUInt32BE(0)))
    link.on('release', payload => this.#release(payload.readUInt32BE(0)))
    link.closed.then(() => this.#releaseAll())
  }

  /** How many there are. */
  get size(): number {
    return this.#readings.size
  }

  async #begin({ reading, from, topics }: ReadingRequest): Promise<Uint8Array> {
    const abort = new AbortController()
    const begun: Reading = { abort }
    this.#readings.set(reading, begun)
    try {
      const hint = topics === undefined ? {} : { topics: new Set(topics) }
      const { found, position, pages } = await this.#history(from, { ...hint, signal: abort.signal })
      if (found) begun.pages = pages[Symbol.asyncIterator]()
      else this.#readings.delete(reading)
      const answer: ReadingAnswer = position === undefined ? { found } : { found, position }
      return Buffer.from(JSON.stringify(answer))
    } catch (error) {
      this.#readings.delete(reading)
      throw error
    }
  }

  #readPage(reading: number): Promise<Uint8Array> {
    const page = this.#lastPage.then(async () => {
      await this.#link.drained()
      return await this.#next(reading)
    })
    this.#lastPage = page.catch(() => {})
    return page
  }

  async #next(reading: number): Promise<Uint8Array> {
    const pages = this.#readings.get(reading)?.pages
    if (pages === undefined) throw new HubError('transport_unavailable', 'This reading of the log was given up.')
    try {
      const { done, value } = await pages.next()
      if (done === true) this.#readings.delete(reading)
      return encodePage(done === true ? undefined : value)
    } catch (error) {
      this.#readings.delete(reading)
      throw error
    }
  }

  #release(reading: number): void {
    const released = this.#readings.get(reading)
    if (released === undefined) return
    this.#readings.delete(reading)
    released.abort.abort()
    released.pages?.return?.().catch(() => {})
  }

  #releaseAll(): void {
    for (const reading of [...this.#readings.keys()]) this.#release(reading)
  }
}
