import { setTimeout as pause } from 'node:timers/promises'
import type { LogEntry, TransportLog } from '../../src/transport.ts'
import type { Connection, Session } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import type { Client, Message, Reader } from './client.ts'
import { decodeUpdate, isMark, readStamp, toLogEntry, unfold, unpack } from './entry.ts'
import type { Extent } from './extent.ts'
import { Heard } from './heard.ts'
import { type Newest, type NewestBounds, readNewest } from './history.ts'
import type { Ids } from './ids.ts'
import { type Location, messageTopic } from './location.ts'
import type { Pages } from './pages.ts'
import { isAfter, type Position, readerStart } from './position.ts'
import { Repeats } from './repeats.ts'

/** A node's two readers: of the log, and of what nodes tell each other. */
export class Following implements Session {
  readonly ended: Promise<void>
  readonly log: Reader
  readonly nodes: Reader

  /** @throws Failure; HubError `configuration_invalid` */
  static async open(client: Client, { topic }: Location, after: Position, signal: AbortSignal): Promise<Following> {
    // Who publishes hears of it here, too: messages are read first.
    const nodes = await client.openReader(messageTopic(topic), { ...live, after: 'latest' }, signal)
    try {
      return new Following(await client.openReader(topic, { ...live, after: readerStart(after) }, signal), nodes)
    } catch (error) {
      nodes.kill()
      throw error
    }
  }

  private constructor(log: Reader, nodes: Reader) {
    this.log = log
    this.nodes = nodes
    this.ended = Promise.race([log.ended, nodes.ended])
  }

  get isOver(): boolean {
    return this.log.isOver || this.nodes.isOver
  }

  async end(): Promise<void> {
    await Promise.all([this.log.end(), this.nodes.end()])
  }

  kill(): void {
    this.log.kill()
    this.nodes.kill()
  }
}

export interface TailOptions {
  readonly connection: Connection<Following>
  readonly extent: Extent
  readonly ids: Ids
  readonly pages: Pages
  /** Stores a mark at the end of the log, as soon as it can. @throws HubError */
  readonly findEnd: () => Promise<Position>
  /** What was in the topic is not there any more, and perhaps nothing of what it was told. */
  readonly emptied: () => void
  readonly log: TransportLog
}

const live = { ahead: 200, isLive: true }
const retryMs = 500

/** Reads what is appended to the log, by whomever, and what nodes tell each other. */
export class Tail {
  readonly #options: TailOptions
  readonly #heard = new Heard()
  #deliver: (entry: LogEntry, live: boolean) => void = () => {}
  #receive: (message: Uint8Array) => void = () => {}
  #position: Position | undefined
  #repeats = new Repeats()
  #moved = Promise.withResolvers<void>()
  #isForeignTold = false
  #closed = false
  #following: Promise<void> | undefined

  constructor(options: TailOptions) {
    this.#options = options
  }

  /** The place of what was read last; `undefined`: the tail is not attached. */
  get position(): Position | undefined {
    return this.#position
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#receive = listener
  }

  /** Delivers the newest updates as past; resolves when it follows the log. @throws HubError */
  async attach(bounds: NewestBounds, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    const { connection, extent, ids } = this.#options
    const { end, newest } = await this.#readNewest(bounds)
    const { updates, after, repeats, density } = newest
    this.#position = end
    this.#repeats = repeats
    // What was said before is not heard here.
    for (const { node, messages } of repeats.stamps) this.#heard.note(node, messages)
    await connection.session()
    this.#deliver = deliver
    ids.fill(after, density)
    for (const { position } of updates) extent.note(position)
    for (const placed of updates) deliver({ ...toLogEntry(placed), reused: ids.add(placed) }, false)
    this.#following = this.#follow()
  }

  /** As often as it takes. @throws HubError `configuration_invalid`; `transport_unavailable` when closed */
  async #readNewest(bounds: NewestBounds): Promise<{ end: Position; newest: Newest }> {
    const { extent, pages, findEnd, log } = this.#options
    for (let isTold = false; ; isTold = true) {
      const end = await findEnd()
      try {
        await extent.refresh().catch(() => {})
        extent.ledgers.see(end)
        return { end, newest: await readNewest(pages, extent, end, bounds) }
      } catch (error) {
        if (this.#closed) throw error
        if (!isTold)
          log.warn({ reason: Failure.of(error).message }, 'The newest updates are not read yet: trying again.')
        await pause(retryMs)
      }
    }
  }

