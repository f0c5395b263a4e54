/** The keys of a log. A cluster keeps them in one place, since all have the same text between `{` and `}`, or are that text. */
export interface Keys {
  /** A stream: the updates. */
  readonly log: string
  /** A stream with the same positions: of each update its id and its size. */
  readonly heads: string
  /** A sorted set of one score, for the order of its texts: ids with their positions. */
  readonly ids: string
  /** A number: how many updates have ever been stored. */
  readonly count: string
  /** A stream: what nodes have told each other in the last seconds. */
  readonly messages: string
  /** A hash: what hubs keep beside the updates. */
  readonly records: string
}

/** The key that remembers a publisher's key, a text of its own for each: the fingerprint, a space, and the update's id. */
export const publishKeyOf = ({ heads }: Keys, text: string): string => heads.replace(/heads$/, `key:${text}`)

export function keysOf(stream: string): Keys {
  const prefix = stream.includes('{') ? stream : `{${stream}}`
  return {
    log: stream,
    heads: `${prefix}:heads`,
    ids: `${prefix}:ids`,
    count: `${prefix}:count`,
    messages: `${prefix}:messages`,
    records: `${prefix}:records`,
  }
}

/** Where a stream begins: before its first entry. */
export const beginning = '0-0'

/** Positions are those of Redis: milliseconds since 1970, and a number for what was stored in the same one. */
export function isAfter(position: string, other: string): boolean {
  const [ms, number] = partsOf(position)
  const [otherMs, otherNumber] = partsOf(other)
  return ms === otherMs ? number > otherNumber : ms > otherMs
}

/** When what is at a position was stored, in milliseconds since 1970. */
export const timeOf = (position: string): number => partsOf(position)[0]

export const isPosition = (text: string): boolean => /^\d{1,16}-\d{1,16}$/.test(text)

function partsOf(position: string): [ms: number, number: number] {
  const dash = position.indexOf('-')
  return [Number(position.slice(0, dash)), Number(position.slice(dash + 1))]
}
