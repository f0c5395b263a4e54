import type { Anchor } from '../protocol/matcher.ts'
import { PrefixTree } from './prefix-tree.ts'

/** Items whose anchors have the same prefix and the same literal. */
interface Bucket<Item> {
  readonly items: Set<Item>
  /** The last search that found it: a literal may occur more than once. */
  foundIn: number
}

/** Buckets by the end of their literal, by prefix. */
type Buckets<Item> = PrefixTree<PrefixTree<Bucket<Item>>>

/** Of longer literals the end is enough, so that a literal is looked for at every place of a text in bounded time. */
const maxLiteralLength = 32

/**
 * Patterns, or what belongs to them, by the literals that they require of a topic: to find those that may match it costs the number
 * found and the topic's length, not the number there is.
 */
export class Patterns<Item> {
  /** Few: one for the topics themselves, and one for each URL that the hub is addressed by. */
  readonly #byText = new Map<Anchor['textOf'], Buckets<Item>>()
  #search = 0

  get isEmpty(): boolean {
    return this.#byText.size === 0
  }

  add({ textOf, prefix, literal }: Anchor, item: Item): void {
    const byPrefix: Buckets<Item> = this.#byText.get(textOf) ?? new PrefixTree()
    this.#byText.set(textOf, byPrefix)
    const byLiteral = byPrefix.get(prefix) ?? new PrefixTree()
    byPrefix.set(prefix, byLiteral)
    const key = literal.slice(-maxLiteralLength)
    const bucket = byLiteral.get(key) ?? { items: new Set(), foundIn: 0 }
    byLiteral.set(key, bucket)
    bucket.items.add(item)
  }

  delete({ textOf, prefix, literal }: Anchor, item: Item): void {
    const key = literal.slice(-maxLiteralLength)
    const byPrefix = this.#byText.get(textOf)
    const byLiteral = byPrefix?.get(prefix)
    const bucket = byLiteral?.get(key)
    if (bucket?.items.delete(item) !== true || bucket.items.size > 0) return
    byLiteral!.delete(key)
    if (byLiteral!.isEmpty) byPrefix!.delete(prefix)
    if (byPrefix!.isEmpty) this.#byText.delete(textOf)
  }

  /** Calls `found` once with each item whose literals the topic has. */
  candidates(topic: string, found: (item: Item) => void): void {
    const search = ++this.#search
    const foundBucket = (bucket: Bucket<Item>) => {
      if (bucket.foundIn === search) return
      bucket.foundIn = search
      for (const item of bucket.items) found(item)
    }
    for (const [textOf, byPrefix] of this.#byText) {
      const text = textOf(topic)
      if (text === null) continue
      byPrefix.match(text, 0, (byLiteral, end) => {
        if (byLiteral.isTrivial) byLiteral.match(text, end, foundBucket)
        else for (let at = end; at <= text.length; at++) byLiteral.match(text, at, foundBucket)
      })
    }
  }
}
