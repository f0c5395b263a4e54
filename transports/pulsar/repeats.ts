import type { OutgoingMessage } from './client.ts'
import { readStamp, type Stamp } from './entry.ts'

/** Nodes that are kept in mind; those that were silent for longest go first. */
const maxNodes = 10_000

/**
 * Tells what Pulsar has stored twice: its clients, those within its WebSocket service too, send again what was not answered when a broker goes away.
 * A node numbers its updates.
 */
export class Repeats {
  readonly #newest = new Map<string, Stamp>()

  /** Whether a message has come before; if not, it has now. */
  has(message: OutgoingMessage): boolean {
    const stamp = readStamp(message)
    if (stamp === undefined) return false
    const newest = this.#newest.get(stamp.node)
    if (newest !== undefined && stamp.updates <= newest.updates) return true
    this.#newest.delete(stamp.node)
    this.#newest.set(stamp.node, stamp)
    if (this.#newest.size > maxNodes) this.#newest.delete(this.#newest.keys().next().value!)
    return false
  }

  /** The newest of each node. */
  get stamps(): Iterable<Stamp> {
    return this.#newest.values()
  }
}
