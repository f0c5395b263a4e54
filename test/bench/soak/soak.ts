import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseDuration } from '../../../src/config/values/duration.ts'
import { publisherToken } from '../../support/token.ts'
import { Server } from '../bench.ts'
import { describeMachine } from '../machine.ts'
import { median, whole } from '../row.ts'
import { HealthyReader, Publisher, readSlowly, stall, type Turbulence, visit } from './clients.ts'

const publishers = 32
/** Of each publisher. */
const updatesPerSecond = 12
const steady = 100
const reconnecting = 20
const visitors = 200
const slowReaders = 20
const stalledReaders = 20
/** The bound on memory in use at the end, as a multiple of that after the warm-up. */
const growth = 1.2

/**
 * Runs a hub for so long (`10m`) under churn, slow and stalled readers and 32 publishers; prints what healthy subscribers got and
 * how memory went. Resolves with whether nothing was lost, doubled or out of order and memory stayed flat.
 */
export async function soak(duration: string): Promise<boolean> {
  const durationMs = parseDuration(duration)
  const server = startHub()
  const port = await server.port()
  console.log(
    `${describeMachine()}\n${duration} of ${publishers} publishers with ${publishers * updatesPerSecond} updates/s, ${steady} subscribers that stay, ${reconnecting} that reconnect and resume, ${visitors} visitors, ${slowReaders} slow and ${stalledReaders} stalled readers.`,
  )
  const stop = new AbortController()
  process.on('SIGINT', () => stop.abort())
  const turbulence: Turbulence = { visits: 0, slow: 0, stalled: 0 }
  const readers = Array.from({ length: steady + reconnecting }, (_, index) => new HealthyReader(port, index))
  for (const reader of readers) await reader.open()
  const publishing = Array.from({ length: publishers }, () => new Publisher())
  const token = await publisherToken()
  const { signal } = stop
  const working = Promise.all([
    ...publishing.map((publisher, index) => publisher.run(port, index, updatesPerSecond, token, signal)),
    ...readers.slice(steady).map(reader => reader.reconnect(signal)),
    ...times(visitors, () => visit(port, turbulence, signal)),
    ...times(slowReaders, () => readSlowly(port, turbulence, signal)),
    ...times(stalledReaders, () => stall(port, turbulence, signal)),
  ])
  const failing = Promise.race(readers.map(({ failure }) => failure))
  failing.catch(() => stop.abort())
  working.catch(() => stop.abort())
  const memory = await watchMemory(server, performance.now() + durationMs, signal)
  stop.abort()
  await working
  const published = publishing.map(({ published }) => published)
  await Promise.race([allArrived(readers, published), failing])
  const ends = await endedStreams(port)
  for (const reader of readers) reader.close()
  await server.close()

  const faults = reportReaders(readers, published, ends, Math.max(...publishing.map(({ slowestMs }) => slowestMs)))
  console.log(
    `beside them: ${whole(turbulence.visits)} visits, ${whole(turbulence.slow)} streams read slowly, ${whole(turbulence.stalled)} not at all; streams ended: ${[...ends].map(([reason, count]) => `${whole(count)} ${reason}`).join(', ')}`,
  )
  const flat = reportMemory(memory)
  return faults === 0 && flat
}

function startHub(): Server {
  const program = fileURLToPath(new URL('../hub-program.ts', import.meta.url))
  const metrics = { metrics_enabled: true, metrics_addr: '' }
  const settings = {
    transport_url: 'local://local?size=2000',
    subscriptions: true,
    dispatch_timeout: '5s',
    write_timeout: '2m',
    ...metrics,
  }
  return new Server([process.execPath, '--expose-gc', program, JSON.stringify(settings)], 0)
}

/** How many streams have ended so far, by reason, as the hub counts them. */
async function endedStreams(port: number): Promise<ReadonlyMap<string, number>> {
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const counts = metrics.matchAll(/^talaria_streams_ended_total\{reason="([^"]+)"\} (\d+)/gm)
  return new Map([...counts].map(([, reason = '', count]) => [reason, Number(count)]))
}

const times = <T>(count: number, start: () => Promise<T>): Promise<T>[] => Array.from({ length: count }, start)

