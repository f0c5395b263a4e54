import type { Bench, Load, Server } from '../bench.ts'
import { kib, type Measure, median, millis, type Row, ratio, whole } from '../row.ts'

const readers = 100
/**
 * Published in parts, after each of which memory is looked at: 10 MB in all, so that a reader that never reads has filled its socket
 * and what the hub keeps for it, and is ended in the middle of the measurement.
 */
const parts = 25
const updates = 250
const bytes = 1500
/** Of `max_queue_bytes`, in KiB. */
const bound = 1024

/** Readers that never read, beside as many that do: what publishers notice, and what the hub keeps for them. */
export const slowReaders: Measure = async bench => [
  ...(await measureStalled(bench, 1)),
  ...(await measureStalled(bench, 100)),
]

async function measureStalled(bench: Bench, count: number): Promise<Row[]> {
  const runs = await bench.repeat(() => compare(bench, count))
  const p99 = (side: 'reading' | 'stalled') => millis(median(runs.map(run => run[side].p99)))
  const name = count === 1 ? 'a reader that never reads' : `${whole(count)} readers that never read`
  return [
    {
      what: `${name}: publish time that 99 % keep ÷ the same with ${count === 1 ? 'one that reads' : 'ones that read'}`,
      figures: runs.map(({ reading, stalled }) => stalled.p99 / reading.p99),
      format: ratio,
      target: { most: 1.1 },
      from: `${p99('stalled')} ÷ ${p99('reading')}, beside ${readers} subscribers`,
    },
    {
      what: `${name}: memory, each`,
      figures: runs.map(({ reading, stalled }) => Math.max(0, stalled.mostBytes - reading.mostBytes) / 1024 / count),
      format: kib,
      target: { most: bound },
      from: 'the most that was in use, above that with readers that read',
    },
  ]
}

/** Two hubs in turn, part by part, so that whatever else the machine does happens to both. */
async function compare(bench: Bench, count: number): Promise<Record<'reading' | 'stalled', Noticed>> {
  await using reading = await Side.open(bench, readers + count)
  await using stalled = await Side.open(bench, readers)
  await stalled.stall(count)
  for (let part = 0; part < parts; part++) {
    await reading.publish()
    await stalled.publish()
  }
  return { reading: reading.noticed, stalled: stalled.noticed }
}

interface Noticed {
  readonly p99: number
  /** In use, above what it was before the first part. */
  readonly mostBytes: number
}

class Side implements AsyncDisposable {
  readonly #server: Server
  readonly #load: Load
  readonly #streams: number
  readonly #p99: number[] = []
  #before = 0
  #most = 0

  static async open(bench: Bench, streams: number): Promise<Side> {
    const server = bench.startHub({ max_queue_bytes: `${bound}KiB` })
    const load = await bench.startLoad(server)
    await load.connect(streams)
    const side = new Side(server, load, streams)
    for (let part = 0; part < parts / 5; part++) await side.publish()
    side.#p99.length = 0
    side.#before = await server.usedBytes()
    side.#most = 0
    return side
  }

  private constructor(server: Server, load: Load, streams: number) {
    this.#server = server
    this.#load = load
    this.#streams = streams
  }

  get noticed(): Noticed {
    return { p99: median(this.#p99), mostBytes: this.#most - this.#before }
  }

  stall(count: number): Promise<void> {
    return this.#load.stall(count)
  }

  async publish(): Promise<void> {
    const { publishMs } = await this.#load.publish({ updates, atOnce: 1, bytes, deliveriesEach: this.#streams })
    this.#p99.push(publishMs.p99)
    this.#most = Math.max(this.#most, await this.#server.usedBytes())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load.close()
    await this.#server.close()
  }
}
