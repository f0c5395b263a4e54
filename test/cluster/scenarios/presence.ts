import assert from 'node:assert/strict'
import type { Generation } from '../../../src/protocol/generation.ts'
import { Attendance, aside, type Visit } from '../../support/attendance.ts'
import type { ClusterHub, TestCluster } from '../../support/cluster.ts'
import { createRandom } from '../../support/random.ts'

const visits = 1000
const streams = 100
const patternsOfEach = 100
const generations: readonly Generation[] = ['0.x', '1.0']
/** What a node answers, one request after the other, while it has much to do, at least. One that stalls answers none. */
const some = 3

/** Who is there, as all nodes of one cluster say, whatever becomes of the nodes. The scenarios are in their order. */
export class Presence {
  readonly #cluster: TestCluster
  readonly #attendance: Attendance
  readonly #random = createRandom(6)

  constructor(cluster: TestCluster) {
    this.#cluster = cluster
    this.#attendance = new Attendance(cluster)
  }

  /** Subscribers come to any node, and go. Some stay. */
  async comeAndGo(): Promise<void> {
    const { hubs } = this.#cluster
    const random = this.#random
    for (const hub of hubs) await this.#attendance.watch(hub)
    const present: Visit[] = []
    let next = 0
    const run = async () => {
      while (next < visits) {
        const pattern = `visit-${next++}`
        present.push(await this.#attendance.arrive(random.pick(hubs), random.pick(generations), [pattern]))
        if (random.next() < 0.95) this.#attendance.leave(present.splice(random.below(present.length), 1)[0]!)
      }
    }
    await Promise.all(Array.from({ length: 16 }, run))
    assert.ok(present.length > 20 && present.length < 100, `${present.length} have stayed`)
    await this.#attendance.listed()
    await this.#attendance.assertAnnounced()
  }

  /** Ten thousand at one node, which has a word for everybody else meanwhile. */
  async crowd(): Promise<void> {
    const [, , crowded] = this.#cluster.hubs
    const before = this.#attendance.watchers.map(({ course }) => course.length)
    await using business = new Business(crowded, 'crowded')
    let stream = 0
    const run = async () => {
      while (stream < streams) {
        const number = stream++
        const patterns = Array.from({ length: patternsOfEach }, (_, i) => `crowd-${number}-${i}`)
        await this.#attendance.arrive(crowded, generations[number % 2]!, patterns)
      }
    }
    await Promise.all(Array.from({ length: 10 }, run))
    for (const [i, watcher] of this.#attendance.watchers.entries()) {
      await watcher.until(() => watcher.begins === visits + streams * patternsOfEach)
      const comings = between('+', watcher.course.slice(before[i]))
      assert.ok(countOf('crowded', comings) >= some, 'what others publish is stored among the events')
    }
    assert.ok((await business.stop()) >= some)
    await this.#attendance.listed()
    await this.#attendance.assertAnnounced()
  }

  /** The node of the ten thousand dies, and comes back: the others say that they have left, once, and have a word for everybody else meanwhile. */
  async death(): Promise<void> {
    const [one, two, crowded] = this.#cluster.hubs
    await this.#attendance.kill(crowded)
    await crowded.start()
    // It has heard of nobody who is not there.
    await this.#attendance.listed([crowded])
    const before = this.#attendance.watchers.map(({ course, ends }) => ({ length: course.length, ends }))
    await using ones = new Business(one, 'one')
    await using twos = new Business(two, 'two')
    for (const [i, watcher] of this.#attendance.watchers.entries()) {
      const { length, ends } = before[i]!
      await watcher.until(() => watcher.ends >= ends + streams * patternsOfEach)
      const goings = between('-', watcher.course.slice(length))
      for (const name of ['one', 'two']) {
        assert.ok(countOf(name, goings) >= some, 'what others publish is stored among the events')
      }
    }
    for (const business of [ones, twos]) assert.ok((await business.stop()) >= some)
    await this.#attendance.listed()
    await this.#attendance.assertAnnounced()
  }

  /** All nodes die at once: those who were there are not when the nodes are started again. */
  async endOfAll(): Promise<void> {
    const { hubs } = this.#cluster
    await Promise.all(hubs.map(hub => this.#attendance.kill(hub)))
    await this.#cluster.startAll()
    await this.#attendance.listed()
    for (const [i, hub] of hubs.entries()) await this.#attendance.arrive(hub, generations[i % 2]!, [`after-${i}`])
    await this.#attendance.listed()
  }
}

/** The part of a course from the first of these changes to the last one. */
const between = (change: string, course: readonly string[]): readonly string[] =>
  course.slice(course.indexOf(change), course.lastIndexOf(change))

const countOf = (name: string, course: readonly string[]): number => course.filter(one => one === name).length

/** What a node has to do besides: one who publishes there, and one who asks how it is. */
class Business implements AsyncDisposable {
  readonly #ends: Promise<number>[]
  #over = false

  constructor(hub: ClusterHub, name: string) {
    const data = JSON.stringify({ by: name })
    this.#ends = [this.#repeat(() => hub.publish({ topic: aside, data })), this.#repeat(() => hub.get('/healthz'))]
  }

  async #repeat(ask: () => Promise<{ status: number; text: string }>): Promise<number> {
    for (let count = 0; ; count++) {
      if (this.#over) return count
      const { status, text } = await ask()
      assert.equal(status, 200, text)
    }
  }

  /** How often the one that was answered less often has been answered. */
  async stop(): Promise<number> {
    this.#over = true
    return Math.min(...(await Promise.all(this.#ends)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
