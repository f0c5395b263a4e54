/** Someone for whom bytes wait. */
export interface Waiter {
  readonly waitingBytes: number
  /** Gives up the reader, and with it what waits for it. */
  end(reason: 'too slow'): void
}

/**
 * All bytes of this process that wait for slow readers, and their bound. Readers that are sent the same share the bytes, which are
 * counted once: an update that many healthy readers have not taken yet weighs no more than for one of them.
 */
export class Backlog {
  readonly maxBytes: number
  readonly #holders = new Map<Uint8Array, number>()
  readonly #waiters = new Set<Waiter>()
  #bytes = 0

  /** `maxBytes` 0: no bound. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes === 0 ? Number.POSITIVE_INFINITY : maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** For how many bytes wait, and the most that wait for one of them. */
  get waiters(): { readonly count: number; readonly mostBytes: number } {
    let mostBytes = 0
    for (const { waitingBytes } of this.#waiters) if (waitingBytes > mostBytes) mostBytes = waitingBytes
    return { count: this.#waiters.size, mostBytes }
  }

  add(waiter: Waiter): void {
    this.#waiters.add(waiter)
  }

  remove(waiter: Waiter): void {
    this.#waiters.delete(waiter)
  }

  /** Counts bytes that wait for one reader more. Where that is too much, readers end in this call, perhaps this one too. */
  hold(bytes: Uint8Array): void {
    const holders = this.#holders.get(bytes) ?? 0
    this.#holders.set(bytes, holders + 1)
    if (holders > 0) return
    this.#bytes += bytes.byteLength
    if (this.#bytes > this.maxBytes) this.#relieve()
  }

  release(bytes: Uint8Array): void {
    const holders = this.#holders.get(bytes)
    if (holders === undefined) return
    if (holders > 1) {
      this.#holders.set(bytes, holders - 1)
      return
    }
    this.#holders.delete(bytes)
    this.#bytes -= bytes.byteLength
  }

  /**
   * Ends those with the most waiting bytes, of equal ones those that have waited longest, until a quarter of the bound is free:
   * before the readers are looked through again, so much has to come.
   */
  #relieve(): void {
    const waiters = [...this.#waiters].map(waiter => ({ waiter, bytes: waiter.waitingBytes }))
    for (const { waiter } of waiters.sort((a, b) => b.bytes - a.bytes)) {
      if (this.#bytes <= this.maxBytes * 0.75) return
      waiter.end('too slow')
    }
  }
}
