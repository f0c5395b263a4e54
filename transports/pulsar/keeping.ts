import type { TransportLog } from '../../src/transport.ts'
import type { Admin } from './admin.ts'
import type { Location } from './location.ts'
import { keepTopic } from './prepare.ts'

/** What a topic was told goes with it when it is deleted, of which nobody is told; and is still seen for a while. */
const againMs = 5000

/** Sees to it that the topic keeps what it gets, for as long as the hub runs. */
export class Keeping {
  readonly #admin: Admin | undefined
  readonly #location: Location
  readonly #log: TransportLog
  #isTold = false
  #isKept = false
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(admin: Admin | undefined, location: Location, log: TransportLog) {
    this.#admin = admin
    this.#location = location
    this.#log = log
  }

  /** Now, and from time to time from then on. What it cannot do it says once. */
  async keep(): Promise<void> {
    if (this.#closed) return
    if (this.#admin !== undefined) this.#timer ??= setInterval(() => void this.#keepOnce(), againMs).unref()
    await this.#keepOnce()
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
  }

  #keepOnce(): Promise<void> {
    this.#running ??= this.#keep().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #keep(): Promise<void> {
    const done = await keepTopic(this.#admin, this.#location, { warn: (...line) => this.#warn(...line) })
    if (this.#closed || done === undefined) return
    if (done === 'set' && this.#isKept) {
      this.#log.warn(
        {},
        'The topic did not keep what it gets any more: it was made anew, or told otherwise. Its retention is set again.',
      )
    }
    this.#isKept = true
    this.#isTold = false
  }

  /** While Pulsar is away that is told by others. */
  #warn(fields: object, message: string): void {
    if (this.#isTold || this.#isKept || this.#closed) return
    this.#isTold = true
    this.#log.warn(fields, message)
  }
}