  /** Resolves when a place has been read; at once where the tail does not read. */
  async reached(position: Position): Promise<void> {
    while (this.#position !== undefined && isAfter(position, this.#position) && !this.#closed) await this.#moved.promise
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#move()
    this.#heard.close()
    await this.#options.connection.close()
    await this.#following
  }

  async #follow(): Promise<void> {
    const { connection } = this.#options
    for (let isFirst = true; !this.#closed; isFirst = false) {
      let session: Following
      try {
        session = await connection.session()
      } catch {
        // It is closed.
        return
      }
      if (!isFirst) void this.#check(session)
      void this.#hear(session)
      try {
        for (;;) {
          for (const message of (await session.log.read()).flatMap(unfold)) {
            // A reader begins with the entry in which the last one is.
            if (!isAfter(message.position, this.#position!)) continue
            const taken = this.#take(message)
            if (taken !== undefined) await taken
          }
        }
      } catch (error) {
        connection.drop(session, Failure.of(error))
      }
    }
  }

  async #hear(session: Following): Promise<void> {
    try {
      for (;;) {
        for (const message of await session.nodes.read()) {
          for (const said of unpack(message.payload)) this.#receive(said)
          const stamp = readStamp(message)
          if (stamp !== undefined) this.#heard.note(stamp.node, stamp.messages)
        }
      }
    } catch (error) {
      this.#options.connection.drop(session, Failure.of(error))
    }
  }

  /** A promise where there is something to wait for: most updates are delivered at once. */
  #take(message: Message): Promise<void> | undefined {
    const { position } = message
    this.#options.extent.ledgers.see(position)
    if (position.ledger !== this.#position!.ledger) void this.#lookFor(this.#position!)
    const placed = this.#repeats.has(message) ? undefined : decodeUpdate(message)
    if (placed === undefined) {
      if (!isMark(message) && message.properties.id === undefined) this.#tellForeign()
      this.#goTo(position)
      return undefined
    }
    const deliver = () => {
      this.#options.extent.note(position)
      this.#goTo(position)
      const reused = this.#options.ids.add(placed)
      this.#deliver({ ...toLogEntry(placed), reused, storedAt: message.timeMs }, true)
    }
    const stamp = readStamp(message)
    const waiting = stamp === undefined ? undefined : this.#heard.reached(stamp.node, stamp.messages)
    if (waiting !== undefined) return waiting.then(deliver)
    deliver()
    return undefined
  }

  #goTo(position: Position): void {
    this.#position = position
    this.#move()
  }

  #move(): void {
    this.#moved.resolve()
    this.#moved = Promise.withResolvers()
  }

  /** Finds out whether the log is still the one that was read: where it is not, nothing might ever come after the last place. */
  async #check(session: Following): Promise<void> {
    const { connection, extent, ids, pages, findEnd, emptied, log } = this.#options
    const last = this.#position!
    try {
      const end = await findEnd()
      await extent.refresh()
      if (session !== connection.current) return
      if (isAfter(last, end)) {
        log.error({}, `Pulsar has lost updates that were stored${goingOn}`)
        extent.forget()
        await extent.refresh()
        extent.ledgers.see(end)
        pages.forget()
        ids.reset()
        ids.fill(end, 1)
        this.#goTo(end)
        emptied()
        connection.drop(session, new Failure('passing', 'the log is another one now'))
      } else if (extent.ledgers.has(last.ledger) === false) {
        log.error(
          {},
          `Updates may have left the log before this hub had read them: it was away for too long, or the topic was made anew${goingOn}`,
        )
        emptied()
      }
    } catch {
      // Whatever is wrong is told by who uses the connection.
    }
  }

  /** The log goes on in another ledger: with all that was before, as a rule. */
  async #lookFor(last: Position): Promise<void> {
    const { extent, emptied, log } = this.#options
    try {
      await extent.refresh()
      if (extent.ledgers.has(last.ledger) !== false) return
      log.warn(
        {},
        'What was in the log is not there any more: the topic was made anew or emptied, or keeps too little.',
      )
      emptied()
    } catch {
      // It is asked for again when somebody wants to know.
    }
  }

  #tellForeign(): void {
    if (this.#isForeignTold) return
    this.#isForeignTold = true
    this.#options.log.warn({}, 'The topic has messages that no hub has stored; they are passed over.')
  }
}

const goingOn = '. Going on with what it has now.'
