/** Time as a cluster's node sees it. */
export interface Clock {
  /** Milliseconds from any beginning; never goes back. */
  now(): number
  /** Calls `action` at this interval, until the function that it gives is called. */
  every(intervalMs: number, action: () => void): () => void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  every(intervalMs, action) {
    const timer = setInterval(action, intervalMs).unref()
    return () => clearInterval(timer)
  },
}
