import type { OpenArchive } from '../src/archive.ts'
import type { Update } from '../src/protocol/update.ts'
import type {
  Broadcast,
  History,
  HistoryStart,
  KeyedUpdate,
  LogEntry,
  OpenTransport,
  PublishKey,
  Transport,
  TransportContext,
} from '../src/transport.ts'
import { openExplained } from './backend/archive.ts'
import { Connection } from './backend/connection.ts'
import { Failure } from './backend/failure.ts'
import { inTime } from './backend/in-time.ts'
import { Outage } from './backend/outage.ts'
import { Readers } from './backend/readers.ts'
import { closed, unusable } from './backend/refusals.ts'
import { PostgresArchive } from './postgres/archive.ts'
import { WithinBounds } from './postgres/bounds.ts'
import { connect } from './postgres/connect.ts'
import { findId, findLast, isComplete, readPages, type Use } from './postgres/history.ts'
import { type Location, readLocation } from './postgres/location.ts'
import { numberAt, positionOf, type Timeline } from './postgres/position.ts'
import { prepareTables } from './postgres/prepare.ts'
import { Retention } from './postgres/retention.ts'
import type { Session } from './postgres/session.ts'
import { Tail } from './postgres/tail.ts'
import { Trail } from './postgres/trail.ts'
import { createWriter, probe } from './postgres/writer.ts'

/**
 * `postgres://user:password@host:5432/database` (or `postgresql://`), with libpq's parameters: a log that many hubs share, in tables of PostgreSQL 13 or
 * later. What SQL publishes with `mercure_publish` comes with its transaction. Options:
 *
 * - `size`: how many updates are kept; `max_age`: for how long (`24h`). 0, the default, is no bound. What is over a bound is removed
 *   soon after, the newest update never.
 * - `schema`: where the tables are, made if it is not there; by default the role's own place for tables. `prefix`: how their names
 *   begin, `mercure` by default.
 */
export const open: OpenTransport = async (url, context) => new PostgresTransport(readLocation(url), context)

const backend = { name: 'PostgreSQL', scheme: 'postgres' }

export const checkUrl = (url: URL): void => void readLocation(url)

export const openArchive: OpenArchive = async (url, options) => {
  const location = readLocation(url)
  return await openExplained(backend, () => PostgresArchive.open(location, options))
}

/** How much of the log is delivered as past at most, in bytes: the window of newest entries is bounded in bytes too. */
const maxBackfillBytes = 64 << 20
/** A notification has less than 8000 bytes, of which a letter says what it is, and the rest is base64. */
const maxMessageBytes = 5994
/** What tells that the hub is ready answers within this time. */
const readyMs = 2000

class PostgresTransport implements Transport {
  readonly broadcast: Broadcast
  readonly #timeline: Timeline = { era: 0, trail: new Trail() }
  readonly #outage: Outage
  readonly #commands: Connection<Session>
  readonly #following: Connection<Session>
  readonly #readers: Readers<Session>
  readonly #retention: Retention
  readonly #within: WithinBounds
  readonly #writer: ReturnType<typeof createWriter>
  readonly #tail: Tail
  #closing: Promise<void> | undefined

