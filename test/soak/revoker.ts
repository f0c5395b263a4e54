import { setTimeout as sleep } from 'node:timers/promises'
import type { Nodes } from './nodes.ts'
import type { Reader } from './reader.ts'

/** From one to the next. */
const everyMs = 2000
/**
 * A stream that is there after so long has outlived its token; that it takes no more than a second is said, and not judged, on a busy machine. Nodes that
 * could not be told hear of it when they can.
 */
const outlivedMs = { all: 10_000, some: 60_000 }

/** Revokes the tokens of readers, who come back with them, are refused, and come back with others. */
export class Revoker {
  revocations = 0
  /** From the answer to the end of the stream, at most, where all nodes had answered. */
  slowestMs = 0
  readonly #nodes: Nodes
  readonly #alarm: (text: string) => void

  constructor(nodes: Nodes, alarm: (text: string) => void) {
    this.#nodes = nodes
    this.#alarm = alarm
  }

  async run(readers: readonly Reader[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => {})
      const able = readers.filter(({ isOpen, revokedIn }) => isOpen && revokedIn === undefined)
      const reader = able[Math.floor(Math.random() * able.length)]
      if (reader !== undefined && !signal.aborted) await this.#revoke(reader)
    }
  }

  async #revoke(reader: Reader): Promise<void> {
    const hub = this.#nodes.pick()
    if (hub === undefined) return
    const { streams, subject } = reader
    const { memory } = this.#nodes
    reader.mayBeRevoked = true
    const told = await this.#nodes.revoke(hub, subject)
    const answeredAt = performance.now()
    if (told === undefined) return
    this.revocations++
    if (told === 'all' && reader.subject === subject) reader.revokedIn = memory
    if (reader.isOpen && reader.streams === streams) {
      const waiting = new AbortController()
      const outlived = sleep(outlivedMs[told], true, waiting).catch(() => false)
      const isOutlived = await Promise.race([reader.ended.then(() => false), outlived])
      waiting.abort()
      if (isOutlived) {
        this.#alarm(`${reader.options.name}: its stream was there long after its token was revoked at ${told} nodes`)
        return
      }
    }
    if (told === 'all') this.slowestMs = Math.max(this.slowestMs, performance.now() - answeredAt)
  }
}
