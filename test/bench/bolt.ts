import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Batch } from '../../src/hub/batch.ts'
import type { Sink } from '../../src/hub/subscriber.ts'
import type { Transport } from '../../src/transport.ts'
import { open } from '../../transports/bolt.ts'
import { createTestUpdate, startNode, type TestNode } from '../support/node.ts'
import { createRandom } from '../support/random.ts'
import { publisherToken } from '../support/token.ts'
import { openStreams, publishToAll } from './load.ts'

/** A figure of the log on disk. */
export interface Row {
  readonly what: string
  readonly figure: string
  /** What it is meant to be. */
  readonly target: string
}

const logSize = 1_000_000
const missed = 100_000
const topics = 1000
const context = { log: { info() {}, warn() {}, error() {} } }
const idOf = (i: number): string => `urn:uuid:01934f5e-7a6b-7c9d-8000-${i.toString(16).padStart(12, '0')}`
const topicOf = (i: number): string => `https://example.com/books/${i % topics}`
const updateOf = (i: number) => createTestUpdate({ id: idOf(i), topics: [topicOf(i)], data: 'x'.repeat(100) })

/** Measures the log on disk: publishing, replay, resuming, start, size. Takes about a minute and half a gigabyte in the temporary directory. */
export async function benchBolt(): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-bench-'))
  const urlOf = (name: string) => new URL(`bolt://${join(directory, name)}`)
  try {
    return [
      await measureStart('start to ready, empty log', urlOf('large.db'), '< 500 ms'),
      ...(await measurePublishing(urlOf('large.db'))),
      ...(await measureRequests(urlOf('requests.db'))),
      {
        what: 'file size per update of 100 bytes',
        figure: `${Math.round((await stat(join(directory, 'large.db'))).size / logSize)} B`,
        target: '–',
      },
      await measureStart('start to ready, 1,000,000 updates', urlOf('large.db'), '< 1,000 ms'),
      ...(await measureReading(urlOf('large.db'))),
    ]
  } finally {
    await rm(directory, { recursive: true })
  }
}

const perSecond = (count: number, ms: number): string => `${Math.round((count / ms) * 1000).toLocaleString('en')}/s`

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now()
  return [await work(), performance.now() - started]
}

async function measureStart(what: string, url: URL, target: string): Promise<Row> {
  const [node, ms] = await timed(async () => await startNode(await open(url, context), largeWindow))
  await node.close()
  return { what, figure: `${Math.round(ms)} ms`, target }
}
const largeWindow = { recent: { entries: 10_000, bytes: 64 << 20 } }
const smallWindow = { recent: { entries: 100, bytes: 64 << 20 } }

/** Fills the log to its whole size, too. */
async function measurePublishing(url: URL): Promise<Row[]> {
  const transport = await open(url, context)
  await transport.start({ backfill: 1 }, () => {})
  let published = 0
  const rows: Row[] = []
  for (const [publishers, count, target] of [
    [1, 2000, '–'],
    [32, 50_000, '≥ 20,000/s'],
    [1000, logSize - 52_000, '–'],
  ] as const) {
    const [, ms] = await timed(() => publishAll(transport, publishers, published, count))
    published += count
    rows.push({ what: `transport, ${publishers} publishes at once`, figure: perSecond(count, ms), target })
  }
  await transport.close()
  return rows
}

async function publishAll(transport: Transport, publishers: number, from: number, count: number): Promise<void> {
  let next = from
  const publish = async (): Promise<void> => {
    while (next < from + count) await transport.publish(updateOf(next++))
  }
  await Promise.all(Array.from({ length: publishers }, publish))
}

async function measureRequests(url: URL): Promise<Row[]> {
  const server = fork(fileURLToPath(new URL('bolt-server.ts', import.meta.url)), [url.href])
  const [{ port }] = (await once(server, 'message')) as [{ port: number }]
  const rows: Row[] = []
  for (const [publishers, updates, target] of [
    [32, 20_000, '(warm-up)'],
    [1, 2000, '–'],
    [32, 40_000, '≥ 20,000/s'],
  ] as const) {
    const load = { port, subscribers: 1, updates, publishers, token: await publisherToken() }
    const { sockets } = await openStreams(load)
    const { publishesPerSecond } = await publishToAll(load, sockets)
    rows.push({ what: `HTTP, ${publishers} publishes at once`, figure: perSecond(publishesPerSecond, 1000), target })
  }
  server.disconnect()
  await once(server, 'exit')
  return rows.slice(1)
}

async function measureReading(url: URL): Promise<Row[]> {
  await using node = await startNode(await open(url, context), smallWindow)
  const replays: [string, { topics: string[]; lastEventId: string }, number][] = [
    [
      `replay of ${missed.toLocaleString('en')} missed`,
      { topics: ['*'], lastEventId: idOf(logSize - missed - 1) },
      missed,
    ],
    ['replay of all, to one who matches everything', { topics: ['*'], lastEventId: 'earliest' }, logSize],
    ['replay of all, to one of 1,000 topics', { topics: [topicOf(7)], lastEventId: 'earliest' }, logSize / topics],
  ]
  const rows: Row[] = []
  for (const [what, from, count] of replays) {
    const { firstMs, lastMs } = await replay(node, from, count)
    const figure = `${perSecond(count, lastMs)}, first after ${firstMs.toFixed(1)} ms, all after ${Math.round(lastMs)} ms`
    rows.push({ what, figure, target: count === missed ? '≥ 300,000/s, first < 20 ms' : '–' })
  }
  const random = createRandom(1)
  const firsts: number[] = []
  for (let i = 0; i < 200; i++) {
    const lastEventId = idOf(random.below(logSize - 1))
    firsts.push((await replay(node, { topics: ['*'], lastEventId }, 1)).firstMs)
  }
  firsts.sort((a, b) => a - b)
  const figure = `median ${firsts[100]!.toFixed(2)} ms, 99 % ${firsts[197]!.toFixed(2)} ms`
  return [...rows, { what: 'resume at a random id of 1,000,000: first update', figure, target: '< 5 ms' }]
}

/** Subscribes, and leaves when so many updates have come. Times are from before the cursor was looked up. */
async function replay(
  node: TestNode,
  from: { topics: string[]; lastEventId: string },
  count: number,
): Promise<{ firstMs: number; lastMs: number }> {
  const started = performance.now()
  const sink = new CountingSink(count)
  const { leave } = await node.subscribe({ ...from, collector: sink as never })
  await sink.all
  leave()
  return { firstMs: sink.firstAt - started, lastMs: sink.lastAt - started }
}

/** A subscriber that takes everything at once. */
class CountingSink implements Sink {
  readonly waitingBytes = 0
  readonly #done = Promise.withResolvers<void>()
  readonly all: Promise<void> = this.#done.promise
  onEnd: (reason: never) => void = () => {}
  firstAt = 0
  lastAt = 0
  #left: number

  constructor(count: number) {
    this.#left = count
  }

  write(batch: Batch): void {
    if (this.firstAt === 0) this.firstAt = performance.now()
    // What a stream does with it: one block of bytes.
    if (batch.bytes.byteLength === 0) throw new Error('an empty batch')
    for (let node: Batch | undefined = batch; node !== undefined; node = node.previous) this.#left--
    if (this.#left > 0 || this.lastAt > 0) return
    this.lastAt = performance.now()
    this.#done.resolve()
  }

  async drained(): Promise<void> {}

  end(reason: string): void {
    this.onEnd(reason as never)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.table(await benchBolt())
