import type { Subscription } from '../../protocol/subscription.ts'
import type { Burial } from './message.ts'
import type { Peer } from './peer.ts'

/** A node that has gone, whose subscriptions have not been announced as ended yet, as far as is known here. */
interface Dead {
  readonly peer: Peer
  since: number
  /** Another node has begun to announce it. */
  isHeld: boolean
}

export interface BurialsOptions {
  readonly leaseMs: number
  /** How many of the living nodes come before this one. */
  readonly rank: () => number
  /** Announces that these have ended; resolves when that is stored. */
  readonly announceEnd: (subscriptions: readonly Subscription[]) => Promise<void>
}

/**
 * The nodes that have gone, until one of the others has announced the end of their subscriptions: the living one with the lowest id at once,
 * and the next one a lease later each, should the ones before it have gone as well. One that has begun says so for as long as it takes.
 */
export class Burials {
  readonly #options: BurialsOptions
  readonly #dead = new Map<string, Dead>()
  /** Those that this node is about to hold. */
  readonly #holding = new Set<string>()
  /** Those that this node has held, and until when the others are told of them. */
  readonly #held = new Map<string, Burial & { until: number }>()

  constructor(options: BurialsOptions) {
    this.#options = options
  }

  add(peer: Peer, now: number): void {
    if (peer.subscriptions.size > 0) this.#dead.set(peer.id, { peer, since: now, isHeld: false })
  }

  /** A node that was taken for dead is heard of: what is known of it, unless it was buried. */
  return(id: string, now: number): Peer | undefined {
    const dead = this.#dead.get(id)
    this.#dead.delete(id)
    const held = this.#held.get(id)
    if (held !== undefined) held.until = now + this.#tellForMs
    return dead?.peer
  }

  /** Another node holds it: this one is to do so if nothing more is heard of that. */
  postpone(id: string, now: number): void {
    const dead = this.#dead.get(id)
    if (dead === undefined) return
    dead.since = now
    dead.isHeld = true
  }

  /** Another node has held it. */
  release(id: string): void {
    this.#dead.delete(id)
  }

  /** Buries those whose turn it is for this node. Resolves with true when it has done so. */
  async hold(now: number): Promise<boolean> {
    const { rank, leaseMs, announceEnd } = this.#options
    const leases = ({ isHeld }: Dead) => Math.max(isHeld ? 1 : 0, rank())
    const due = [...this.#dead.values()].filter(dead => now - dead.since >= leases(dead) * leaseMs)
    for (const { peer } of due) {
      this.#dead.delete(peer.id)
      this.#holding.add(peer.id)
    }
    for (const { peer } of due) {
      await announceEnd([...peer.subscriptions.values()].flat())
      this.#holding.delete(peer.id)
      this.#held.set(peer.id, { node: peer.id, burial: crypto.randomUUID(), until: now + this.#tellForMs })
      if (this.#held.size > maxHeld) this.#held.delete(this.#held.keys().next().value!)
    }
    return due.length > 0
  }

  /** The other nodes leave these to this one. */
  get holding(): readonly string[] {
    return [...this.#holding]
  }

  /** What the other nodes, and those that return, are to know. */
  told(now: number): Burial[] {
    return [...this.#held.values()].filter(({ until }) => now < until).map(({ node, burial }) => ({ node, burial }))
  }

  get #tellForMs(): number {
    return 3 * this.#options.leaseMs
  }
}

/** Burials that are remembered, should the node return. */
const maxHeld = 1000
