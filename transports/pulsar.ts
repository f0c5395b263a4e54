import type { OpenArchive } from '../src/archive.ts'
import type { Update } from '../src/protocol/update.ts'
import type {
  Broadcast,
  History,
  HistoryPage,
  HistoryStart,
  LogEntry,
  OpenTransport,
  Transport,
  TransportContext,
  TransportLog,
} from '../src/transport.ts'
import { openExplained } from './backend/archive.ts'
import { Connection } from './backend/connection.ts'
import { Failure } from './backend/failure.ts'
import { inTime } from './backend/in-time.ts'
import { Outage } from './backend/outage.ts'
import { PublishQueue } from './backend/publish-queue.ts'
import { closed, unreadable, unusable } from './backend/refusals.ts'
import { Admin } from './pulsar/admin.ts'
import { PulsarArchive } from './pulsar/archive.ts'
import type { Client, OutgoingMessage } from './pulsar/client.ts'
import { createClient } from './pulsar/connect.ts'
import { createNodeName, encodeUpdate } from './pulsar/entry.ts'
import { Extent } from './pulsar/extent.ts'
import { readPages } from './pulsar/history.ts'
import { Ids } from './pulsar/ids.ts'
import { Keeping } from './pulsar/keeping.ts'
import { type Location, pulsar, readLocation } from './pulsar/location.ts'
import { Pages } from './pulsar/pages.ts'
import { formatPosition, type Position, parsePosition } from './pulsar/position.ts'
import { makeTopic } from './pulsar/prepare.ts'
import { Publishing, type Sent } from './pulsar/publishing.ts'
import { Following, Tail } from './pulsar/tail.ts'
import type { TooLarge } from './pulsar/too-large.ts'

/**
 * `pulsar+ws://host:8080?topic=mercure` (`pulsar+wss://` for TLS): a log that many hubs share, in a topic of Apache Pulsar, by its WebSocket API;
 * `pulsar://host:6650?topic=mercure` (`pulsar+ssl://`): the same by the native client. Options:
 *
 * - `topic`: a name, or `tenant/namespace/name`. `subscription_name`: what this hub's readers are called in Pulsar's statistics.
 * - `addr=host:port`, several times: further brokers or proxies. `token`: also as the password in front of the host.
 * - `admin_url`: the admin API; for the WebSocket API at the same port by default. `tls_ca_file`: the authority of the certificates.
 * - `max_age`, `size_bytes`: the topic's retention. `size`: how many updates clients can go back to.
 * - `ids`: of how many updates the ids are kept in mind.
 */
export const open: OpenTransport = async (url, context) => {
  const location = readLocation(url)
  const { publishTimeoutMs = 5000 } = context
  return new PulsarTransport(location, await createClient(location, publishTimeoutMs), context)
}

export const checkUrl = (url: URL): void => void readLocation(url)

export const openArchive: OpenArchive = async (url, options) => {
  const location = readLocation(url)
  return await openExplained(pulsar, () => PulsarArchive.open(location, options))
}

/** How much of the log is delivered as past at most, in bytes: the window of newest entries is bounded in bytes too. */
const maxBackfillBytes = 64 << 20
/** What tells whether the hub is ready, or has something still, answers within this time. */
const readyMs = 1000
/** Size: bytes of the data. */
const groupBounds = { updates: 512, size: 4 << 20 }
const groupsUnderWay = 4

