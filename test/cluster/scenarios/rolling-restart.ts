import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { BackendServer } from '../../support/backends.ts'
import { type ClusterHub, TestCluster } from '../../support/cluster.ts'
import { Crowd, type Moment } from '../../support/crowd.ts'

const topic = 'https://example.com/restarts'
/** Updates that each publisher publishes in a second, at most. */
const pace = 5
/** Those who come to a node that stops, before the balancer has noticed. */
const early = 10

/** What one restart was like, for who looks. */
export interface Restart {
  /** Streams that the node had. */
  readonly streams: number
  readonly tookMs: number
  /** The most in any second. */
  readonly endsPerSecond: number
  readonly returnsPerSecond: number
}

export interface RollingRestart {
  readonly restarts: readonly Restart[]
  /** Updates, each of which all had to receive. */
  readonly published: number
  /** Updates for which a publisher had to turn to another node, since nobody listened at its own one any more. */
  readonly moved: number
}

/**
 * Three nodes are stopped and started again, one after the other, while publishers publish at each and very many clients follow: every client receives
 * every update once, in order, no publisher is refused, and clients come back a few at a time.
 */
export async function rollingRestart(
  server: BackendServer,
  { clients, shutdownTimeout }: { readonly clients: number; readonly shutdownTimeout: string },
): Promise<RollingRestart> {
  await using cluster = await TestCluster.start(server.url('restarts'), `shutdown_timeout: ${shutdownTimeout}`)
  const stopping = new Set<ClusterHub>()
  const inRotation = () => cluster.hubs.filter(hub => !stopping.has(hub))
  await using publishing = new Publishers(cluster.hubs)
  const crowd = new Crowd({ topic, inRotation, published: () => publishing.published })
  try {
    await crowd.come(clients)
    publishing.start()
    // Who has received nothing yet has no id to go on from, and begins with what is new.
    await crowd.until(({ next }) => next.length > 0)
    const restarts: Restart[] = []
    for (const hub of cluster.hubs) {
      const streams = crowd.sizeAt(hub)
      const from = { ends: crowd.ends.length, returns: crowd.returns.length, ...crowd.now() }
      const stopped = hub.stop()
      await hub.isReady(false)
      for (let i = 0; i < early; i++) crowd.arrive(hub)
      stopping.add(hub)
      assert.equal(await stopped, 0)
      const { atMs, published } = crowd.now()
      const ends = crowd.ends.slice(from.ends)
      assert.ok(ends.length >= streams, `${ends.length} of ${streams} streams have ended`)
      assertSpread(ends, { from: from.published, to: published })
      await hub.start()
      stopping.delete(hub)
      restarts.push({
        streams,
        tookMs: atMs - from.atMs,
        endsPerSecond: most(ends),
        returnsPerSecond: most(crowd.returns.slice(from.returns)),
      })
    }
    await publishing.stop()
    const { issued } = publishing
    await crowd.until(({ next }) => issued.every((count, publisher) => next[publisher] === count))
    const { lost, repeated, failed } = crowd
    assert.deepEqual({ lost, repeated, failed }, { lost: 0, repeated: 0, failed: [] })
    assert.deepEqual(publishing.refusals, [])
    for (const hub of cluster.hubs) assert.equal((await hub.listed('0.x')).length, clients + 3 * early)
    return { restarts, published: publishing.published, moved: publishing.moved }
  } finally {
    crowd.close()
  }
}

/** Of the updates that were published meanwhile, no eighth saw half of the streams end: who ends all at once ends them between two updates. */
function assertSpread(ends: readonly Moment[], { from, to }: { from: number; to: number }): void {
  const eighths = new Array<number>(8).fill(0)
  for (const { published } of ends) {
    const eighth = Math.min(7, Math.floor(((published - from) * 8) / (to - from + 1)))
    eighths[eighth] = eighths[eighth]! + 1
  }
  assert.ok(Math.max(...eighths) < ends.length / 2, `the streams ended in bursts: ${eighths}`)
}

/** The most of them within a second. */
function most(moments: readonly Moment[]): number {
  const bySecond = new Map<number, number>()
  for (const { atMs } of moments) {
    const second = Math.floor((atMs - moments[0]!.atMs) / 1000)
    bySecond.set(second, (bySecond.get(second) ?? 0) + 1)
  }
  return Math.max(0, ...bySecond.values())
}

/** One publisher at each node, which keeps to it until nobody listens there any more. */
class Publishers implements AsyncDisposable {
  readonly issued = [0, 0, 0]
  /** What was answered instead of 200. */
  readonly refusals: string[] = []
  published = 0
  moved = 0
  readonly #hubs: readonly ClusterHub[]
  #isStopped = false
  #running: Promise<unknown> = Promise.resolve()

  constructor(hubs: readonly ClusterHub[]) {
    this.#hubs = hubs
  }

  start(): void {
    this.#running = Promise.all(
      this.#hubs.map((_, i) => this.#run(i, [...this.#hubs.slice(i), ...this.#hubs.slice(0, i)])),
    )
  }

  async #run(publisher: number, hubs: ClusterHub[]): Promise<void> {
    while (!this.#isStopped) {
      const data = `${publisher}:${this.issued[publisher]!++}`
      for (let tries = 0; ; tries++) {
        const { status, text } = await hubs[0]!.publish({ topic, data })
        if (status === 200) break
        assert.ok(tries < hubs.length, `no node can be reached: ${text}`)
        if (status !== 0) this.refusals.push(text)
        this.moved++
        hubs.push(hubs.shift()!)
      }
      this.published++
      await pause(1000 / pace)
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
