import type { Matcher } from '../protocol/matcher.ts'
import type { Update } from '../protocol/update.ts'
import { Answers } from './answers.ts'
import { Patterns } from './patterns.ts'
import type { Subscriber } from './subscriber.ts'

/** The live subscribers of one pattern. `serial` grows: a topic checked against groups up to one serial needs only the newer ones. */
interface PatternGroup {
  readonly serial: number
  readonly matcher: Matcher
  readonly subscribers: Set<Subscriber>
}

/**
 * So many patterns are asked about a topic before the answer is worth remembering. Topics of few candidates, and among them those of
 * subscription events, which never come again, then cannot push out the others.
 */
const manyAsked = 16

/**
 * The live subscribers, found by update: exact topics in a map, patterns by the literals that they require. An update costs the
 * number of its matches, and of patterns that nearly match, but not the number of subscribers.
 */
export class Subscribers {
  readonly #everything = new Set<Subscriber>()
  readonly #exact = new Map<string, Set<Subscriber>>()
  readonly #groupOf = new Map<Matcher, PatternGroup>()
  readonly #patterns = new Patterns<PatternGroup>()
  #serial = 0
  #search = 0
  readonly #matched = new Answers<PatternGroup>()

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
    if (this.#patterns.isEmpty) return none
    const known = this.#matched.get(topic)
    if (known?.checkedTo === this.#serial) return known.items
    const checkedTo = known?.checkedTo ?? 0
    const groups = known?.items.filter(group => group.subscribers.size > 0) ?? []
    let asked = 0
    this.#patterns.candidates(topic, group => {
      if (group.serial <= checkedTo) return
      asked++
      if (group.matcher.matches(topic)) groups.push(group)
    })
    if (known !== undefined || asked >= manyAsked) this.#matched.set(topic, { items: groups, checkedTo: this.#serial })
    return groups
  }

  #group(matcher: Matcher): PatternGroup {
    let group = this.#groupOf.get(matcher)
    if (group === undefined) {
      group = { serial: ++this.#serial, matcher, subscribers: new Set() }
      this.#groupOf.set(matcher, group)
      this.#patterns.add(matcher.anchor, group)
    }
    return group
  }

  #removeFromGroup(matcher: Matcher, subscriber: Subscriber): void {
    const group = this.#groupOf.get(matcher)
    if (group === undefined || !group.subscribers.delete(subscriber) || group.subscribers.size > 0) return
    this.#groupOf.delete(matcher)
    this.#patterns.delete(matcher.anchor, group)
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
