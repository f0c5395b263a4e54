import type { LogEntry, TransportLog } from '../../src/transport.ts'
import type { Connection } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import { readEnd } from './end.ts'
import { type NumberedUpdate, toText } from './entry.ts'
import { type Bounds, readNewest, readOn } from './history.ts'
import { positionOf, type Timeline } from './position.ts'
import type { Session } from './session.ts'
import { identifier } from './tables.ts'

export interface TailOptions {
  readonly connection: Connection<Session>
  readonly timeline: Timeline
  /** Called with every update that is delivered, before it is. */
  readonly delivering: (entry: NumberedUpdate) => void
  /** Called with how many updates this hub has moved to the log. */
  readonly taken: (updates: number) => void
  readonly log: TransportLog
}

const pageBounds: Bounds = { entries: 500, bytes: 1 << 20 }
/** Updates moved from the inbox at once. */
const updatesPerTaking = 500
/** How often the log's end is asked for when nothing is heard, in milliseconds. */
const restMs = 2000
const answerMs = 5000
/** So many times in a row updates were found of which no notification had come. */
const suspiciousSilences = 3

/** What a notification says, by its first letter. */
const appended = 'u'
const published = 'i'
const told = 'm'

/** Reads what is appended to the log, by whomever, and what nodes tell each other: on one connection, in one order. */
export class Tail {
  readonly #options: TailOptions
  #receive: (message: Uint8Array) => void = () => {}
  #deliver: (entry: LogEntry, live: boolean) => void = () => {}
  /** The number of the update that was delivered last, or before the first one. */
  #number: number | undefined
  /** The highest number that was heard of in this session. */
  #heard = 0
  #channel = ''
  #inbox = false
  /** The log may be another one than that which was read. */
  #isSuspect = false
  #bell = Promise.withResolvers<void>()
  #silences = 0
  /** When the last notification came, and when this hub stored or sent the first thing since then. */
  #heardAtMs = 0
  #owedSinceMs: number | undefined
  #answeredAtMs = 0
  #closed = false
  #following: Promise<void> | undefined

  constructor(options: TailOptions) {
    this.#options = options
  }

  /** The number of the update that was delivered last; `undefined`: the tail is not attached. */
  get number(): number | undefined {
    return this.#number
  }

