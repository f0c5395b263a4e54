import { v7 as uuidv7 } from 'uuid'

/** `urn:uuid:` and a UUID v7 (RFC 9562, section 6.2, method 1): ids that the hub assigns sort in the order of the calls. */
export function createUpdateId(): string {
  const random = takeRandom()
  const now = Date.now()
  if (now > lastId.msecs) {
    lastId.msecs = now
    lastId.seq = ((random[6]! << 16) | (random[7]! << 8) | random[8]!) >>> 0
  } else lastId.seq++
  return `urn:uuid:${uuidv7({ random, ...lastId })}`
}

/** The time of the newest id, in milliseconds, and the counter of the ids within it. */
const lastId = { msecs: 0, seq: 0 }

/** Random bytes of 256 ids: asking the system for those of one costs more than all else that makes it. */
const pool = new Uint8Array(16 * 256)
let taken = pool.length

function takeRandom(): Uint8Array {
  if (taken === pool.length) {
    crypto.getRandomValues(pool)
    taken = 0
  }
  taken += 16
  return pool.subarray(taken - 16, taken)
}
