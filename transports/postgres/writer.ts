import { setImmediate as nextTurn } from 'node:timers/promises'
import { HubError } from '../../src/errors.ts'
import type { Update } from '../../src/protocol/update.ts'
import type { TransportLog } from '../../src/transport.ts'
import { type Connection, closed } from './connection.ts'
import { encodeUpdate, type NumberedUpdate } from './entry.ts'
import { Failure } from './failure.ts'
import type { Session } from './session.ts'

export interface WriterOptions {
  readonly connection: Connection
  /** How long a publisher waits at most, in milliseconds; 0: for ever. */
  readonly publishTimeoutMs: number
  /** Called with what a statement has stored, before the publishers are told. */
  readonly stored: (updates: readonly NumberedUpdate[]) => void
  readonly log: TransportLog
}

interface Publish {
  readonly update: Update
  /** The update as the statement takes it. */
  readonly record: string
  /** After this, its publisher waits no longer. */
  readonly untilMs: number
  resolve(): void
  reject(error: HubError): void
}

interface Message {
  readonly text: string
  resolve(): void
  reject(error: HubError): void
}

/** What one statement takes of the updates that wait, in UTF-16 code units. */
const groupBounds = { updates: 512, units: 4 << 20 }
/** What may wait while PostgreSQL is slow or gone. */
const queueBounds = { updates: 100_000, units: 64 << 20 }
/** How often what waits is looked at for what has waited too long. */
const sweepMs = 50
/** A refusal that lasts is logged again after this time. */
const remindAfterMs = 30_000

/**
 * Stores what is published, in groups: the updates that come while one is under way share the next statement, and with it the wait for the disk.
 * One at a time keeps their order. While there is no connection they wait, for `publishTimeoutMs` at most; what was sent and
 * not answered is not sent again.
 */
