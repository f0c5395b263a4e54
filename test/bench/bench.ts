import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Settings } from '../support/hub.ts'
import { publisherToken } from '../support/token.ts'
import { type Core, pin } from './machine.ts'
import { Program } from './program.ts'

/** What one command `publish` of the load did. Times are from before the request. */
export interface Outcome {
  readonly deliveries: number
  /** Until the last delivery, in seconds. */
  readonly seconds: number
  /** Until the last answer, in seconds. */
  readonly publishSeconds: number
  readonly latencyMs: Quantiles
  readonly publishMs: Quantiles
}

export interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface Publishing {
  readonly updates: number
  /** Publishers at once, each on a connection of its own, each waiting for its answer. */
  readonly atOnce: number
  /** Of each update's data. Default: 100. */
  readonly bytes?: number
  /** Streams that each update goes to. */
  readonly deliveriesEach: number
  /** `#` in the topic, form-encoded, is the number of the update modulo `topics`. Default: `bench`. */
  readonly topic?: string
  readonly topics?: number
  /** Updates a second; latencies are then from when an update was due. Default: as many as are answered. */
  readonly rate?: number
}

export const hubPath = '/.well-known/mercure'
const benchPath = `${hubPath}?topic=bench`

/** A server under measurement. */
export class Server extends Program {
  readonly #port: Promise<{ port: number }>

  constructor(command: readonly [string, ...string[]], core: Core) {
    super(pin(core, command))
    this.#port = this.next()
  }

  async port(): Promise<number> {
    return (await this.#port).port
  }

  /** Processor time used, in microseconds. */
  async cpuMicros(): Promise<number> {
    return (await this.ask<{ cpuMicros: number }>('cpu')).cpuMicros
  }

  /** Resident memory, after a collection of garbage. A hub answers it, a floor does not. */
  async rssBytes(): Promise<number> {
    return (await this.ask<{ rssBytes: number }>('memory')).rssBytes
  }

  /** Memory that is in use by objects and buffers, without what the allocators keep. */
  async usedBytes(): Promise<number> {
    return (await this.ask<{ usedBytes: number }>('memory')).usedBytes
  }

  /** Resident memory with the garbage. */
  async rssBytesNow(): Promise<number> {
    return (await this.ask<{ rssBytes: number }>('memory now')).rssBytes
  }
}

/** Clients of a server. Anything refused or missing is an error: a bench of a hub that loses is none. */
export class Load extends Program {
  /** Opens streams. `#` in the path is the number of the stream. Resolves with connects per second. */
  async connect(count: number, path = benchPath): Promise<number> {
    return (await this.ask<{ perSecond: number }>(`connect ${count} ${path}`)).perSecond
  }

  /** Opens streams that are never read. */
  async stall(count: number, path = benchPath): Promise<void> {
    await this.ask(`stall ${count} ${path}`)
  }

  /** Opens streams and closes each at once. */
  async churn(count: number, path = benchPath): Promise<number> {
    return (await this.ask<{ perSecond: number }>(`churn ${count} ${path}`)).perSecond
  }

  async publish(publishing: Publishing): Promise<Outcome> {
    const { updates, atOnce, bytes = 100, deliveriesEach, topics = 1, topic = 'bench', rate = 0 } = publishing
    const outcome = await this.ask<Outcome & { expected: number; answered: number; refused: number; ended: number }>(
      `publish ${updates} ${atOnce} ${bytes} ${deliveriesEach} ${topics} ${rate} ${topic}`,
    )
    const { deliveries, expected, answered, refused, ended } = outcome
    if (deliveries !== expected || answered !== updates || refused > 0 || ended > 0) {
      throw new Error(
        `Of ${updates} publishes ${answered} were answered and ${refused} refused; of ${expected} deliveries ${deliveries} came; ${ended} streams ended.`,
      )
    }
    return outcome
  }

  async closeStreams(): Promise<void> {
    await this.ask('close')
  }
}

/** What measurements need of their surroundings: programs to start, a directory for logs, how long they may take. */
export class Bench {
  /** Of each measurement; figures are medians. */
  readonly runs: number
  readonly #directory: string
  readonly #quick: boolean
  readonly #native: boolean

  private constructor(directory: string, quick: boolean, native: boolean) {
    this.#directory = directory
    this.#quick = quick
    this.#native = native
    this.runs = quick ? 1 : 3
  }

  static async open(directory: string, quick: boolean): Promise<Bench> {
    return new Bench(directory, quick, process.platform === 'linux' && compile(directory))
  }

  get isFloorNative(): boolean {
    return this.#native
  }

  get floorName(): string {
    return this.#native ? 'C, one send() per delivery' : 'Node, one write per delivery: there is no C compiler'
  }

  /** A count of a whole run, less in a quick one. */
  scale(count: number): number {
    return this.#quick ? Math.ceil(count / 10) : count
  }

  startHub(settings: Settings = {}, core: Core = 0): Server {
    const program = fileURLToPath(new URL('hub-program.ts', import.meta.url))
    return new Server([process.execPath, '--expose-gc', program, JSON.stringify(settings)], core)
  }

  startFloor(): Server {
    const program = fileURLToPath(new URL('floor-program.ts', import.meta.url))
    return new Server(this.#native ? [join(this.#directory, 'floor')] : [process.execPath, program], 0)
  }

  /** `publishTo`: another node of the hub that has the streams. */
  async startLoad(
    server: Server,
    { subscriberToken, publishTo = server }: { subscriberToken?: string; publishTo?: Server } = {},
  ): Promise<Load> {
    const ports = [`${await server.port()}`, `${await publishTo.port()}`]
    const program = fileURLToPath(new URL('load-program.ts', import.meta.url))
    const command: [string, ...string[]] = this.#native
      ? [join(this.#directory, 'load'), ...ports]
      : [process.execPath, program, ...ports]
    const tokens = {
      PUBLISHER_TOKEN: await publisherToken(),
      ...(subscriberToken === undefined ? {} : { SUBSCRIBER_TOKEN: subscriberToken }),
    }
    return new Load(pin(1, command), tokens)
  }

  /** A new directory, which is gone after the run. */
  async createDirectory(): Promise<string> {
    await mkdir(this.#directory, { recursive: true })
    return await mkdtemp(join(this.#directory, 'log-'))
  }

  /** Calls `measure` so often as the run wants, one after the other. */
  async repeat<T>(measure: () => Promise<T>): Promise<T[]> {
    const results: T[] = []
    while (results.length < this.runs) results.push(await measure())
    return results
  }
}

/** Compiles the floor and the load. False where there is no C compiler. */
function compile(directory: string): boolean {
  return ['floor', 'load'].every(name => {
    const source = fileURLToPath(new URL(`native/${name}.c`, import.meta.url))
    return spawnSync('cc', ['-O2', '-o', join(directory, name), source]).status === 0
  })
}
