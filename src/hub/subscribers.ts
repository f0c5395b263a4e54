import { LRUCache } from 'lru-cache'
import type { Matcher } from '../protocol/matcher.ts'
import type { Update } from '../protocol/update.ts'
import type { Subscriber } from './subscriber.ts'

/** The live subscribers of one pattern. `serial` grows: a topic checked against groups up to one serial needs only the newer ones. */
interface PatternGroup {
  readonly serial: number
  readonly matcher: Matcher
  readonly subscribers: Set<Subscriber>
}

/** The groups that a topic was found to match, out of all those up to `checkedTo`. */
interface MatchedGroups {
  readonly groups: readonly PatternGroup[]
  readonly checkedTo: number
}

/** Topics whose matching groups are remembered, and groups remembered in all. */
const cachedTopics = 100_000
const cachedGroups = 1_000_000

/**
 * The live subscribers, found by update: exact topics in a map, each distinct pattern asked once per topic and its answer
 * remembered, so that repeated topics cost the number of matches and not the number of subscribers.
 */
export class Subscribers {
  readonly #everything = new Set<Subscriber>()
  readonly #exact = new Map<string, Set<Subscriber>>()
  readonly #groupOf = new Map<Matcher, PatternGroup>()
  /** In order of serial. Emptied groups stay until half of the list is empty. */
  #groups: PatternGroup[] = []
  #emptied = 0
  #serial = 0
  #search = 0
  readonly #matched = new LRUCache<string, MatchedGroups>({
    max: cachedTopics,
    maxSize: cachedGroups,
    sizeCalculation: matched => matched.groups.length + 1,
  })

  add(subscriber: Subscriber): void {
    for (const matcher of subscriber.matchers) {
      if (matcher.everything) this.#everything.add(subscriber)
      else if (matcher.exact) addTo(this.#exact, matcher.pattern, subscriber)
      else this.#group(matcher).subscribers.add(subscriber)
    }
  }

  remove(subscriber: Subscriber): void {
    for (const matcher of subscriber.matchers) {
      if (matcher.everything) this.#everything.delete(subscriber)
      else if (matcher.exact) removeFrom(this.#exact, matcher.pattern, subscriber)
      else this.#removeFromGroup(matcher, subscriber)
    }
  }

  /** Calls `found` once for each live subscriber to whom the update is to be delivered. */
  match(update: Update, found: (subscriber: Subscriber) => void): void {
    this.#search++
    for (const topic of update.topics) {
      this.#visit(this.#exact.get(topic), update, found)
      for (const group of this.#groupsMatching(topic)) this.#visit(group.subscribers, update, found)
    }
    this.#visit(this.#everything, update, found)
  }

  #visit(subscribers: Set<Subscriber> | undefined, update: Update, found: (subscriber: Subscriber) => void): void {
    if (subscribers === undefined) return
    for (const subscriber of subscribers) {
      if (subscriber.foundFor === this.#search) continue
      subscriber.foundFor = this.#search
      if (!update.private || subscriber.mayReceivePrivate(update)) found(subscriber)
    }
  }

  #groupsMatching(topic: string): readonly PatternGroup[] {
    if (this.#groups.length === 0) return none
    const known = this.#matched.get(topic)
    if (known !== undefined && known.checkedTo === this.#serial) return known.groups
    const groups = known?.groups.filter(group => group.subscribers.size > 0) ?? []
    for (let i = this.#firstAfter(known?.checkedTo ?? 0); i < this.#groups.length; i++) {
      const group = this.#groups[i]!
      if (group.subscribers.size > 0 && group.matcher.matches(topic)) groups.push(group)
    }
    this.#matched.set(topic, { groups, checkedTo: this.#serial })
    return groups
  }

  /** The place in `#groups` of the first group with a serial above the given one. */
  #firstAfter(serial: number): number {
    let low = 0
    let high = this.#groups.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#groups[middle]!.serial > serial) high = middle
      else low = middle + 1
    }
    return low
  }

  #group(matcher: Matcher): PatternGroup {
    let group = this.#groupOf.get(matcher)
    if (group === undefined) {
      group = { serial: ++this.#serial, matcher, subscribers: new Set() }
      this.#groupOf.set(matcher, group)
      this.#groups.push(group)
    }
    return group
  }

  #removeFromGroup(matcher: Matcher, subscriber: Subscriber): void {
    const group = this.#groupOf.get(matcher)
    if (group === undefined || !group.subscribers.delete(subscriber) || group.subscribers.size > 0) return
    this.#groupOf.delete(matcher)
    this.#emptied++
    if (this.#emptied * 2 < this.#groups.length) return
    this.#groups = this.#groups.filter(({ subscribers }) => subscribers.size > 0)
    this.#emptied = 0
  }
}

const none: readonly PatternGroup[] = []

function addTo(sets: Map<string, Set<Subscriber>>, key: string, subscriber: Subscriber): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([subscriber]))
  else set.add(subscriber)
}

function removeFrom(sets: Map<string, Set<Subscriber>>, key: string, subscriber: Subscriber): void {
  const set = sets.get(key)
  if (set?.delete(subscriber) && set.size === 0) sets.delete(key)
}