class PulsarTransport implements Transport {
  readonly broadcast: Broadcast
  readonly #location: Location
  readonly #client: Client
  readonly #admin: Admin | undefined
  readonly #log: TransportLog
  readonly #outage: Outage
  readonly #publishing: Connection<Publishing>
  readonly #following: Connection<Following>
  readonly #queue: PublishQueue<Publishing, OutgoingMessage>
  readonly #sent: Sent = { node: createNodeName(), updates: 0, messages: 0, newest: undefined }
  readonly #keeping: Keeping
  readonly #extent: Extent
  readonly #pages: Pages
  readonly #ids: Ids
  readonly #tail: Tail
  #isTooLargeTold = false
  #catchingUp: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(location: Location, client: Client, { log, publishTimeoutMs = 5000 }: TransportContext) {
    const { topic, adminUrl, bounds, ids: span } = location
    this.#location = location
    this.#client = client
    this.#log = log
    const admin = adminUrl === undefined ? undefined : new Admin(adminUrl, location)
    this.#admin = admin
    const outage = new Outage(pulsar, log)
    this.#outage = outage
    this.#keeping = new Keeping(admin, location, log)
    const publishing: Connection<Publishing> = new Connection({
      name: 'publishing',
      outage,
      connect: async signal => {
        await makeTopic(admin, topic)
        const session = await Publishing.open(client, location, this.#sent, signal)
        await this.#keeping.keep()
        return session
      },
    })
    this.#publishing = publishing
    this.#queue = new PublishQueue({
      ...{ connection: publishing, outage, publishTimeoutMs, groupBounds, groupsUnderWay },
      encode: update => {
        const item = encodeUpdate(update)
        return { item, size: item.payload.length }
      },
      store: (session, group) => session.store(group, publishTimeoutMs, tooLarge => this.#tellTooLarge(tooLarge)),
    })
    this.#extent = new Extent({ admin, entries: bounds.entries })
    this.#pages = new Pages(client, topic)
    this.#ids = new Ids({ span, pages: this.#pages, extent: this.#extent, admin, log })
    this.#following = new Connection({
      name: 'tail',
      outage,
      connect: signal => Following.open(client, location, this.#tail.position!, signal),
    })
    this.#tail = new Tail({
      ...{ connection: this.#following, extent: this.#extent, ids: this.#ids, pages: this.#pages, log },
      findEnd: () => this.#findEnd(),
      emptied: () => void this.#keeping.keep(),
    })
    this.broadcast = {
      maxBytes: 256 * 1024,
      send: message => this.#queue.send(message),
      receive: listener => this.#tail.onMessage(listener),
    }
  }

  async start({ backfill }: { backfill: number }, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    await this.#tail.attach({ entries: backfill, bytes: maxBackfillBytes }, deliver)
  }

  async publish(update: Update): Promise<void> {
    await this.#queue.publish(update)
  }

  async history(from: HistoryStart, { signal }: { signal: AbortSignal }): Promise<History> {
    try {
      await Promise.all([this.#refresh(), this.#reach(this.#sent.newest)])
      const found = await this.#locate(from)
      const upTo = this.#tail.position ?? (await this.#findEnd())
      const position = found === undefined || found === 'earliest' ? {} : { position: formatPosition(found) }
      const after = found === 'earliest' ? (this.#extent.start ?? found) : (found ?? upTo)
      return { found: found !== undefined, ...position, pages: this.#read({ after, upTo }, signal) }
    } catch (error) {
      throw toUnreadable(error)
    }
  }

  async *#read(
    range: { after: Position | 'earliest'; upTo: Position },
    signal: AbortSignal,
  ): AsyncGenerator<HistoryPage> {
    try {
      yield* readPages(this.#pages, range, signal)
    } catch (error) {
      signal.throwIfAborted()
      throw toUnreadable(error)
    }
  }

  async #locate(from: HistoryStart): Promise<Position | 'earliest' | undefined> {
    if (from === 'earliest') return from
    if ('id' in from) {
      if (!this.#ids.knows(from.id)) await this.#catchUp()
      return await this.#ids.find(from.id)
    }
    const position = parsePosition(from.position)
    return position !== undefined && this.#extent.holds(position) ? position : undefined
  }

  /** While Pulsar cannot be asked nothing leaves it either. */
  holds(position: string): boolean | Promise<boolean> {
    const place = parsePosition(position)
    const isHeld = () => place !== undefined && this.#extent.holds(place)
    return this.#extent.isFresh ? isHeld() : this.#refresh().then(isHeld)
  }

  async #refresh(): Promise<void> {
    if (this.#extent.isFresh || this.#publishing.current === undefined) return
    await inTime(this.#extent.refresh(), readyMs, late).catch(() => {})
  }

  /** Resolves when what was published before, by whomever, is delivered: an id may be asked for before it has come here. */
  async #catchUp(): Promise<void> {
    // One that is under way may have looked too early.
    await this.#catchingUp
    this.#catchingUp ??= this.#reachEnd().finally(() => {
      this.#catchingUp = undefined
    })
    await this.#catchingUp
  }

  async #reachEnd(): Promise<void> {
    await this.#reach(await this.#admin?.end().catch(() => undefined))
  }

  /** What does not come soon is not waited for. */
  async #reach(position: Position | undefined): Promise<void> {
    if (position !== undefined) await inTime(this.#tail.reached(position), readyMs, late).catch(() => {})
  }

  #tellTooLarge({ message, setting }: TooLarge): void {
    if (this.#isTooLargeTold) return
    this.#isTooLargeTold = true
    this.#log.warn(
      {},
      `Pulsar does not take an update for its size: ${message}. Raise ${setting} in Pulsar's configuration, or lower max_request_body_size.`,
    )
  }

  /** Where the log ends now, as soon as that can be known. @throws HubError */
  async #findEnd(): Promise<Position> {
    for (;;) {
      const session = await this.#publishing.session()
      try {
        return await session.findEnd(this.#location.topic)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        this.#publishing.drop(session, error)
      }
    }
  }

  async ready(): Promise<void> {
    if (this.#closing !== undefined) throw closed()
    const session = this.#publishing.current
    const isFollowing = this.#following.current !== undefined
    if (session === undefined || !isFollowing) throw unusable(pulsar, this.#outage.reason)
    try {
      // What was refused may be taken now; only trying tells.
      const isRefused = this.#outage.reason !== undefined
      await inTime<unknown>(isRefused ? session.findEnd(this.#location.topic) : session.probe(), readyMs, late)
      if (isRefused) this.#queue.recover()
    } catch (error) {
      throw unusable(pulsar, Failure.of(error).message)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#keeping.close()
    await this.#queue.close()
    this.#ids.close()
    await Promise.all([this.#tail.close(), this.#publishing.close(), this.#pages.close()])
    await this.#client.close()
  }
}

const late = (): Failure => new Failure('broken', `it has not answered for ${readyMs / 1000} s`)

function toUnreadable(error: unknown): Error {
  return error instanceof Failure ? unreadable(error.message) : (error as Error)
}
