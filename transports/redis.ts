import type { OpenArchive } from '../src/archive.ts'
import { HubError } from '../src/errors.ts'
import type { Update } from '../src/protocol/update.ts'
import type {
  Broadcast,
  History,
  HistoryPage,
  HistoryStart,
  KeyedUpdate,
  LogEntry,
  OpenTransport,
  PublishKey,
  Records,
  Transport,
  TransportContext,
} from '../src/transport.ts'
import { openExplained } from './backend/archive.ts'
import { Connection } from './backend/connection.ts'
import { Failure } from './backend/failure.ts'
import { inTime } from './backend/in-time.ts'
import { Outage } from './backend/outage.ts'
import { closed, unreadable, unusable } from './backend/refusals.ts'
import { RedisArchive } from './redis/archive.ts'
import { checkServer } from './redis/check-server.ts'
import type { Client } from './redis/client.ts'
import { findEnd, findId, findOldest, hasPosition, readPages } from './redis/history.ts'
import { beginning, isAfter, isPosition, type Keys, keysOf } from './redis/keys.ts'
import { type Location, readLocation } from './redis/location.ts'
import { RecordHash } from './redis/records.ts'
import { openSession, type Session } from './redis/session.ts'
import { openTailSession, Tail } from './redis/tail.ts'
import { createWriter, probe } from './redis/writer.ts'

/**
 * `redis://user:password@host:6379/STREAM` (`rediss://` for TLS, `valkey://`): a log that many hubs share, in a stream of Redis 6.2 or later,
 * or of Valkey. Options:
 *
 * - `max_len_approx`: how many updates are kept, and some more; 0, the default, keeps all.
 * - `tls=1`: as `rediss://`. `db`: the number of the database.
 * - `addr=host:port`, several times: further nodes of a Redis Cluster, from any of which the others are learnt; `cluster=1` for
 *   one that is told a single node.
 * - `sentinel_master`: the host, and those in `addr`, are sentinels, and know the server by this name; `sentinel_user`, `sentinel_password`.
 * - `wait_replicas`: how many replicas must have an update before its publisher is answered; 0 by default.
 */
export const open: OpenTransport = async (url, context) => new RedisTransport(readLocation(url), context)

const backend = { name: 'Redis', scheme: 'redis' }

export const checkUrl = (url: URL): void => void readLocation(url)

export const openArchive: OpenArchive = async (url, options) => {
  const location = readLocation(url)
  return await openExplained(backend, () => RedisArchive.open(location, options))
}

/** How much of the log is delivered as past at most, in bytes: the window of newest entries is bounded in bytes too. */
const maxBackfillBytes = 64 << 20
/** How long a reader of the past waits for a connection, in milliseconds. */
const historyPatienceMs = 3000
/** What tells whether the hub is ready, or has something still, answers within this time. */
const readyMs = 1000

class RedisTransport implements Transport {
  readonly broadcast: Broadcast
  readonly records: Records
  readonly #keys: Keys
  readonly #outage: Outage
  readonly #commands: Connection<Session>
  readonly #following: Connection<Session>
  readonly #writer: ReturnType<typeof createWriter>
  readonly #tail: Tail
  readonly #isBounded: boolean
  /** The position of the oldest update; asked for once for all who want to know it at the same time. */
  #oldest: Promise<string | undefined> | undefined
  #started = false
  #closing: Promise<void> | undefined

