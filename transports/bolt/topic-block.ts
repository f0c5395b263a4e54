const headBytes = 8
const pairBytes = 6

/**
 * Which topics the entries of a block have, a block being about a thousand successive entries. It is stored once, when the
 * block is complete: an index by topic would change pages all over the file with every commit. Who looks for a topic reads one such record
 * in place of a thousand entries.
 *
 *     first  8 bytes: the number of the block's first entry
 *     pairs  6 bytes each, ascending: the hash of a topic (4), and the number of an entry that has it, counted from `first` (2)
 *
 * Numbers are big-endian. Topics with the same hash are found together, which the reader sorts out.
 */
export class TopicBlock {
  /** It is complete with the entry that reaches one of these. */
  static readonly bounds = { entries: 1024, bytes: 4 << 20, topics: 1 << 16 }
  readonly first: number
  #entries = 0
  #bytes = 0
  /** Each pair as one number, hash × 65536 + offset, so that their order is that of the record. */
  #pairs: number[] = []

  constructor(first: number) {
    this.first = first
  }

  /** The number of the newest entry in it. */
  get last(): number {
    return this.first + this.#entries - 1
  }

  get isComplete(): boolean {
    const { bounds } = TopicBlock
    return this.#entries >= bounds.entries || this.#bytes >= bounds.bytes || this.#pairs.length >= bounds.topics
  }

  /** Adds the next entry, which takes so many bytes. */
  add(topics: readonly string[], byteLength: number): void {
    for (const topic of topics) this.#pairs.push(hashOf(topic) * 2 ** 16 + this.#entries)
    this.#entries++
    this.#bytes += byteLength
  }

  copy(): TopicBlock {
    const copy = new TopicBlock(this.first)
    copy.#entries = this.#entries
    copy.#bytes = this.#bytes
    copy.#pairs = this.#pairs.slice()
    return copy
  }

  encode(): Buffer {
    const record = Buffer.allocUnsafe(headBytes + this.#pairs.length * pairBytes)
    record.writeUIntBE(0, 0, 2)
    record.writeUIntBE(this.first, 2, 6)
    Float64Array.from(this.#pairs)
      .sort()
      .forEach((pair, i) => {
        record.writeUIntBE(pair, headBytes + i * pairBytes, pairBytes)
      })
    return record
  }
}

/** The number of the first entry in a stored block. */
export const firstInBlock = (record: Buffer): number => record.readUIntBE(2, 6)

/** The numbers of the entries in a stored block that may have one of the topics with these hashes, ascending. */
export function findInBlock(record: Buffer, hashes: Iterable<number>): number[] {
  const first = firstInBlock(record)
  const found = new Set<number>()
  for (const hash of hashes) {
    for (let at = lowerBound(record, hash); at < record.length && record.readUInt32BE(at) === hash; at += pairBytes) {
      found.add(first + record.readUInt16BE(at + 4))
    }
  }
  return [...found].sort((a, b) => a - b)
}

/** Where the pairs with a hash begin, in bytes. */
function lowerBound(record: Buffer, hash: number): number {
  let low = 0
  let high = (record.length - headBytes) / pairBytes
  while (low < high) {
    const middle = (low + high) >>> 1
    if (record.readUInt32BE(headBytes + middle * pairBytes) < hash) low = middle + 1
    else high = middle
  }
  return headBytes + low * pairBytes
}

/** FNV-1a of the UTF-16 code units. It is stored: another one would be another format. */
export function hashOf(topic: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < topic.length; i++) hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