  /** How long PostgreSQL owes an answer beyond the time in which there is always one, in milliseconds. */
  get overdueMs(): number {
    return Math.max(0, performance.now() - this.#answeredAtMs - restMs)
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#receive = listener
  }

  /** Delivers the newest updates as past; resolves when it follows the log. @throws HubError */
  async attach(bounds: Bounds, deliver: (entry: LogEntry, live: boolean) => void): Promise<void> {
    const { connection, timeline } = this.#options
    for (;;) {
      const session = await connection.session()
      try {
        await this.#listen(session)
        const { last } = await readEnd(session, 0)
        const newest = await readNewest(session, last, bounds)
        this.#deliver = deliver
        for (const entry of newest) {
          const { number, update, reused } = entry
          this.#options.delivering(entry)
          timeline.trail.add(entry)
          deliver({ position: positionOf(number, timeline), update, reused }, false)
        }
        this.#number = last
        this.#following = this.#follow(session)
        return
      } catch (error) {
        connection.drop(session, Failure.of(error))
      }
    }
  }

  /**
   * Delivers what this hub has just stored, if it is next; else it is read. `idBefore`: that of the update before it, as its column has it, if that
   * is known.
   */
  offer(stored: readonly NumberedUpdate[], idBefore: string | undefined): void {
    const [first] = stored
    if (this.#number === undefined || first === undefined) return
    const { trail } = this.#options.timeline
    const isBeforeSame = idBefore === undefined ? undefined : trail.has(first.number - 1, idBefore)
    if (isBeforeSame === false || trail.has(first.number, toText(first.update.id)) === false) {
      this.#isSuspect = true
      this.#bell.resolve()
    } else if (first.number === this.#number + 1 && (isBeforeSame === true || this.#number === 0)) {
      for (const entry of stored) this.#deliverLive(entry)
    }
  }

  /** What this hub began to store or to send then is stored or sent: a notification of it has come, or is to come. */
  expectNotification(sinceMs: number): void {
    if (this.#heardAtMs < sinceMs) this.#owedSinceMs ??= sinceMs
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#bell.resolve()
    await this.#options.connection.close()
    await this.#following
  }

  async #listen(session: Session): Promise<void> {
    const { channel } = session.tables
    const [row] = await session.query({ text: `SELECT ${channel}` }, [], answerMs)
    this.#channel = row![0]!
    session.onNotification(payload => this.#hear(payload))
    void session.ended.then(() => this.#bell.resolve())
    this.#heard = 0
    this.#owedSinceMs = undefined
    await session.query({ text: `LISTEN ${identifier(this.#channel)}` }, [], answerMs)
    this.#answeredAtMs = performance.now()
    // What was published in SQL while no hub was there.
    this.#inbox = true
  }

  #hear(payload: string): void {
    this.#heardAtMs = performance.now()
    this.#owedSinceMs = undefined
    this.#silences = 0
    const kind = payload[0]
    if (kind === told) {
      this.#receive(Buffer.from(payload.slice(1), 'base64'))
      return
    }
    if (kind === appended) {
      const number = Number(payload.slice(1))
      this.#heard = Math.max(this.#heard, number)
    } else if (kind === published) this.#inbox = true
    else return
    this.#bell.resolve()
  }

  async #follow(first: Session): Promise<void> {
    const { connection } = this.#options
    let session = first
    while (!this.#closed) {
      try {
        while (!this.#closed) await this.#step(session)
      } catch (error) {
        connection.drop(session, Failure.of(error))
      }
      while (!this.#closed) {
        try {
          session = await connection.session()
          await this.#listen(session)
          await this.#check(session)
          break
        } catch (error) {
          connection.drop(session, Failure.of(error))
        }
      }
    }
  }

  /** Does what there is to do, or else waits for it. */
  async #step(session: Session): Promise<void> {
    if (this.#inbox) {
      this.#inbox = false
      if ((await this.#take(session)) === updatesPerTaking) this.#inbox = true
    }
    if (this.#isSuspect) await this.#check(session)
    if (this.#heard > this.#number!) {
      await this.#read(session)
      return
    }
    if (this.#inbox || this.#isSuspect) return
    this.#bell = Promise.withResolvers()
    const timer = setTimeout(() => this.#bell.resolve(), restMs)
    await this.#bell.promise
    clearTimeout(timer)
    if (this.#closed || this.#inbox || this.#isSuspect || this.#heard > this.#number!) return
    await this.#check(session)
    const isOwed = this.#owedSinceMs !== undefined && performance.now() - this.#owedSinceMs > restMs
    this.#owedSinceMs = undefined
    if ((isOwed || this.#heard > this.#number!) && ++this.#silences === suspiciousSilences) this.#tellSilence()
  }

  async #take(session: Session): Promise<number> {
    const statement = { name: 'take', text: `SELECT ${session.tables.take}($1)` }
    const [row] = await session.query(statement, [updatesPerTaking], answerMs * 4)
    const taken = Number(row?.[0])
    if (taken > 0) this.#options.taken(taken)
    return taken
  }

  /** Delivers the next updates: of those that are stored already and were not heard of, messages that come before them are not heard yet either. */
  async #read(session: Session): Promise<void> {
    const range = { after: this.#number!, upTo: this.#heard }
    const { updates, idBefore } = await readOn(session, range, pageBounds)
    this.#answeredAtMs = performance.now()
    if (idBefore !== undefined && this.#options.timeline.trail.has(range.after, idBefore) === false) {
      this.#isSuspect = true
      return
    }
    // Some of it may have been offered meanwhile.
    for (const entry of updates) if (entry.number > this.#number!) this.#deliverLive(entry)
    // Of a number that is not there any more, nothing more comes.
    if (updates.length === 0) this.#number = Math.max(this.#number!, range.upTo)
  }

  #deliverLive(entry: NumberedUpdate): void {
    const { number, update, reused, timeMs } = entry
    const { timeline, delivering } = this.#options
    this.#number = number
    delivering(entry)
    timeline.trail.add(entry)
    this.#deliver({ position: positionOf(number, timeline), update, reused, storedAt: timeMs }, true)
  }

  /** Asks for the log's end: notifications get lost with connections, and a log may be lost, too. */
  async #check(session: Session): Promise<void> {
    const { trail } = this.#options.timeline
    const number = this.#number!
    this.#isSuspect = false
    const end = await readEnd(session, number)
    this.#answeredAtMs = performance.now()
    if (end.channel !== this.#channel) throw new Failure('passing', 'the tables of the log were made anew')
    if (end.hasInbox) this.#inbox = true
    const isSame = end.idAt === undefined ? end.last <= number : trail.has(number, end.idAt) !== false
    const fork = isSame && end.given >= number ? undefined : await trail.findFork(session, number, end.given)
    if (fork !== undefined) {
      this.#loseLog(fork)
      // What was heard before is not to be told from what was heard since then.
      await this.#check(session)
      return
    }
    if (number > 0 && end.idAt === undefined && end.first > number + 1) this.#tellGap(end.first - number - 1)
    if (end.last > this.#number!) this.#heard = Math.max(this.#heard, end.last)
  }

  /** Goes on with what there is from a number on: what was delivered with such numbers was another log's. */
  #loseLog(fork: number): void {
    const { timeline, log } = this.#options
    timeline.era++
    timeline.trail.cut(fork)
    this.#number = fork - 1
    this.#heard = 0
    log.error(
      {},
      'PostgreSQL has lost updates that were stored: it was restored from a backup, or replaced by a standby that was behind. Going on from what it has now.',
    )
  }

  #tellGap(updates: number): void {
    this.#options.log.error(
      { updates },
      'Updates left the log before this hub had read them: it was away for too long, or size and max_age are too small.',
    )
  }

  #tellSilence(): void {
    this.#options.log.warn(
      {},
      'PostgreSQL does not notify this hub of new updates, which are therefore late by seconds: a pooler in transaction mode, such as PgBouncer, lets no notification pass. Connect to the server itself, or in session mode.',
    )
  }
}
