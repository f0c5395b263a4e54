/** An update's place in a topic. Ledgers follow each other; one of several in an entry has an index there. */
export interface Position {
  readonly ledger: number
  readonly entry: number
  /** -1: it is alone in its entry, or this is the entry with all that is in it. */
  readonly index: number
  /** Where the topic has partitions, the one that it is in; -1: it has none. */
  readonly partition: number
}

/** Where one of the two is an entry as a whole, what is in that is not told apart. */
export const compare = (a: Position, b: Position): number =>
  a.ledger - b.ledger || a.entry - b.entry || (a.index < 0 || b.index < 0 ? 0 : a.index - b.index)

export const isAfter = (a: Position, b: Position): boolean => compare(a, b) > 0

/** As the log's positions are written: `ledger:entry`, with `:index` for one of a batch. */
export const formatPosition = ({ ledger, entry, index }: Position): string =>
  index < 0 ? `${ledger}:${entry}` : `${ledger}:${entry}:${index}`

export function parsePosition(text: string): Position | undefined {
  const [, ledger, entry, index] = /^(\d{1,15}):(\d{1,15})(?::(\d{1,9}))?$/.exec(text) ?? []
  if (ledger === undefined || entry === undefined) return undefined
  return { ledger: Number(ledger), entry: Number(entry), index: Number(index ?? -1), partition: -1 }
}

/** After which a reader begins so that nothing behind a place is missed: several updates are in one entry. */
export const readerStart = (position: Position): Position => (position.index < 0 ? position : before(position))

/** The place before an entry, after which a reader begins with it. */
export const before = ({ ledger, entry }: Position): Position => ({
  ledger,
  entry: entry - 1,
  index: -1,
  partition: -1,
})

/** The fields of `MessageIdData` in Pulsar's protocol that tell a place, by their numbers. */
const fields = { ledger: 1, entry: 2, partition: 3, index: 4 } as const

/** A message id as Pulsar's clients write it: a protobuf of numbers. */
export function encodeMessageId({ ledger, entry, index }: Position): Buffer {
  const bytes: number[] = []
  const put = (field: number, value: number) => {
    bytes.push(field << 3, ...varint(BigInt(value)))
  }
  put(fields.ledger, ledger)
  put(fields.entry, entry)
  if (index >= 0) put(fields.index, index)
  return Buffer.from(bytes)
}

/** @throws RangeError for what is not one */
export function decodeMessageId(bytes: Uint8Array): Position {
  const found = new Map<number, number>()
  let i = 0
  const next = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[i++]
      if (byte === undefined) break
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, value)
    }
    throw new RangeError('a message id ends too early')
  }
  while (i < bytes.length) {
    const tag = Number(next())
    const wireType = tag & 7
    if (wireType === 0) found.set(tag >> 3, Number(next()))
    else if (wireType === 2) i += Number(next())
    else throw new RangeError('a message id has a field of an unknown kind')
  }
  const ledger = found.get(fields.ledger)
  const entry = found.get(fields.entry)
  if (ledger === undefined || entry === undefined) throw new RangeError('a message id names no ledger or no entry')
  return { ledger, entry, index: found.get(fields.index) ?? -1, partition: found.get(fields.partition) ?? -1 }
}

/** Negative numbers are written as their complement to 2^64. */
function varint(value: bigint): number[] {
  let rest = BigInt.asUintN(64, value)
  const bytes: number[] = []
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return [...bytes, Number(rest)]
}
