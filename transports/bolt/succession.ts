import type { HubError } from '../../src/errors.ts'
import { damaged } from './failure.ts'

/**
 * Numbers grow by one: an entry that is missing among others is damage, which must not pass for a log without it.
 * @throws HubError unless the entries follow that number, and one another
 */
export function requireSuccession(
  path: string,
  entries: readonly { readonly sequence: number }[],
  after: number,
): void {
  const wrong = entries.findIndex(({ sequence }, i) => sequence !== after + 1 + i)
  if (wrong >= 0) throw missing(path, after + 1 + wrong)
}

export const missing = (path: string, sequence: number): HubError =>
  damaged(path, `is damaged (entry ${sequence} is missing)`)
