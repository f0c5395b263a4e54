import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { publisherToken } from '../support/token.ts'
import { benchBolt } from './bolt.ts'
import { openStreams, publishToAll } from './load.ts'

// Figures of the hub beside a floor, in one run on one machine: absolute ones drift with the machine, the ratios are what to compare.

interface Measure {
  readonly name: string
  readonly subscribers: number
  readonly updates: number
  readonly publishers: number
}

const measures: readonly Measure[] = [
  { name: '1,000 subscribers, one publish at a time', subscribers: 1000, updates: 300, publishers: 1 },
  { name: '1,000 subscribers, 32 publishers', subscribers: 1000, updates: 600, publishers: 32 },
  { name: '10,000 subscribers, one publish at a time', subscribers: 10_000, updates: 30, publishers: 1 },
  { name: '10,000 subscribers, 32 publishers', subscribers: 10_000, updates: 100, publishers: 32 },
  { name: 'publishing: 1 subscriber, 32 publishers', subscribers: 1, updates: 20_000, publishers: 32 },
]

interface Usage {
  readonly cpuMicros: number
  readonly rssBytes: number
}

async function measure(kind: 'hub' | 'floor', { subscribers, updates, publishers }: Measure) {
  const server = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [kind], { execArgv: ['--expose-gc'] })
  try {
    const [{ port }] = (await once(server, 'message')) as [{ port: number }]
    const load = { port, subscribers, updates, publishers, token: await publisherToken() }
    const idle = await usageOf(server)
    const { sockets, connectsPerSecond } = await openStreams(load)
    const before = await usageOf(server)
    const outcome = await publishToAll(load, sockets)
    const after = await usageOf(server)
    return {
      ...outcome,
      connectsPerSecond,
      microsPerDelivery: (after.cpuMicros - before.cpuMicros) / (subscribers * updates),
      kibPerStream: (before.rssBytes - idle.rssBytes) / 1024 / subscribers,
    }
  } finally {
    server.disconnect()
  }
}

async function usageOf(server: ChildProcess): Promise<Usage> {
  server.send('usage')
  const [usage] = (await once(server, 'message')) as [Usage]
  return usage
}

const rows: Record<string, Record<string, string>> = {}
for (const each of measures) {
  const hub = await measure('hub', each)
  const floor = await measure('floor', each)
  const whole = (value: number) => Math.round(value).toLocaleString('en')
  rows[each.name] = {
    'µs/delivery': hub.microsPerDelivery.toFixed(2),
    '÷ floor': (hub.microsPerDelivery / floor.microsPerDelivery).toFixed(2),
    'deliveries/s': whole(hub.deliveriesPerSecond),
    'publishes/s': whole(hub.publishesPerSecond),
    'p50 ms': hub.latencyMs.p50.toFixed(1),
    'p99 ms': hub.latencyMs.p99.toFixed(1),
    'connects/s': whole(hub.connectsPerSecond),
    'KiB/stream': each.subscribers >= 1000 ? hub.kibPerStream.toFixed(1) : '–',
  }
}
console.log(
  'µs/delivery: processor time of the server. Floor: Node writing ready bytes to each socket, once per update.',
)
console.table(rows)
console.log('The log on disk, bolt://: every publish is durable before its answer.')
console.table(await benchBolt())
