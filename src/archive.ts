import type { Update } from './protocol/update.ts'

/** A log to look through, without a hub. */
export interface Archive {
  /** How many updates there are; absent where that is known only when they have been read. */
  readonly size?: number
  /**
   * All updates there are at the time of the call, oldest first, in pages. What leaves the log before it is read is passed over.
   * @throws HubError `transport_unavailable` when some could not be read
   */
  read(): AsyncIterable<readonly ArchivedUpdate[]>
  /**
   * Stores updates in this order, all or none; those without a time get that of now. Gives how many have another time now than theirs. One call
   * at a time. Absent: only a hub can write the log.
   * @throws HubError `transport_unavailable`
   */
  append?(updates: readonly ArchivedUpdate[]): Promise<number>
  close(): Promise<void>
}

export interface ArchivedUpdate {
  readonly update: Update
  /** When it was stored, in milliseconds since 1970; absent where the log does not know. */
  readonly timeMs?: number | undefined
}

/**
 * A transport's file may export `openArchive` of this type. It waits for no backend that is away. A log that is not there is made where it is to be
 * `writable`; the bounds of the URL are not kept.
 * @throws HubError `configuration_invalid` for a bad URL and for a log that is not there; `transport_unavailable`
 */
export type OpenArchive = (url: URL, options: { readonly writable: boolean }) => Promise<Archive>
