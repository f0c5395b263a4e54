import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Generation } from '../../src/protocol/generation.ts'
import { type ClusterHub, type TestCluster, tokens } from './cluster.ts'
import type { EventStream } from './event-stream.ts'
import { Follower } from './follower.ts'
import { subscriptionsPath } from './subscriptions.ts'

/** One subscriber, with patterns that nobody else has. */
export interface Visit {
  readonly hub: ClusterHub
  readonly generation: Generation
  readonly patterns: readonly string[]
  readonly stream: EventStream
}

const generations: readonly Generation[] = ['0.x', '1.0']
const parameters = { '0.x': 'topic', '1.0': 'match' }
/** The topic of what is published besides. */
export const aside = 'aside'
/** The events of both generations, and what is published to tell that there are no more. */
const announcements = new URLSearchParams({
  topic: `${subscriptionsPath}/{topic}/{subscriber}`,
  match_urlpattern: `${subscriptionsPath}/exact/:match/:subscriber`,
  match: aside,
})
const isOwn = (pattern: string): boolean => pattern === aside || pattern.startsWith(subscriptionsPath)

/** Who subscribes to what in a cluster, as the test does it: to be compared with what the nodes say. */
export class Attendance {
  readonly #cluster: TestCluster
  readonly #present = new Set<Visit>()
  /** By pattern: `+` where it was subscribed to, then `-` where that has ended. */
  readonly #changes = new Map<string, string>()
  #watchers: Watcher[] = []
  #marks = 0

  constructor(cluster: TestCluster) {
    this.#cluster = cluster
  }

  get watchers(): readonly Watcher[] {
    return this.#watchers
  }

  /** From now on one who hears of all that comes and goes is at this node. */
  async watch(hub: ClusterHub): Promise<void> {
    this.#watchers.push(new Watcher(await Follower.open(hub, String(announcements), tokens.subscribe['0.x'])))
  }

  async arrive(hub: ClusterHub, generation: Generation, patterns: readonly string[]): Promise<Visit> {
    for (const pattern of patterns) this.#changes.set(pattern, '+')
    const query = new URLSearchParams(patterns.map(pattern => [parameters[generation], pattern]))
    const visit = { hub, generation, patterns, stream: await hub.subscribe(String(query)) }
    this.#present.add(visit)
    return visit
  }

  leave(visit: Visit): void {
    visit.stream.close()
    this.#remove(visit)
  }

  /** All who are at this node leave with it, as others will say of it. */
  async kill(hub: ClusterHub): Promise<void> {
    await hub.kill()
    this.#watchers = this.#watchers.filter(watcher => watcher.hub !== hub)
    for (const visit of this.#present) if (visit.hub === hub) this.#remove(visit)
  }

  #remove(visit: Visit): void {
    this.#present.delete(visit)
    for (const pattern of visit.patterns) this.#changes.set(pattern, '+-')
  }

  /** Resolves when each of these nodes lists those who are there, and nobody else. */
  async listed(hubs: readonly ClusterHub[] = this.#cluster.hubs): Promise<void> {
    for (const generation of generations) {
      const visits = [...this.#present].filter(visit => visit.generation === generation)
      const expected = visits.flatMap(({ patterns }) => patterns).sort()
      for (const hub of hubs) while (!areEqual(await listedAt(hub, generation), expected)) await nextTurn()
    }
  }

  /** Every watcher has heard of each change once, and of nothing else; `repeated`: or more than once in a row, where the log did not say whether it was stored. */
  async assertAnnounced({ repeated = false } = {}): Promise<void> {
    const told = ({ heard }: Watcher) => (repeated ? withoutRepetitions(heard) : heard)
    const count = countChanges(this.#changes)
    for (const watcher of this.#watchers) await watcher.until(() => countChanges(told(watcher)) >= count)
    // Whatever a node had to say before it has said before this.
    for (const hub of this.#cluster.hubs) {
      const data = JSON.stringify({ mark: ++this.#marks })
      assert.equal((await hub.publish({ topic: aside, data })).status, 200)
      await Promise.all(this.#watchers.map(watcher => watcher.until(() => watcher.mark === this.#marks)))
    }
    for (const watcher of this.#watchers) assert.deepEqual(told(watcher), this.#changes)
  }
}

const countChanges = (changes: ReadonlyMap<string, string>): number => [...changes.values()].join('').length

const withoutRepetitions = (changes: ReadonlyMap<string, string>): Map<string, string> =>
  new Map([...changes].map(([pattern, heard]) => [pattern, heard.replace(/(.)\1+/g, '$1')]))

/** What a subscriber of the events has heard. */
export class Watcher {
  readonly hub: ClusterHub
  /** By pattern: `+` for each event that says it is active, `-` for each that says it has ended. */
  readonly heard = new Map<string, string>()
  /** Everything in its order: `+`, `-`, and the names of those who publish besides. */
  readonly course: string[] = []
  begins = 0
  ends = 0
  mark = 0
  readonly #follower: Follower
  #read = 0

  constructor(follower: Follower) {
    this.#follower = follower
    this.hub = follower.hub
  }

  /** Resolves when the condition holds of what it has heard. */
  async until(condition: () => boolean): Promise<void> {
    await this.#follower.until(() => {
      this.#readOn()
      return condition()
    })
  }

  #readOn(): void {
    const events = this.#follower.eventsFrom(this.#read)
    this.#read += events.length
    for (const { data } of events) {
      const { topic, match, active, mark, by } = JSON.parse(data)
      if (mark !== undefined) this.mark = mark
      else if (by !== undefined) this.course.push(by)
      else if (!isOwn(topic ?? match)) this.#hear(topic ?? match, active)
    }
  }

  #hear(pattern: string, active: boolean): void {
    const change = active ? '+' : '-'
    this.heard.set(pattern, (this.heard.get(pattern) ?? '') + change)
    this.course.push(change)
    if (active) this.begins++
    else this.ends++
  }
}

const listedAt = async (hub: ClusterHub, generation: Generation): Promise<string[]> =>
  (await hub.listed(generation)).filter(pattern => !isOwn(pattern))

const areEqual = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i])
