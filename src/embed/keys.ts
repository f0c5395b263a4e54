import { HubError, quote } from '../errors.ts'

/** What is misspelt would be missing in silence. @throws HubError `body_malformed` */
export function requireKeys(given: unknown, known: readonly string[], subject: string): void {
  if (typeof given !== 'object' || given === null) {
    throw new HubError('body_malformed', `${subject} is an object with ${known.join(', ')}.`)
  }
  const unknown = Object.keys(given).find(key => !known.includes(key))
  if (unknown === undefined) return
  throw new HubError('body_malformed', `${subject} has no ${quote(unknown, 40)}; it has ${known.join(', ')}.`)
}
