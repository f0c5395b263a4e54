import { readOptions } from '../src/config/dsn.ts'
import { HubError } from '../src/errors.ts'
import type { Update } from '../src/protocol/update.ts'
import type { LogEntry, OpenTransport, Transport } from '../src/transport.ts'

/**
 * `local://local?size=N`: a log that is not stored. Updates live as long as the process, and only the newest `size` of them (default:
 * none) can be replayed, from the hub's window.
 */
export const open: OpenTransport = async url => new LocalTransport(readSize(url))

export const checkUrl = (url: URL): void => void readSize(url)

/** @throws HubError `configuration_invalid` */
const readSize = (url: URL): number => readOptions(url, { size: 'count' }).size ?? 0

class LocalTransport implements Transport {
  readonly recentEntries: number
  #deliver: ((entry: LogEntry, live: boolean) => void) | undefined
  #position = 0

  constructor(size: number) {
    this.recentEntries = size
  }

  async start(_options: { backfill: number }, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    this.#deliver = deliver
  }

  async publish(update: Update): Promise<void> {
    if (this.#deliver === undefined) throw new HubError('transport_unavailable', 'The in-memory transport is closed.')
    this.#deliver({ position: String(this.#position++), update }, true)
  }

  async close(): Promise<void> {
    this.#deliver = undefined
  }
}
