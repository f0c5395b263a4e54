import { onceThrough } from '../key-memory.ts'
import type { LogEntry, Records, Transport } from '../transport.ts'
import { decodeKeyedUpdate, decodeUpdate, encodeEntry } from './entry.ts'
import { encodeFrame } from './frame.ts'
import type { Link } from './link.ts'
import { Readings } from './readings.ts'
import { RecordMemory } from './record-memory.ts'
import { Tail } from './tail.ts'

/** What a worker has to know of the log before it builds its hub. */
export interface LogFacts {
  readonly recentEntries: number | null
  readonly hasHistory: boolean
  readonly saysWhatItHolds: boolean
  readonly saysHowDeep: boolean
}

/** The primary process's side of the log: opened here, once, and offered to every worker. An entry is encoded once for all of them. */
export class LogHost {
  readonly #transport: Transport
  readonly #once: ReturnType<typeof onceThrough>
  readonly #records: Records
  readonly #tail: Tail
  /** Those to which entries are sent. */
  readonly #started = new Set<Link>()
  readonly #links = new Set<Link>()

  /** Starts the transport. `recent`: what workers keep in memory, unless the transport says otherwise. */
  static async start(transport: Transport, recent: { entries: number; bytes: number }): Promise<LogHost> {
    const host = new LogHost(transport, recent)
    const backfill = Math.max(1, transport.recentEntries ?? recent.entries)
    await transport.start({ backfill }, entry => host.#deliver(entry))
    return host
  }

  private constructor(transport: Transport, recent: { entries: number; bytes: number }) {
    this.#transport = transport
    this.#once = onceThrough(transport)
    this.#records = transport.records ?? new RecordMemory()
    this.#tail = new Tail({ ...recent, entries: transport.recentEntries ?? recent.entries })
  }

  #deliver(entry: LogEntry): void {
    const frame = encodeFrame('entry', encodeEntry(entry))
    this.#tail.append(frame)
    for (const link of this.#started) link.sendFrame(frame)
  }

  /** Offers the log to a worker, until it leaves or its connection ends. */
  attach(link: Link): void {
    const { recentEntries, history, holds } = this.#transport
    this.#links.add(link)
    const facts: LogFacts = {
      recentEntries: recentEntries ?? null,
      hasHistory: history !== undefined,
      saysWhatItHolds: holds !== undefined,
      saysHowDeep: this.#transport.depth !== undefined,
    }
    link.answer('log-facts', () => Buffer.from(JSON.stringify(facts)))
    link.answer('start', payload => this.#start(link, payload.readUInt32BE(0)))
    link.answer('publish', async payload => {
      await this.#transport.publish(decodeUpdate(payload))
      return undefined
    })
    link.answer('publish-once', async payload => {
      const { update, key } = decodeKeyedUpdate(payload)
      return Buffer.from(JSON.stringify((await this.#once(update, key)) ?? null))
    })
    link.answer('ready', async () => {
      await this.#transport.ready?.()
      return undefined
    })
    link.answer('holds', async position => {
      const isHeld = (await this.#transport.holds?.(position.toString())) ?? true
      return Uint8Array.of(isHeld ? 1 : 0)
    })
    link.answer('depth', async () => Buffer.from(JSON.stringify((await this.#transport.depth?.()) ?? null)))
    link.answer('load-records', async () => Buffer.from(JSON.stringify([...(await this.#records.load())])))
    link.answer('save-record', async payload => {
      const [key, record]: [string, string | null] = JSON.parse(payload.toString())
      await this.#records.save(key, record)
      return undefined
    })
    if (history !== undefined) new Readings(link, history.bind(this.#transport))
    this.#relay(link)
  }

  #start(link: Link, backfill: number): undefined {
    for (const frame of this.#tail.newest(backfill)) link.sendFrame(frame)
    // From here on entries are live, and sent as they come: all in this turn, so that none is between.
    link.send('tail')
    this.#started.add(link)
  }

  /** Messages from worker to worker. What a worker sent before it vanished comes before its will. */
  #relay(link: Link): void {
    let will: Buffer | undefined
    const broadcast = (message: Buffer) => {
      const frame = encodeFrame('broadcast', message)
      for (const one of this.#links) one.sendFrame(frame)
    }
    const detach = () => {
      this.#links.delete(link)
      this.#started.delete(link)
      if (will !== undefined) broadcast(will)
      will = undefined
    }
    link.on('broadcast', broadcast)
    link.on('will', message => {
      will = Buffer.from(message)
    })
    link.on('leave', () => {
      will = undefined
      detach()
    })
    link.closed.then(detach)
  }

  /** Waits for publishes under way. The workers have left. */
  async close(): Promise<void> {
    await this.#transport.close()
  }
}
