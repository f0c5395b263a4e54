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
  readonly #tickMs: number
  readonly #slots: Sleeper[][] = Array.from({ length: slotCount }, () => [])
  #tick: number
  #timer: NodeJS.Timeout | undefined
  #asleep = 0

  /** `tickMs` is the resolution: a sleeper wakes up to one tick late. */
  constructor(tickMs: number) {
    this.#tickMs = tickMs
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
    const tick = Math.min(Math.max(Math.ceil(at / this.#tickMs), this.#tick + 1), furthest)
    if (sleeper.wakesAt <= tick) return
    sleeper.wakesAt = tick
    this.#slots[tick % slotCount]!.push(sleeper)
    this.#asleep++
  }

  close(): void {
    this.#pause()
    for (const slot of this.#slots) slot.length = 0
    this.#asleep = 0
  }

  #currentTick(): number {
    return Math.floor(performance.now() / this.#tickMs)
  }

  #begin(): void {
    this.#tick = this.#currentTick()
    this.#timer = setInterval(() => this.#advance(), this.#tickMs)
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
    const due = this.#slots[index]!
    if (due.length === 0) return
    this.#slots[index] = []
    this.#asleep -= due.length
    const { now } = this
    for (const sleeper of due) {
      // Entered again for an earlier time since: this entry is stale.
      if (sleeper.wakesAt > this.#tick) continue
      sleeper.wakesAt = Number.POSITIVE_INFINITY
      const next = sleeper.wake(now)
      if (next !== undefined) this.schedule(sleeper, next)
    }
  }
}
