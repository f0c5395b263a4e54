import type { Grant } from '../protocol/grant.ts'
import type { Matcher } from '../protocol/matcher.ts'
import type { Update } from '../protocol/update.ts'
import { Batch } from './batch.ts'
import { createSelection, matchesAny, type Selection } from './selection.ts'

/** Why a subscriber's stream ended: the same words in logs, metrics and tests. */
export type EndReason =
  | 'client closed'
  | 'too slow'
  | 'token expired'
  | 'write timeout'
  | 'revoked'
  | 'history unavailable'
  | 'shutdown'

/** Where a subscriber's events go. One for each way of delivery; it owns heartbeats, deadlines and the connection's end. */
export interface Sink {
  write(batch: Batch): void
  /** Bytes accepted by `write` that have not left yet. */
  readonly waitingBytes: number
  /** Resolves when few bytes wait, or when the sink has ended: a replay goes on then. */
  drained(): Promise<void>
  /** Ends the connection; the sink's owner then removes the subscriber. Idempotent. */
  end(reason: EndReason): void
}

/** One subscriber: replaying the past until its place is the log's end, then live, then closed. */
export class Subscriber {
  readonly id: string
  readonly matchers: readonly Matcher[]
  readonly grant: Grant | null
  /** In the lists of subscriptions; one that is not belongs to the application that runs the hub. */
  readonly isAnnounced: boolean
  state: 'replaying' | 'live' | 'closed' = 'replaying'
  /** Events of this turn that wait for the fan-out's pass; `undefined`: not in its list. */
  pending: Batch | undefined
  /** The last update that the index found this subscriber for: several matchers may match, it is delivered once. */
  foundFor = 0
  /** How many events of its past it was sent. */
  replayed = 0
  /** For its past: what comes live is selected by the hub's index. */
  #selection: Selection | undefined
  readonly #sink: Sink
  readonly #maxQueueBytes: number
  /** Of the largest batch that alone passes the bound and may still be on its way. */
  #oversizedBytes = 0

  constructor(options: {
    id: string
    matchers: readonly Matcher[]
    grant: Grant | null
    sink: Sink
    isAnnounced?: boolean
    maxQueueBytes: number
  }) {
    this.id = options.id
    this.matchers = options.matchers
    this.grant = options.grant
    this.isAnnounced = options.isAnnounced ?? true
    this.#sink = options.sink
    this.#maxQueueBytes = options.maxQueueBytes
  }

  /** Does this update belong to this subscriber? Asked about its past, one update after another. */
  accepts(update: Update): boolean {
    this.#selection ??= createSelection(this.matchers)
    return this.#selection(update.topics) && (!update.private || this.mayReceivePrivate(update))
  }

  /** Any granted topic of the update is enough, whether or not it is the one subscribed to. */
  mayReceivePrivate(update: Update): boolean {
    const granted = this.grant?.subscribe
    return granted !== null && granted !== undefined && matchesAny(granted, update.topics)
  }

  /**
   * Writes what waits. One who has left too much of what was written before is ended, and resumes from its last event id: never for
   * the size of a single batch, neither of what comes now, which nobody could have read yet, nor of one that is still on its way.
   */
  flush(): void {
    const batch = this.pending
    this.pending = undefined
    if (batch === undefined || this.state === 'closed') return
    const { waitingBytes } = this.#sink
    if (waitingBytes <= this.#maxQueueBytes) this.#oversizedBytes = 0
    if (waitingBytes > this.#maxQueueBytes + this.#oversizedBytes) {
      this.end('too slow')
      return
    }
    if (batch.byteLength > this.#maxQueueBytes) this.#oversizedBytes = Math.max(this.#oversizedBytes, batch.byteLength)
    this.#sink.write(batch)
  }

  /** Writes events of the past, in one batch. */
  replay(events: readonly { readonly event: Uint8Array; readonly update: Update }[]): void {
    let batch: Batch | undefined
    for (const { event, update } of events) batch = batch?.append(event, update) ?? new Batch(event, update)
    if (batch === undefined || this.state === 'closed') return
    this.replayed += events.length
    this.#sink.write(batch)
  }

  /** Resolves when nearly everything written has left, or the subscriber has gone. */
  drained(): Promise<void> {
    return this.#sink.drained()
  }

  end(reason: EndReason): void {
    this.#sink.end(reason)
  }
}