interface Memory {
  /** Resident memory, once a second. */
  readonly resident: number[]
  /** Memory in use after a collection of garbage, every five seconds. */
  readonly used: number[]
}

/** Until the time or the signal. */
async function watchMemory(server: Server, endsAt: number, signal: AbortSignal): Promise<Memory> {
  const memory: Memory = { resident: [], used: [] }
  while (performance.now() < endsAt && !signal.aborted) {
    await sleep(Math.min(1000, Math.max(1, endsAt - performance.now())), undefined, { signal }).catch(() => {})
    const rssBytes = await server.rssBytesNow()
    memory.resident.push(rssBytes)
    if (memory.resident.length % 5 === 0) memory.used.push(await server.usedBytes())
    if (process.stdout.isTTY) {
      process.stdout.write(`\r${whole((endsAt - performance.now()) / 1000)} s left, ${mib(rssBytes)}   `)
    }
  }
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K')
  return memory
}

/** Resolves when every reader has everything, or when nothing has come to any for ten seconds. */
async function allArrived(readers: readonly HealthyReader[], published: readonly number[]): Promise<void> {
  const received = () => readers.reduce((sum, { reception }) => sum + reception.received, 0)
  for (let seen = -1, quiet = 0; quiet < 100; ) {
    if (readers.every(({ reception }) => reception.lost(published) === 0)) return
    const now = received()
    quiet = now === seen ? quiet + 1 : 0
    seen = now
    await sleep(100)
  }
}

/** Prints the counts; returns how many faults there are. */
function reportReaders(
  readers: readonly HealthyReader[],
  published: readonly number[],
  ends: ReadonlyMap<string, number>,
  slowestMs: number,
): number {
  const sum = (count: (reader: HealthyReader) => number) => readers.reduce((total, reader) => total + count(reader), 0)
  const order = readers[0]!.reception.order
  const faults = {
    lost: sum(({ reception }) => reception.lost(published)),
    duplicated: sum(({ reception }) => reception.duplicated),
    'out of order': sum(({ reception }) => reception.outOfOrder),
    'subscribers with another order than the first': readers.filter(({ reception }) => reception.order !== order)
      .length,
    'streams ended before their time': Math.max(0, sum(({ ended }) => ended) - (ends.get('write timeout') ?? 0)),
  }
  const updates = published.reduce((total, count) => total + count, 0)
  console.log(
    `${whole(updates)} updates, the slowest answer after ${whole(slowestMs)} ms; ${whole(sum(({ reception }) => reception.received))} deliveries to ${readers.length} healthy subscribers, ${whole(sum(({ reconnects, ended }) => reconnects + ended))} resumptions`,
  )
  for (const [fault, count] of Object.entries(faults)) console.log(`  ${fault}: ${whole(count)}`)
  return Object.values(faults).reduce((total, count) => total + count, 0)
}

/** What is in use decides: resident memory has what the allocators keep beside it, more or less at any moment. */
function reportMemory({ resident, used }: Memory): boolean {
  const isFlat = reportGrowth('memory in use after a collection of garbage', used)
  reportGrowth('resident memory', resident)
  if (resident.length < 300)
    console.log('  In less than five minutes memory does not reach its level: a longer run is to be believed.')
  return isFlat
}

/** The first fifth is the warm-up; the second is compared with the last. */
function reportGrowth(what: string, samples: readonly number[]): boolean {
  const fifth = (n: number) =>
    samples.slice(Math.floor((samples.length * n) / 5), Math.ceil((samples.length * (n + 1)) / 5))
  const before = median(fifth(1))
  const after = median(fifth(4))
  const step = Math.max(1, Math.ceil(samples.length / 20))
  const course = samples.filter((_, index) => index % step === 0).map(bytes => whole(bytes / 2 ** 20))
  console.log(
    `${what}: ${mib(before)} after the warm-up, ${mib(after)} at the end: ${(after / before).toFixed(2)} ×; highest ${mib(Math.max(...samples))}; in its course: ${course.join(' ')}`,
  )
  return after <= before * growth
}

const mib = (bytes: number): string => `${whole(bytes / 2 ** 20)} MiB`
