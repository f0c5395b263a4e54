import { LRUCache } from 'lru-cache'

/** What an item of a list is known by, among all items at any time. */
interface Numbered {
  readonly serial: number
}

interface Answer<Item> {
  readonly items: readonly Item[]
  /** The newest item, by its serial, that was there to be asked. */
  readonly checkedTo: number
}

interface List<Item> {
  readonly hash: number
  readonly items: readonly Item[]
}

/** Memory of what is remembered, in bytes, as estimates: a topic beside its text, an item of a list, and all topics and all lists. */
const topicBytes = 200
const itemBytes = 8
const maxBytes = 16 << 20

/** Which items were found for a topic, for as many topics as memory is given for. Topics with the same items share one list of them. */
export class Answers<Item extends Numbered> {
  readonly #topics = new LRUCache<string, { readonly list: number; readonly checkedTo: number }>({
    maxSize: maxBytes,
    sizeCalculation: (_, topic) => topicBytes + 2 * topic.length,
  })
  readonly #lists = new LRUCache<number, List<Item>>({
    maxSize: maxBytes,
    sizeCalculation: ({ items }) => topicBytes + itemBytes * items.length,
    dispose: ({ hash }, list) => {
      if (this.#listByHash.get(hash) === list) this.#listByHash.delete(hash)
    },
  })
  readonly #listByHash = new Map<number, number>()
  #newestList = 0

  get(topic: string): Answer<Item> | undefined {
    const answer = this.#topics.get(topic)
    const list = answer && this.#lists.get(answer.list)
    return list && { items: list.items, checkedTo: answer.checkedTo }
  }

  set(topic: string, { items, checkedTo }: Answer<Item>): void {
    this.#topics.set(topic, { list: this.#keep(items), checkedTo })
  }

  /** The number of the list of these items. */
  #keep(items: readonly Item[]): number {
    let hash = items.length
    for (const { serial } of items) hash = (Math.imul(hash, 31) + serial) | 0
    const alike = this.#listByHash.get(hash)
    if (alike !== undefined && areEqual(this.#lists.get(alike)?.items, items)) return alike
    const list = ++this.#newestList
    this.#lists.set(list, { hash, items })
    this.#listByHash.set(hash, list)
    return list
  }
}

const areEqual = (known: readonly unknown[] | undefined, items: readonly unknown[]): boolean =>
  known?.length === items.length && known.every((item, i) => item === items[i])