  constructor(location: Location, { log, publishTimeoutMs = 5000 }: TransportContext) {
    const keys = keysOf(location.stream)
    const outage = new Outage(backend, log)
    this.#keys = keys
    this.#outage = outage
    this.#commands = new Connection({
      name: 'commands',
      outage,
      connect: signal => openSession(location, signal, client => checkServer(client, keys, log)),
    })
    const { maxLength, replicas } = location
    this.#isBounded = maxLength > 0
    this.#writer = createWriter({ connection: this.#commands, keys, maxLength, replicas, publishTimeoutMs, outage })
    this.#following = new Connection({
      name: 'tail',
      outage,
      connect: signal => openTailSession(location, keys, signal),
    })
    this.#tail = new Tail({ connection: this.#following, keys, log })
    this.broadcast = {
      maxBytes: 256 * 1024,
      send: message => this.#writer.send(message),
      receive: listener => this.#tail.onMessage(listener),
    }
    this.records = new RecordHash({
      keys,
      connected: () => this.#commands.current?.client,
      unusable: (reason = outage.reason) => unusable(backend, reason),
    })
  }

  async start({ backfill }: { backfill: number }, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    this.#started = true
    await Promise.all([
      this.#commands.session(),
      this.#tail.attach({ entries: backfill, bytes: maxBackfillBytes }, deliver),
    ])
  }

  publish(update: Update): Promise<void> {
    return this.#writer.publish(update)
  }

  publishOnce(update: Update, key: PublishKey): Promise<KeyedUpdate | undefined> {
    return this.#writer.publishOnce(update, key)
  }

  async history(from: HistoryStart, { signal }: { signal: AbortSignal }): Promise<History> {
    const client = await this.#connected()
    try {
      // History ends with what was delivered here; a log that is only looked at has no such end.
      const upTo = this.#started ? (this.#tail.position ?? beginning) : await findEnd(client, this.#keys)
      const mark = from === 'earliest' ? beginning : await this.#find(client, from)
      const position = mark === undefined || from === 'earliest' ? {} : { position: mark }
      return { found: mark !== undefined, ...position, pages: this.#read({ after: mark ?? upTo, upTo }, signal) }
    } catch (error) {
      throw explain(error)
    }
  }

  async *#read(range: { after: string; upTo: string }, signal: AbortSignal): AsyncGenerator<HistoryPage> {
    try {
      yield* readPages(() => this.#connected(), this.#keys, range, signal)
    } catch (error) {
      signal.throwIfAborted()
      throw explain(error)
    }
  }

  async #find(
    client: Client,
    from: { readonly id: string } | { readonly position: string },
  ): Promise<string | undefined> {
    if ('id' in from) return await findId(client, this.#keys, from.id)
    const { position } = from
    return isPosition(position) && (await hasPosition(client, this.#keys, position)) ? position : undefined
  }

  /** While Redis cannot be asked nothing leaves it either. */
  holds(position: string): boolean | Promise<boolean> {
    const client = this.#commands.current?.client
    if (!this.#isBounded || client === undefined) return true
    const late = () => unusable(backend, 'it does not answer')
    this.#oldest ??= inTime(findOldest(client, this.#keys), readyMs, late).finally(() => {
      this.#oldest = undefined
    })
    return this.#oldest.then(
      oldest => oldest !== undefined && !isAfter(oldest, position),
      () => true,
    )
  }

  async #connected(): Promise<Client> {
    const late = () => unreadable(this.#outage.reason ?? 'there is no connection')
    return (await inTime(this.#commands.session(), historyPatienceMs, late)).client
  }

  async depth(): Promise<number | undefined> {
    const client = this.#commands.current?.client
    if (client === undefined) return undefined
    const late = () => unusable(backend, 'it does not answer')
    return await inTime(client.xlen(this.#keys.log), readyMs, late).catch(() => undefined)
  }

  async ready(): Promise<void> {
    if (this.#closing !== undefined) throw closed()
    const session = this.#commands.current
    if (session === undefined || this.#following.current === undefined) throw unusable(backend, this.#outage.reason)
    if (this.#tail.overdueMs > readyMs) throw unusable(backend, 'it does not send what is appended to the stream')
    try {
      await probe(session.client, this.#keys, readyMs)
      this.#writer.recover()
    } catch (error) {
      throw unusable(backend, Failure.of(error).message)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#writer.close()
    await Promise.all([this.#tail.close(), this.#commands.close()])
  }
}

const explain = (error: unknown): HubError =>
  error instanceof HubError ? error : unreadable(Failure.of(error).message)
