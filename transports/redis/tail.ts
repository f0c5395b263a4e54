import type { LogEntry, TransportLog } from '../../src/transport.ts'
import type { Connection } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import { answered, type Client } from './client.ts'
import { decodeEntry, type NumberedEntry, type StreamEntry } from './entry.ts'
import { hasPosition, readNewest } from './history.ts'
import { beginning, isAfter, type Keys } from './keys.ts'
import type { Location } from './location.ts'
import { inspectEnd, run } from './scripts.ts'
import { openSession, type Session } from './session.ts'

export interface TailOptions {
  readonly connection: Connection<Session>
  readonly keys: Keys
  readonly log: TransportLog
}

/** The newest of a log. */
interface End {
  /** How many updates have ever been stored. */
  readonly count: number
  /** The position of the newest update that is there. */
  readonly update: string | undefined
  readonly message: string | undefined
}

/** What one answer of Redis brings at most; a node that is behind asks again at once. */
const entriesPerRead = 100
/** Redis answers after this time, if with nothing. */
const blockMs = 3000
/** The way and the work of an answer; past that the connection counts as dead. */
const answerMs = 5000

/** Reads what is appended to the log, by whomever, and what nodes tell each other: on one connection, in one order. */
export class Tail {
  readonly #options: TailOptions
  #receive: ((message: Uint8Array) => void) | undefined
  #deliver: (entry: LogEntry, live: boolean) => void = () => {}
  #position: string | undefined
  /** Where the entry was that was delivered last: what came after it is nobody's. */
  #delivered = beginning
  #messagePosition = beginning
  /** The number of the entry that was delivered last; `undefined`: the next one has whatever it has. */
  #number: number | undefined = 0
  #foreignTold = false
  #answeredAtMs = 0
  #closed = false
  #following: Promise<void> | undefined

  constructor(options: TailOptions) {
    this.#options = options
  }

  /** The position of the entry that was delivered last; `undefined`: the tail is not attached. */
  get position(): string | undefined {
    return this.#position
  }

