import { setTimeout as pause } from 'node:timers/promises'
import { ClusterHub } from '../support/cluster.ts'
import { bearer } from '../support/subscriptions.ts'
import { testKey } from '../support/token.ts'

const adminSecret = 'a-secret-for-operators-of-tests-alone'

const config = `
addr: 127.0.0.1:0
admin_addr: 127.0.0.1:0
admin_secret: ${adminSecret}
jwt_key: ${testKey}
allow_anonymous: true
subscriptions: true
log_format: JSON
max_queue_bytes: 256KiB
dispatch_timeout: 2s
write_timeout: 1m
heartbeat_interval: 5s
publish_timeout: 2s
shutdown_timeout: 5s
`

/** How long a balancer in front takes to notice that a node is stopping. */
const noticedAfterMs = 500

/** The nodes of a hub behind a balancer, each a process. */
export class Nodes implements AsyncDisposable {
  readonly hubs: readonly ClusterHub[]
  readonly #absent = new Set<ClusterHub>()
  #starts = 0

  static async start(url: URL, count: number): Promise<Nodes> {
    const nodes = new Nodes(`${config}transport_url: ${JSON.stringify(url.href)}\n`, count)
    try {
      // The first makes the log.
      for (const hub of nodes.hubs) await nodes.#start(hub)
    } catch (error) {
      await nodes[Symbol.asyncDispose]()
      throw error
    }
    return nodes
  }

  private constructor(config: string, count: number) {
    this.hubs = Array.from({ length: count }, () => new ClusterHub(config))
    process.once('exit', this.#kill)
  }

  /** One that the balancer takes for healthy; `undefined`: there is none. */
  pick(): ClusterHub | undefined {
    const healthy = this.hubs.filter(hub => !this.#absent.has(hub))
    return healthy[Math.floor(Math.random() * healthy.length)]
  }

  /** As people count. */
  numberOf(hub: ClusterHub): number {
    return this.hubs.indexOf(hub) + 1
  }

  /** Changes when they forget what they were told, since there is but one, which has ended. */
  get memory(): number {
    return this.hubs.length > 1 ? 0 : this.#starts
  }

  /** As in a rolling restart. @throws Error where it does not end with 0 */
  async restart(hub: ClusterHub): Promise<void> {
    const stopped = hub.stop()
    await Promise.race([pause(noticedAfterMs), stopped])
    this.#absent.add(hub)
    const code = await stopped
    if (code !== 0) throw new Error(`Node ${this.numberOf(hub)} was told to stop, and ended with ${code}.`)
    await this.#start(hub)
  }

  /** As after a crash. */
  async crash(hub: ClusterHub): Promise<void> {
    await hub.kill()
    this.#absent.add(hub)
    await this.#start(hub)
  }

  async stop(): Promise<void> {
    for (const hub of this.hubs) this.#absent.add(hub)
    await Promise.all(this.hubs.map(hub => hub.stop()))
  }

  /** Resolves with who has done it; `undefined`: it is not known what has become of it. */
  async revoke({ adminUrl }: ClusterHub, subject: string): Promise<'all' | 'some' | undefined> {
    const healthy = this.hubs.length - this.#absent.size
    const headers = { ...bearer(adminSecret), 'Content-Type': 'application/json' }
    const body = JSON.stringify({ subject, until: Math.floor(Date.now() / 1000) + 3600 })
    try {
      const response = await fetch(`${adminUrl}/revocations`, { method: 'POST', headers, body })
      const text = await response.text()
      if (!response.ok) return undefined
      const { nodes, nodes_silent: silent } = JSON.parse(text) as { nodes: number; nodes_silent: number }
      // One that is cut off from the others for long takes itself for the only one.
      return response.status === 200 && silent === 0 && nodes >= healthy ? 'all' : 'some'
    } catch {
      return undefined
    }
  }

  async #start(hub: ClusterHub): Promise<void> {
    this.#absent.add(hub)
    await hub.start()
    this.#starts++
    this.#absent.delete(hub)
  }

  /** They do not outlive a soak that is interrupted. */
  readonly #kill = (): void => {
    for (const hub of this.hubs) void hub.kill()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#kill)
    await Promise.all(this.hubs.map(hub => hub[Symbol.asyncDispose]()))
  }
}