  constructor(location: Location, { log, publishTimeoutMs = 5000 }: TransportContext) {
    this.#outage = new Outage(backend, log)
    this.#commands = new Connection({
      name: 'commands',
      outage: this.#outage,
      connect: signal => connectWriter(location, { publishTimeoutMs, log }, signal),
    })
    this.#following = new Connection({
      name: 'tail',
      outage: this.#outage,
      connect: signal => connect(location, signal),
    })
    this.#readers = new Readers(signal => connect(location, signal))
    const use: Use = read => this.#readers.use(read)
    this.#retention = new Retention({ bounds: location.bounds, use, log })
    this.#writer = createWriter({
      connection: this.#commands,
      outage: this.#outage,
      publishTimeoutMs,
      stored: ({ updates, idBefore, sinceMs }) => {
        this.#tail.expectNotification(sinceMs)
        this.#tail.offer(updates, idBefore)
        this.#retention.stored(updates.length)
      },
    })
    this.#within = new WithinBounds(location.bounds)
    this.#tail = new Tail({
      connection: this.#following,
      timeline: this.#timeline,
      delivering: entry => this.#within.see(entry),
      taken: updates => this.#retention.stored(updates),
      log,
    })
    this.broadcast = {
      maxBytes: maxMessageBytes,
      send: message => this.#writer.send(message),
      receive: listener => this.#tail.onMessage(listener),
    }
  }

  async start({ backfill }: { backfill: number }, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    await this.#commands.session()
    // The tables are there now.
    await this.#tail.attach({ entries: backfill, bytes: maxBackfillBytes }, deliver)
    this.#retention.start()
  }

  publish(update: Update): Promise<void> {
    return this.#writer.publish(update)
  }

  publishOnce(update: Update, key: PublishKey): Promise<KeyedUpdate | undefined> {
    return this.#writer.publishOnce(update, key)
  }

  async history(
    from: HistoryStart,
    { topics, signal }: { topics?: ReadonlySet<string>; signal: AbortSignal },
  ): Promise<History> {
    const use: Use = read => this.#readers.use(read)
    // History ends with what was delivered here; a log that is only looked at has no such end.
    const upTo = this.#tail.number ?? (await use(findLast)) ?? 0
    const mark = from === 'earliest' ? 0 : await use(session => this.#find(session, from, upTo))
    const position = mark === undefined || from === 'earliest' ? {} : { position: positionOf(mark, this.#timeline) }
    const pages = readPages(use, { after: mark ?? upTo, upTo, topics }, this.#timeline, signal)
    return { found: mark !== undefined, ...position, pages }
  }

  async #find(
    session: Session,
    from: { readonly id: string } | { readonly position: string },
    upTo: number,
  ): Promise<number | undefined> {
    if ('id' in from) return await findId(session, from.id)
    const number = numberAt(from.position, this.#timeline)
    return number !== undefined && number <= upTo && (await isComplete(session, number)) ? number : undefined
  }

  holds(position: string): boolean {
    const number = numberAt(position, this.#timeline)
    return number !== undefined && this.#within.holds(number, Date.now())
  }

  /** Asks whether the server takes writes; where it has refused the last one, by writing. */
  async ready(): Promise<void> {
    if (this.#closing !== undefined) throw closed()
    const session = this.#commands.current
    if (session === undefined || this.#following.current === undefined) throw unusable(backend, this.#outage.reason)
    if (this.#tail.overdueMs > readyMs) throw unusable(backend, 'it does not answer to who reads the log')
    const answer = session.query({ name: 'ready', text: 'SELECT pg_is_in_recovery()' }, [], 0)
    try {
      const [row] = await inTime(answer, readyMs, () => new Failure('broken', 'it does not answer'))
      if (row?.[0] !== 'f') throw new Failure('passing', 'the server has become a standby')
      if (this.#outage.reason === undefined) return
      await probe(session, readyMs)
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
    await this.#retention.close()
    await Promise.all([this.#tail.close(), this.#commands.close(), this.#readers.close()])
  }
}

/** What the server cannot store in time it gives up, so that the publisher can be told for certain that it is not stored. */
async function connectWriter(
  location: Location,
  { publishTimeoutMs, log }: { publishTimeoutMs: number; log: TransportContext['log'] },
  signal: AbortSignal,
): Promise<Session> {
  const session = await connect(location, signal)
  try {
    await prepareTables(session, log)
    const timeoutMs = Math.floor(publishTimeoutMs * 0.8)
    await session.query({ text: `SET statement_timeout TO ${timeoutMs}` }, [], readyMs)
    return session
  } catch (error) {
    session.kill()
    throw error
  }
}