export class Writer {
  readonly #options: WriterOptions
  readonly #waiting: Publish[] = []
  #waitingUnits = 0
  /** Sent and not answered yet. */
  #group: readonly Publish[] = []
  #messages: Message[] = []
  #running: Promise<void> | undefined
  #sweeper: NodeJS.Timeout | undefined
  /** The refusal that was logged last. */
  #told: { readonly message: string; readonly atMs: number } | undefined
  #closed = false

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** Resolves when the update is committed. Updates are stored in the order of the calls. */
  publish(update: Update): Promise<void> {
    if (this.#closed) return Promise.reject(closed())
    if (this.#waiting.length >= queueBounds.updates || this.#waitingUnits >= queueBounds.units) {
      return Promise.reject(notStored('too many wait for PostgreSQL already'))
    }
    const { publishTimeoutMs } = this.#options
    const record = encodeUpdate(update)
    const untilMs = publishTimeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + publishTimeoutMs
    return new Promise((resolve, reject) => {
      this.#waiting.push({ update, record, untilMs, resolve, reject })
      this.#waitingUnits += record.length
      this.#wake()
    })
  }

  /** Goes before the updates that are published after it; lost where there is no connection now. */
  send(message: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(closed())
    if (this.#options.connection.current === undefined) return Promise.reject(notSent('there is no connection'))
    return new Promise((resolve, reject) => {
      this.#messages.push({ text: Buffer.from(message).toString('base64'), resolve, reject })
      this.#wake()
    })
  }

  /** Stores what was published before, if PostgreSQL takes it in time. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#options.connection.current !== undefined) await this.#running
    this.#refuseAll('the hub is shutting down')
  }

  #wake(): void {
    this.#running ??= this.#run()
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs)
  }

  async #run(): Promise<void> {
    // What else is published in this turn goes into the same statement.
    await nextTurn()
    while (this.#waiting.length > 0 || this.#messages.length > 0) {
      const { connection } = this.#options
      if (connection.current === undefined) {
        this.#loseMessages('there is no connection')
        if (this.#closed || this.#waiting.length === 0) break
      }
      try {
        await this.#store(await connection.session())
      } catch {
        this.#refuseAll('there is no connection')
      }
    }
    this.#running = undefined
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }

  async #store(session: Session): Promise<void> {
    const { connection, publishTimeoutMs, stored } = this.#options
    const group = this.#takeGroup()
    const messages = this.#messages
    this.#messages = []
    if (group.length === 0 && messages.length === 0) return
    this.#group = group
    const updates = group.length === 0 ? null : `[${group.map(({ record }) => record).join()}]`
    const texts = messages.map(({ text }) => text)
    try {
      const statement = { name: 'append', text: `SELECT ${session.tables.append}($1, $2)` }
      const [row] = await session.query(statement, [updates, texts], publishTimeoutMs)
      for (const { resolve } of messages) resolve()
      if (group.length > 0) stored(number(group, row![0]!))
      for (const { resolve } of group) resolve()
    } catch (error) {
      const failure = Failure.of(error)
      for (const { reject } of messages) reject(notSent(failure.message))
      this.#answerFailure(group, failure)
      if (failure.meaning === 'passing' || failure.meaning === 'broken') connection.drop(session, failure)
    }
    this.#group = []
  }

  #answerFailure(group: readonly Publish[], failure: Failure): void {
    if (failure.meaning === 'passing') {
      // Those who have been told already that it has not answered are not to be stored after that.
      const isOver = ({ untilMs }: Publish) => untilMs <= performance.now()
      const inTime = group.filter(publish => !isOver(publish))
      for (const { reject } of group.filter(isOver)) reject(notStored(failure.message))
      this.#waiting.unshift(...inTime)
      for (const { record } of inTime) this.#waitingUnits += record.length
      return
    }
    for (const { reject } of group) reject(failure.meaning === 'broken' ? unknown(failure) : notStored(failure.message))
    if (failure.meaning === 'broken') return
    const now = performance.now()
    if (failure.message === this.#told?.message && now - this.#told.atMs < remindAfterMs) return
    this.#told = { message: failure.message, atMs: now }
    this.#options.log.error({ updates: group.length }, `PostgreSQL does not store updates: ${failure.message}.`)
  }

  #takeGroup(): Publish[] {
    let count = 0
    let units = 0
    for (const { record } of this.#waiting) {
      if (count === groupBounds.updates || (count > 0 && units + record.length > groupBounds.units)) break
      units += record.length
      count++
    }
    this.#waitingUnits -= units
    return this.#waiting.splice(0, count)
  }

  /** Those who wait longest are first. */
  #sweep(): void {
    const now = performance.now()
    const inTime = this.#waiting.findIndex(({ untilMs }) => untilMs > now)
    const overdue = this.#waiting.splice(0, inTime < 0 ? this.#waiting.length : inTime)
    this.#refuse(overdue, 'PostgreSQL has not taken it in time')
    for (const { untilMs, reject } of this.#group) {
      if (untilMs <= now) reject(unknown(new Failure('broken', 'the server has not answered in time')))
    }
  }

  #refuseAll(reason: string): void {
    this.#refuse(this.#waiting.splice(0), reason)
    this.#loseMessages(reason)
  }

  #loseMessages(reason: string): void {
    for (const { reject } of this.#messages.splice(0)) reject(notSent(reason))
  }

  #refuse(publishes: readonly Publish[], reason: string): void {
    for (const { record, reject } of publishes) {
      this.#waitingUnits -= record.length
      reject(notStored(reason))
    }
  }
}

/** What was stored, by what the statement gives. */
function number(group: readonly Publish[], answer: string): NumberedUpdate[] {
  const [before, flags = ''] = answer.split(' ')
  const timeMs = Date.now()
  return group.map(({ update }, i) => ({
    number: Number(before) + i + 1,
    update,
    reused: flags[i] === '1',
    timeMs,
  }))
}

const notSent = (reason: string): HubError =>
  new HubError('transport_unavailable', 'The message was not sent to the other nodes.', { cause: new Error(reason) })

const notStored = (reason: string): HubError =>
  new HubError(
    'transport_unavailable',
    'The update was not stored: this hub cannot write its log now. Publish it again later.',
    { cause: new Error(reason) },
  )

const unknown = ({ message }: Failure): HubError =>
  new HubError(
    'transport_unavailable',
    'It is not known whether the update was stored: the log has not answered. Published again, it may come twice; give it an id to recognise it by.',
    { cause: new Error(message) },
  )
