import { Batch } from '../hub/batch.ts'
import { encodeRetry } from '../protocol/event-stream.ts'

/** Around the usual reconnection time: clients keep what they were told last, and are not to be slower for it afterwards. */
const shortestMs = 1000
const longestMs = 5000
const stepMs = 100

/** A few that streams share: each is framed and compressed once. */
const farewells = Array.from(
  { length: (longestMs - shortestMs) / stepMs + 1 },
  (_, i) => new Batch(encodeRetry(shortestMs + i * stepMs)),
)

/**
 * What a hub that shuts down says last: to reconnect, after a random time, so that those who are sent away together do not come back
 * together, and those who were to wait for long come back soon.
 */
export const farewell = (): Batch => farewells[Math.floor(Math.random() * farewells.length)]!
