/** An update of a soak: which publisher's, and which of its. */
export interface Serial {
  readonly publisher: number
  readonly number: number
}

/** What a reader is to receive of the updates. */
export interface Selection {
  /** `undefined`: of all. */
  readonly publishers: ReadonlySet<number> | undefined
  /** It shows a token: private updates, too. */
  readonly isAuthorized: boolean
}

/** Each fourth update of a publisher. */
export const isPrivate = (number: number): boolean => number % 4 === 3

export const matches = ({ publishers, isAuthorized }: Selection, { publisher, number }: Serial): boolean =>
  (publishers === undefined || publishers.has(publisher)) && (isAuthorized || !isPrivate(number))

/** The update of its publisher that comes to this reader next after one that did. */
export function following({ isAuthorized }: Selection, number: number): number {
  return !isAuthorized && isPrivate(number + 1) ? number + 2 : number + 1
}

export const topicOf = (publisher: number): string => `https://example.com/soak/${publisher}`

/** `PUBLISHER:NUMBER:` and filling. */
export function composeData({ publisher, number }: Serial, length: number): string {
  return `${publisher}:${number}:`.padEnd(length, 'x')
}

/** `undefined`: it is none of the soak's. */
export function readSerial(data: string): Serial | undefined {
  const [, publisher, number] = /^(\d+):(\d+):/.exec(data) ?? []
  return publisher === undefined ? undefined : { publisher: Number(publisher), number: Number(number) }
}
