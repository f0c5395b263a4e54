import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { Answer, ClusterHub, TestCluster } from './cluster.ts'
import type { Follower } from './follower.ts'

/** What became of an update, as far as its publisher was told. */
export type Fate = 'stored' | 'not stored' | 'unknown'

/**
 * Publishers of a cluster. Each publishes one update after the other, whatever it is told of the one before, at its own node; where that cannot be
 * reached, at the next one.
 */
export class Publishing implements AsyncDisposable {
  readonly #topic: string
  readonly #fates = new Map<string, Fate>()
  readonly #answered = new Map<ClusterHub, Fate[]>()
  readonly #changed = new EventEmitter().setMaxListeners(0)
  readonly #publishers: Promise<void>[]
  #stopped = false

  /** `publishers`: how many each node has. */
  constructor({ hubs }: TestCluster, { topic, publishers }: { topic: string; publishers: number }) {
    this.#topic = topic
    for (const hub of hubs) this.#answered.set(hub, [])
    this.#publishers = hubs.flatMap((_, home) =>
      Array.from({ length: publishers }, (_, i) =>
        this.#run(`${home}-${i}`, [...hubs.slice(home), ...hubs.slice(0, home)]),
      ),
    )
  }

  async #run(name: string, hubs: ClusterHub[]): Promise<void> {
    let unreached = 0
    for (let i = 0; !this.#stopped; i++) {
      const hub = hubs[0]!
      const data = `${name} ${i}`
      const id = `update ${data}`
      this.#fates.set(data, 'unknown')
      const answer = await hub.publish({ topic: this.#topic, data, private: 'on', ...(i % 2 === 0 && { id }) })
      const fate = fateOf(answer)
      this.#fates.set(data, fate)
      this.#answered.get(hub)!.push(fate)
      this.#changed.emit('change')
      unreached = answer.status === 0 ? unreached + 1 : 0
      assert.ok(unreached < hubs.length, 'no node can be reached')
      if (unreached > 0) hubs.push(hubs.shift()!)
    }
  }

  /** Resolves when so many more updates have been answered, by all nodes together. */
  async goesOn(count: number): Promise<void> {
    const all = () => [...this.#answered.values()].reduce((sum, { length }) => sum + length, 0)
    const end = all() + count
    while (all() < end) await once(this.#changed, 'change')
  }

  /** Resolves when a node has told one of its publishers one of these from now on. */
  async told(hub: ClusterHub, ...fates: readonly Fate[]): Promise<void> {
    const answered = this.#answered.get(hub)!
    const from = answered.length
    while (!answered.slice(from).some(fate => fates.includes(fate))) await once(this.#changed, 'change')
  }

  /** Resolves when the last updates have been answered. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#publishers)
  }

  /**
   * Expects, when it has stopped, that every follower has received what was stored: each update once, all in one order, those of a publisher in its own;
   * and nothing of which its publisher was told that it was not.
   */
  async assertReceived(followers: readonly Follower[], hub: ClusterHub): Promise<void> {
    const answer = await hub.publish({ topic: this.#topic, data: 'end', private: 'on' })
    assert.equal(answer.status, 200, answer.text)
    await Promise.all(followers.map(follower => follower.receives('end')))
    const received = followers[0]!.data.slice(0, -1)
    for (const follower of followers) {
      assert.ok(follower.data.join() === [...received, 'end'].join(), 'one order for all')
    }
    const all = new Set(received)
    assert.equal(all.size, received.length, 'each update comes once')
    const wrong = {
      lost: [] as string[],
      notStored: [] as string[],
      ofNobody: received.filter(d => !this.#fates.has(d)),
    }
    for (const [data, fate] of this.#fates) {
      if (fate === 'stored' && !all.has(data)) wrong.lost.push(data)
      if (fate === 'not stored' && all.has(data)) wrong.notStored.push(data)
    }
    assert.deepEqual(wrong, { lost: [], notStored: [], ofNobody: [] })
    const latest = new Map<string, number>()
    for (const data of received) {
      const [name = '', i] = data.split(' ')
      assert.ok(Number(i) > (latest.get(name) ?? -1), `${data} comes after ${latest.get(name)}`)
      latest.set(name, Number(i))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

function fateOf({ status, text, headers }: Answer): Fate {
  if (status === 200) return 'stored'
  if (status === 0) return 'unknown'
  assert.equal(status, 503, text)
  assert.match(headers['retry-after'] ?? '', /^\d+$/)
  return /It is not known whether/.test(text) ? 'unknown' : 'not stored'
}
