import { HubError } from '../../errors.ts'

/** A place in a regular expression's source, which those who read it move forward. */
export interface Reader {
  readonly source: string
  at: number
  /** Inside `(?i:…)`. */
  ignoreCase: boolean
}

export function eat(reader: Reader, expected: string): boolean {
  if (!reader.source.startsWith(expected, reader.at)) return false
  reader.at += expected.length
  return true
}

export function invalidRegexp(reason: string): HubError {
  return new HubError('matcher_invalid', `A regular expression in the pattern cannot be used: ${reason}.`)
}
