import { HubError } from '../../src/errors.ts'

/** A log that cannot be read as it was written, with what can be done. `what` is the rest of "The log FILE …". */
export const damaged = (path: string, what: string, cause?: unknown): HubError =>
  new HubError(
    'transport_unavailable',
    `The log ${path} ${what}: restore a backup of it, or move it away to begin anew; "talaria history ${path} --export - > FILE" saves what can be read.`,
    { cause },
  )

/** An error of a reading as a sentence. */
export function readingFailed(path: string, cause: unknown): HubError {
  if (cause instanceof HubError) return cause
  if (isDamage(cause)) return damaged(path, `is damaged (${messageOf(cause)})`, cause)
  return new HubError('transport_unavailable', `The log ${path} cannot be read now: ${messageOf(cause)}.`, { cause })
}

/** LMDB found pages that are not what they should be, or an entry was none. What is lacking is no damage: memory, room for a reader. */
export const isDamage = (error: unknown): boolean =>
  error instanceof RangeError ||
  /^MDB_(CORRUPTED|PAGE_NOTFOUND|PANIC|INVALID|BAD_TXN|BAD_VALSIZE|CURSOR_FULL)/.test(messageOf(error))

/** LMDB's and Node's messages, without the full stop that some have. */
export const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
