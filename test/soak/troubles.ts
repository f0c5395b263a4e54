import { setTimeout as sleep } from 'node:timers/promises'
import type { BackendServer } from '../support/backends.ts'
import type { Nodes } from './nodes.ts'

/** Something that happens to a hub in production. */
interface Trouble {
  readonly name: string
  befall(): Promise<void>
}

const between = (from: number, to: number): number => from + Math.random() * (to - from)

/** One after the other, with calm between; a node that is restarted is another one each time. */
export class Troubles {
  /** How often each has befallen. */
  readonly counts = new Map<string, number>()
  /** All of them, once. */
  rounds = 0
  readonly #nodes: Nodes
  readonly #backend: BackendServer | undefined
  readonly #tell: (text: string) => void
  #next = 0

  /** `backend`: where nodes share one. */
  constructor(nodes: Nodes, backend: BackendServer | undefined, tell: (text: string) => void) {
    this.#nodes = nodes
    this.#backend = backend
    this.#tell = tell
  }

  async run(calmMs: number, signal: AbortSignal): Promise<void> {
    const all = this.#all()
    for (;;) {
      for (const { name, befall } of all) {
        await sleep(calmMs, undefined, { signal }).catch(() => {})
        if (signal.aborted) return
        this.#tell(name)
        await befall()
        this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
      }
      this.rounds++
    }
  }

  #all(): Trouble[] {
    const nodes = this.#nodes
    const restart = { name: 'node restart', befall: () => nodes.restart(this.#nextNode()) }
    const crash = { name: 'node kill', befall: () => nodes.crash(this.#nextNode()) }
    const backend = this.#backend
    if (backend === undefined) return [restart, crash]
    return [
      restart,
      {
        name: 'backend restart',
        async befall() {
          await backend.stop()
          await sleep(between(200, 3000))
          await backend.start()
        },
      },
      crash,
      {
        name: 'backend pause',
        async befall() {
          await backend.pause()
          await sleep(between(500, 5000))
          await backend.resume()
        },
      },
    ]
  }

  #nextNode() {
    const { hubs } = this.#nodes
    return hubs[this.#next++ % hubs.length]!
  }
}
