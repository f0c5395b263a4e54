import type { Update } from './protocol/update.ts'

/** One update at its place in the log. */
export interface LogEntry {
  /** The backend's own mark of the place: opaque to the hub, compared for equality only. Ids cannot serve, since publishers choose and reuse them. */
  readonly position: string
  readonly update: Update
  /** An older entry of the log bears the same id: the hub then asks `history` where the id is, instead of its own window. */
  readonly reused?: boolean
  /** The update as `encodeEvent` gives it, from a log that stores these bytes: a replay then copies them, and `update` may decode what is asked for. */
  readonly event?: Uint8Array
  /** When it got its place, in milliseconds since 1970 by the backend's clock; absent where the log does not tell, or is in this process. */
  readonly storedAt?: number
}

/** By what an update that is published again is recognised. */
export interface PublishKey {
  /** Letters, digits, `-` and `_`, 64 at most: the same for the same publisher and the same key. */
  readonly text: string
  /** Of what is to be published, in the same characters: a key that comes again with another fingerprint is a mistake. */
  readonly fingerprint: string
  /** How long it is remembered, in milliseconds. */
  readonly rememberMs: number
}

/** The update that was stored with a key. */
export interface KeyedUpdate {
  readonly id: string
  readonly fingerprint: string
}

/** Where a reader starts: after the earliest update with an id, after a position, or before everything stored. */
export type HistoryStart = { readonly id: string } | { readonly position: string } | 'earliest'

export interface History {
  /** The mark was found (always true for 'earliest'). Known before the first page, because a response header tells the client. */
  readonly found: boolean
  /** Where the mark itself is; absent for 'earliest' and for a mark that was not found. */
  readonly position?: string
  /** What is stored after the mark, oldest first, up to the log's end at the time of the call. The reader's pace is the back-pressure. */
  readonly pages: AsyncIterable<HistoryPage>
}

export interface HistoryPage {
  readonly entries: readonly LogEntry[]
  /** The position of the last entry that this page covers, one that was left out included: where the next page begins. */
  readonly end: string
}

/**
 * The port: an ordered log with a live tail. One backend implements it in one file of `transports/`; matching, tokens,
 * replay hand-over, bounds and presence belong to the hub and are the same for all. An absent method is an absent ability.
 */
export interface Transport {
  /**
   * How many of the newest entries each hub keeps in memory for replay. Absent: as the hub is configured.
   * A transport without a store of its own says here what history it offers (0: none).
   */
  readonly recentEntries?: number

  /**
   * Delivers up to `backfill` of the newest stored entries, oldest first, as past (`live` is false), then every entry that any hub
   * appends, in log order, each once, with no gap between the two. Called once. Resolves when the tail is attached:
   * whatever is published afterwards is delivered. After a lost connection it resumes after the last delivered position.
   * `deliver` does not throw and returns at once. A backend that cannot be reached is waited for: the hub answers meanwhile that it is not ready.
   * @throws HubError `configuration_invalid` for what waiting does not mend, `transport_unavailable` when closed before
   */
  start(options: { readonly backfill: number }, deliver: (entry: LogEntry, live: boolean) => void): Promise<void>

  /**
   * Resolves when the update is stored as durably as the backend promises: it then reaches every hub even if this one dies.
   * Rejects when it is not known to be stored. Updates of one hub are stored in the order of the calls.
   * @throws HubError `transport_unavailable`
   */
  publish(update: Update): Promise<void>

  /**
   * As `publish`, unless an update has been stored with this key by any hub and the key is remembered still: then nothing is stored, and what
   * resolves says which update that was. An update and its key are stored together or not at all, so that a publisher who does not know what
   * became of the first request may send it again; of two at the same time, one waits for what becomes of the other.
   * Absent: a hub remembers the keys of what it has stored itself, for as long as it runs.
   * @throws HubError `transport_unavailable`
   */
  publishOnce?(update: Update, key: PublishKey): Promise<KeyedUpdate | undefined>

  /**
   * Reads what is stored after a mark; an id means its earliest update. `topics` is a hint: entries with none of these topics may be left out.
   * Absent: nothing older than what `start` delivered can be read.
   */
  history?(
    from: HistoryStart,
    options: { readonly topics?: ReadonlySet<string>; readonly signal: AbortSignal },
  ): Promise<History>

  /**
   * Whether the entry at a position is still stored, as far as the log's bounds are concerned. Asked of what was delivered here, for a
   * transport with `history`: what is not stored is not resumed from. Absent: it is for as long as the hub remembers it.
   */
  holds?(position: string): boolean | Promise<boolean>

  /** How many updates are stored, or about how many, where that is known without counting them; `undefined`: not now. */
  depth?(): number | undefined | Promise<number | undefined>

  /** Small messages between nodes. Absent: a single node. */
  readonly broadcast?: Broadcast

  /** What a hub keeps beside the updates: small, and for every hub of this log. Absent: it is forgotten when the last hub ends. */
  readonly records?: Records

  /** Rejects, with a sentence for the operator, while the backend cannot be used. Absent: always ready. */
  ready?(): Promise<void>

  /** Ends the tail, waits for publishes under way, and frees every resource. Idempotent. */
  close(): Promise<void>
}

/** Short texts by key, a few thousand of them, which outlive the hubs. */
export interface Records {
  /** All of them. Called once the log has been started. @throws HubError `transport_unavailable` */
  load(): Promise<ReadonlyMap<string, string>>
  /** Resolves when the record is kept as an update would be; `null` removes it. @throws HubError `transport_unavailable` */
  save(key: string, record: string | null): Promise<void>
}

/**
 * Messages to every node, the sender included: each arrives at most once, late or in another order if need be, and in none with the log.
 * A transport that can keep the order of one node's messages and publishes should: the list of subscriptions is then never behind
 * the events that announce them.
 */
export interface Broadcast {
  /** The longest message that `send` takes, in bytes, 1 KiB at least. Absent: 1 MiB. The hub cuts what is longer, and joins it again. */
  readonly maxBytes?: number
  /** Rejects when the message is known not to be sent. */
  send(message: Uint8Array): Promise<void>
  /** Called once, before `send`. `listener` does not throw and returns at once. */
  receive(listener: (message: Uint8Array) => void): void
  /** A message for the backend to send in the name of this node when it has vanished without `close`. Absent: it would not know. */
  will?(message: Uint8Array): void
}

/** What the composition root hands to a transport. */
export interface TransportContext {
  readonly log: TransportLog
  /** How long a publisher waits at most for a backend that does not answer, in milliseconds; 0: for ever. Absent: 5 s. */
  readonly publishTimeoutMs?: number
}

/** The part of a pino logger that transports use. */
export interface TransportLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** A transport's file in `transports/` exports `open` of this type. @throws HubError `configuration_invalid` for a bad URL */
export type OpenTransport = (url: URL, context: TransportContext) => Promise<Transport>