  /** How long Redis owes an answer beyond the time in which there is always one, in milliseconds. */
  get overdueMs(): number {
    return Math.max(0, performance.now() - this.#answeredAtMs - blockMs)
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#receive = listener
  }

  /** Delivers the newest entries as past; resolves when it follows the log. @throws HubError `configuration_invalid` */
  async attach(
    bounds: { entries: number; bytes: number },
    deliver: (entry: LogEntry, live: boolean) => void,
  ): Promise<void> {
    const { connection, keys } = this.#options
    for (;;) {
      const session = await connection.session()
      try {
        const { client } = session
        const end = await readEnd(client, keys)
        const entries = await readNewest(client, keys, end.update ?? beginning, bounds)
        this.#deliver = deliver
        for (const { number: _, ...entry } of entries) deliver(entry, false)
        this.#goTo(end)
        this.#following = this.#follow(session)
        return
      } catch (error) {
        connection.drop(session, Failure.of(error))
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#options.connection.close()
    await this.#following
  }

  async #follow(first: Session): Promise<void> {
    const { connection } = this.#options
    let session = first
    while (!this.#closed) {
      try {
        for (;;) {
          if (!(await this.#read(session.client))) await this.#check(session.client)
        }
      } catch (error) {
        connection.drop(session, Failure.of(error))
      }
      try {
        session = await connection.session()
        await this.#check(session.client)
      } catch (error) {
        connection.drop(session, Failure.of(error))
      }
    }
  }

  /** Delivers what comes next; false when nothing came. */
  async #read(client: Client): Promise<boolean> {
    const { log, messages } = this.#options.keys
    const positions = [this.#position ?? beginning, this.#messagePosition]
    const reading = client.xreadBuffer(
      ...(['COUNT', entriesPerRead, 'BLOCK', blockMs, 'STREAMS', log, messages] as const),
      ...positions,
    )
    const streams = byKey(await answered(client, reading, blockMs + answerMs))
    this.#answeredAtMs = performance.now()
    // What a node said before it published is heard before that is delivered.
    await this.#hearAll(client, streams.get(messages) ?? [])
    for (const entry of streams.get(log) ?? []) await this.#take(client, entry)
    return streams.size > 0
  }

  async #hearAll(client: Client, first: readonly StreamEntry[]): Promise<void> {
    const { messages } = this.#options.keys
    let heard = first
    for (let reads = 0; ; reads++) {
      for (const [position, fields] of heard) {
        this.#messagePosition = position.toString('latin1')
        if (fields[1] !== undefined) this.#receive?.(fields[1])
      }
      // Updates do not wait for ever, however much nodes have to say.
      if (heard.length < entriesPerRead || reads === 100) return
      const reading = client.xreadBuffer('COUNT', entriesPerRead, 'STREAMS', messages, this.#messagePosition)
      heard = byKey(await answered(client, reading, answerMs)).get(messages) ?? []
    }
  }

  async #take(client: Client, streamEntry: StreamEntry): Promise<void> {
    const decoded = decodeEntry(streamEntry)
    const isNext = this.#number === undefined || decoded?.number === this.#number + 1
    if (decoded === undefined || !(isNext || (await this.#judge(client, decoded)))) {
      this.#position = streamEntry[0].toString('latin1')
      this.#tellForeign()
      return
    }
    const { number, ...entry } = decoded
    this.#position = entry.position
    this.#delivered = entry.position
    this.#number = number
    this.#deliver(entry, true)
  }

  /** Of an entry that has not the next number: false when no hub has stored it. What is missing before it is told. */
  async #judge(client: Client, { number, position }: NumberedEntry): Promise<boolean> {
    const { keys } = this.#options
    const last = this.#position ?? beginning
    const [isOfHub, before] = await Promise.all([
      hasPosition(client, keys, position),
      answered(client, client.xrange(keys.log, last, last), answerMs),
    ])
    // Where the entry before is still there, the log is the one that was read, and nothing has left it since.
    if (isOfHub && before.length === 0) this.#tellJump(number, this.#number ?? 0)
    return isOfHub
  }

  /** Finds out whether the log is still the one that was read: where it is not, nothing might ever come after the last position. */
  async #check(client: Client): Promise<void> {
    const end = await readEnd(client, this.#options.keys)
    this.#answeredAtMs = performance.now()
    const position = this.#position ?? beginning
    const isOlder = end.update !== undefined && isAfter(position, end.update)
    const hasAll = end.count >= (this.#number ?? 0)
    if (hasAll && !isOlder) return
    if (hasAll && end.update !== undefined && !isAfter(this.#delivered, end.update)) {
      // An entry of nobody was the newest one, and has been removed.
      this.#position = this.#delivered
      return
    }
    this.#tellLoss()
    // What has been stored since then is read, unless the clock of this Redis is behind: then its newest may be older than the last position.
    if (end.update !== undefined && isAfter(end.update, position)) this.#number = undefined
    else this.#goTo(end)
  }

  #goTo({ count, update, message }: End): void {
    this.#number = count
    this.#position = update ?? beginning
    this.#delivered = this.#position
    this.#messagePosition = message ?? beginning
    this.#answeredAtMs = performance.now()
  }

  #tellJump(number: number, last: number): void {
    if (number <= last) {
      this.#tellLoss()
      return
    }
    this.#options.log.error(
      { updates: number - last - 1 },
      'Updates left the log before this hub had read them: it was away for too long, or max_len_approx is too small.',
    )
  }

  #tellLoss(): void {
    this.#options.log.error(
      {},
      'Redis has lost updates that were stored: it was emptied, restored from a backup, or replaced by a replica that was behind. Going on from what it has now.',
    )
  }

  #tellForeign(): void {
    if (this.#foreignTold) return
    this.#foreignTold = true
    this.#options.log.warn(
      { key: this.#options.keys.log },
      'The stream has entries that no hub has stored; they are passed over.',
    )
  }
}

const byKey = (answer: unknown): Map<string, StreamEntry[]> =>
  new Map(((answer ?? []) as [Buffer, StreamEntry[]][]).map(([key, entries]) => [key.toString(), entries]))

/** A session that can read what the tail reads. @throws Failure */
export const openTailSession = (location: Location, { log, messages }: Keys, signal: AbortSignal): Promise<Session> =>
  openSession(location, signal, client =>
    answered(client, client.xread('COUNT', 1, 'STREAMS', log, messages, '$', '$'), answerMs),
  )

async function readEnd(client: Client, keys: Keys): Promise<End> {
  const answer = (await answered(client, run(client, inspectEnd, keys, []), answerMs)) as [string, ...(string | null)[]]
  const [count, update, message] = answer
  return { count: Number(count), update: update ?? undefined, message: message ?? undefined }
}
