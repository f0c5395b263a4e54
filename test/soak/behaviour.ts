import { setTimeout as sleep } from 'node:timers/promises'
import type { Reader } from './reader.ts'

/** What a reader does besides reading: until the signal. */
export type Behaviour = (reader: Reader, signal: AbortSignal) => Promise<void>

const pause = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal }).catch(() => {})
const between = (from: number, to: number): number => from + Math.random() * (to - from)

/** Its streams end when the hub ends them. */
export const stay: Behaviour = async () => {}

/** It leaves in the middle of whatever comes, and is sometimes somebody new when it comes back. */
export const churn: Behaviour = async (reader, signal) => {
  while (!signal.aborted) {
    await pause(between(500, 6000), signal)
    if (signal.aborted) return
    if (Math.random() < 0.25) reader.beginAnew()
    else reader.leave()
  }
}

/** Now and then it takes nothing for longer than the hub bears, and then what is left. */
export const readSlowly: Behaviour = async (reader, signal) => {
  while (!signal.aborted) {
    await pause(between(1000, 8000), signal)
    reader.pause()
    await pause(between(5000, 30_000), signal)
    reader.resume()
  }
}

/** Of ten readers, six stay, three come and go, and one is slow. */
export const behaviourOf = (index: number): Behaviour =>
  index % 10 === 8 ? readSlowly : index % 10 >= 6 ? churn : stay
