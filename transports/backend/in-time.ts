/**
 * What a promise gives, if it does within the time; what it gives later is nobody's. 0: however long it takes.
 * @throws what the promise throws; what `late` gives when the time is over
 */
export async function inTime<Value>(promise: Promise<Value>, timeoutMs: number, late: () => Error): Promise<Value> {
  if (timeoutMs === 0) return await promise
  const over = Promise.withResolvers<never>()
  const timer = setTimeout(() => over.reject(late()), timeoutMs)
  try {
    return await Promise.race([promise, over.promise])
  } finally {
    clearTimeout(timer)
    promise.catch(() => {})
  }
}
