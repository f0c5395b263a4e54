/** Something that has to be woken at a time of its own. `wake` returns when it wants to be woken next, in the wheel's milliseconds. */
export interface Sleeper {
  /** The slot time it is entered for; Infinity: in no slot. Owned by the wheel. */
  wakesAt: number
  wake(now: number): number | undefined
}

const slotCount = 1024

/**
 * Wakes many sleepers with one timer. A timer for each stream would cost memory and a heap operation for each update that
 * puts off a heartbeat; here a stream that was busy is simply found not due, and entered again.
 */
export class TimerWheel {
  /** The resolution: a sleeper wakes up to so many milliseconds late. */
  readonly tickMs: number
  readonly #slots: (Set<Sleeper> | undefined)[] = new Array(slotCount)
  #tick: number
  #timer: NodeJS.Timeout | undefined
  #asleep = 0

  constructor(tickMs: number) {
    this.tickMs = tickMs
    this.#tick = this.#currentTick()
  }

  /** Milliseconds of a clock that never goes back. */
  get now(): number {
    return performance.now()
  }

  /** Wakes the sleeper at `at` or before; does nothing if it is to be woken by then anyway. */
  schedule(sleeper: Sleeper, at: number): void {
    if (this.#timer === undefined) this.#begin()
    const furthest = this.#tick + slotCount - 1
    const tick = Math.min(Math.max(Math.ceil(at / this.tickMs), this.#tick + 1), furthest)
    if (sleeper.wakesAt <= tick) return
    this.cancel(sleeper)
    sleeper.wakesAt = tick
    const index = tick % slotCount
    const slot = this.#slots[index]
    if (slot === undefined) this.#slots[index] = new Set([sleeper])
    else slot.add(sleeper)
    this.#asleep++
  }

  /** Forgets a sleeper that is not to be woken any more, and with it all that it holds. */
  cancel(sleeper: Sleeper): void {
    if (this.#slots[sleeper.wakesAt % slotCount]?.delete(sleeper)) this.#asleep--
    sleeper.wakesAt = Number.POSITIVE_INFINITY
  }

  close(): void {
    this.#pause()
    this.#slots.fill(undefined)
    this.#asleep = 0
  }

  #currentTick(): number {
    return Math.floor(performance.now() / this.tickMs)
  }

  #begin(): void {
    this.#tick = this.#currentTick()
    this.#timer = setInterval(() => this.#advance(), this.tickMs)
    this.#timer.unref()
  }

  #advance(): void {
    const current = this.#currentTick()
    // After a long pause every slot is passed at most once.
    this.#tick = Math.max(this.#tick, current - slotCount)
    while (this.#tick < current) {
      this.#tick++
      this.#wakeSlot(this.#tick % slotCount)
    }
    if (this.#asleep === 0) this.#pause()
  }

  #pause(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #wakeSlot(index: number): void {
    const due = this.#slots[index]
    if (due === undefined) return
    this.#slots[index] = undefined
    this.#asleep -= due.size
    const { now } = this
    for (const sleeper of due) {
      // Cancelled by one that was woken before it.
      if (sleeper.wakesAt > this.#tick) continue
      sleeper.wakesAt = Number.POSITIVE_INFINITY
      const next = sleeper.wake(now)
      if (next !== undefined) this.schedule(sleeper, next)
    }
  }
}
