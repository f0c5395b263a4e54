import type { TransportLog } from '../../src/transport.ts'
import { Failure } from '../backend/failure.ts'
import type { Extent } from './extent.ts'
import type { Use } from './history.ts'

export interface RetentionOptions {
  /** Updates that the log keeps, at least; 0: all. */
  readonly entries: number
  readonly use: Use
  readonly extent: Extent
  readonly log: TransportLog
}

/** What is removed at once, as a part of what is kept, and at least. */
const step = { part: 0.1, records: 100 }
/** A refusal that lasts is logged again after this time. */
const remindAfterMs = 60_000

/** Removes what the log has beyond its bound in updates; its other bounds are Kafka's own. */
export class Retention {
  readonly #options: RetentionOptions
  #removing: Promise<void> | undefined
  #toldAtMs = Number.NEGATIVE_INFINITY

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  /** The log ends before an offset now. Whichever node is first removes what is over; the others find that done. */
  moved(end: number): void {
    const { entries, extent } = this.#options
    if (entries === 0 || this.#removing !== undefined) return
    if (end - extent.low < entries + Math.max(step.records, entries * step.part)) return
    this.#removing = this.#removeBefore(end - entries).finally(() => {
      this.#removing = undefined
    })
  }

  async close(): Promise<void> {
    await this.#removing
  }

  async #removeBefore(offset: number): Promise<void> {
    const { use, extent, log } = this.#options
    try {
      const { era } = extent
      extent.see(await use(session => session.deleteBefore(offset)), era)
    } catch (error) {
      if (performance.now() - this.#toldAtMs < remindAfterMs) return
      this.#toldAtMs = performance.now()
      const { cause } = error as Error
      log.warn(
        { reason: Failure.of(cause ?? error).message },
        'size: what the log has over this bound cannot be removed now; the user needs the right Delete on the topic.',
      )
    }
  }
}
