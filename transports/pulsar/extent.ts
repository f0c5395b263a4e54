import type { Admin } from './admin.ts'
import { Ledgers } from './ledgers.ts'
import { before, isAfter, type Position } from './position.ts'

export interface ExtentOptions {
  readonly admin: Admin | undefined
  /** Updates that clients can go back to, at least; 0: all there are. */
  readonly entries: number
}

/** Pulsar removes ledgers in its own time: so old may be what is known of them, in milliseconds. */
const freshMs = 3000

/** The log has marks too, which are no updates. */
const spareEntries = 100

/** How far back the log goes: Pulsar removes what is older than its retention, ledger by ledger; `size` is kept here. */
export class Extent {
  readonly #options: ExtentOptions
  readonly ledgers = new Ledgers()
  #newest: NewestEntries
  #askedAtMs = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined

  constructor(options: ExtentOptions) {
    this.#options = options
    this.#newest = new NewestEntries(options.entries)
  }

  /** An update is there, behind all others. */
  note(position: Position): void {
    if (this.#options.entries > 0) this.#newest.add(position)
  }

  /** The log is another one now. */
  forget(): void {
    this.ledgers.forget()
    this.#newest = new NewestEntries(this.#options.entries)
  }

  /** The place after which the log begins; `undefined`: with whatever there is. */
  get start(): Position | undefined {
    const { entries } = this.#options
    if (entries === 0) return undefined
    // Of entries that were not seen it is not known how many updates they have.
    return this.#newest.start ?? this.ledgers.beforeNewest(entries + spareEntries)
  }

  get isFresh(): boolean {
    return this.#options.admin === undefined || performance.now() - this.#askedAtMs < freshMs
  }

  /** As far as is known. */
  holds(position: Position): boolean {
    const { start } = this
    return (start === undefined || isAfter(position, start)) && this.ledgers.has(position.ledger) !== false
  }

  /** Asks what there is; once for all who ask at the same time. @throws Failure */
  refresh(): Promise<void> {
    const { admin } = this.#options
    if (admin === undefined) return Promise.resolve()
    this.#asking ??= this.#ask(admin).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #ask(admin: Admin): Promise<void> {
    this.ledgers.replace(await admin.ledgers())
    this.#askedAtMs = performance.now()
  }
}

/** The entries that have the newest updates. */
class NewestEntries {
  readonly #max: number
  /** By their first updates. */
  #entries: { readonly position: Position; updates: number }[] = []
  /** The first one that counts. */
  #first = 0
  #updates = 0

  constructor(max: number) {
    this.#max = max
  }

  /** The place before the newest so many updates; `undefined`: not so many have been seen. */
  get start(): Position | undefined {
    if (this.#updates < this.#max) return undefined
    const { position } = this.#entries[this.#first]!
    const spare = this.#updates - this.#max
    return position.index + spare <= 0 ? before(position) : { ...position, index: position.index + spare - 1 }
  }

  add(position: Position): void {
    const last = this.#entries.at(-1)
    if (last?.position.entry === position.entry && last.position.ledger === position.ledger) last.updates++
    else this.#entries.push({ position, updates: 1 })
    this.#updates++
    while (this.#updates - this.#entries[this.#first]!.updates >= this.#max)
      this.#updates -= this.#entries[this.#first++]!.updates
    if (this.#first < 1000 || this.#first < this.#entries.length / 2) return
    this.#entries = this.#entries.slice(this.#first)
    this.#first = 0
  }
}
