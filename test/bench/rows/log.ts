import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { open } from '../../../transports/bolt.ts'
import { createTestUpdate } from '../../support/node.ts'
import { HubProcess } from '../../support/process.ts'
import { createRandom } from '../../support/random.ts'
import { testKey } from '../../support/token.ts'
import { type Bench, hubPath } from '../bench.ts'
import { readMarks } from '../marks.ts'
import { type Measure, median, millis, perSecond, type Row, whole } from '../row.ts'

const topics = 1000
const idOf = (i: number): string => `urn:uuid:01934f5e-7a6b-7c9d-8000-${i.toString(16).padStart(12, '0')}`
const topicOf = (i: number): string => `https://example.com/books/${i % topics}`

/** The log on disk, bolt://: starting on it, replays and resumption from it. */
export const log: Measure = async bench => {
  const size = bench.scale(1_000_000)
  const missed = bench.scale(100_000)
  const directory = await bench.createDirectory()
  const transportUrl = `bolt://${join(directory, 'updates.db')}`
  const empty = await bench.repeat(async () => timeStart(`bolt://${join(await bench.createDirectory(), 'updates.db')}`))
  const fillSeconds = await fill(transportUrl, size)
  const fileBytes = (await stat(join(directory, 'updates.db'))).size
  const full = await bench.repeat(() => timeStart(transportUrl))
  const name = `${whole(size)} updates`
  return [
    { what: 'start to ready on an empty log', figures: empty, format: millis, target: { most: 500 } },
    { what: `start to ready on a log of ${name}`, figures: full, format: millis, target: { most: 1000 } },
    ...(await measureReplays(bench, transportUrl, size, missed)),
    {
      what: 'the transport alone, 1,000 publishes at once',
      figures: [size / fillSeconds],
      format: perSecond,
      from: `${whole(fileBytes / size)} bytes of file for an update with 100 bytes of data`,
    },
  ]
}

/** From the start of the process to the word that it listens, in milliseconds. */
async function timeStart(transportUrl: string): Promise<number> {
  const started = performance.now()
  await using hub = await HubProcess.start({
    config: `addr: 127.0.0.1:0\nlog_format: JSON\njwt_key: ${testKey}\ntransport_url: ${transportUrl}\n`,
  })
  await hub.url()
  const ms = performance.now() - started
  hub.signal('SIGTERM')
  await hub.exit()
  return ms
}

async function fill(transportUrl: string, size: number): Promise<number> {
  const transport = await open(new URL(transportUrl), { log: { info() {}, warn() {}, error() {} } })
  await transport.start({ backfill: 1 }, () => {})
  const started = performance.now()
  let next = 0
  const publish = async () => {
    while (next < size) {
      const i = next++
      await transport.publish(createTestUpdate({ id: idOf(i), topics: [topicOf(i)], data: `~${i}~`.padEnd(100, 'x') }))
    }
  }
  await Promise.all(Array.from({ length: 1000 }, publish))
  const seconds = (performance.now() - started) / 1000
  await transport.close()
  return seconds
}

async function measureReplays(bench: Bench, transportUrl: string, size: number, missed: number): Promise<Row[]> {
  await using server = bench.startHub({ transport_url: transportUrl, recent: { entries: 100, bytes: '64MiB' } })
  const port = await server.port()
  const long = await bench.repeat(() => replay(port, '*', size - missed, missed))
  const sparse = await bench.repeat(() => replay(port, encodeURIComponent(topicOf(7)), 0, size / topics, topics, 7))
  const random = createRandom(1)
  const resumes = await bench.repeat(async () => {
    const firsts: number[] = []
    while (firsts.length < 100) firsts.push((await replay(port, '*', 1 + random.below(size - 1), 1)).firstMs)
    return firsts
  })
  const name = `replay of ${whole(missed)} missed updates to one subscriber`
  const worst = Math.max(...resumes.flat())
  return [
    {
      what: `${name}, all in order`,
      figures: long.map(({ lastMs }) => (missed / lastMs) * 1000),
      format: perSecond,
      target: { least: 300_000 },
    },
    {
      what: `${name}: first update`,
      figures: long.map(({ firstMs }) => firstMs),
      format: millis,
      target: { most: 20 },
    },
    {
      what: `resumption at a random id of ${whole(size)}: first update`,
      figures: resumes.map(median),
      format: millis,
      target: { most: 5 },
      from: `the longest of ${whole(resumes.flat().length)}: ${millis(worst)}`,
    },
    {
      what: `replay of all ${whole(size)} to one of ${whole(topics)} topics, all in order`,
      figures: sparse.map(({ lastMs }) => lastMs),
      format: millis,
    },
  ]
}

/**
 * Subscribes after the update before `first` and leaves when `count` have come: number `first + offset`, and each `step`th from there.
 * Times are from before the connection. @throws Error when another comes
 */
async function replay(
  port: number,
  topic: string,
  first: number,
  count: number,
  step = 1,
  offset = 0,
): Promise<{ firstMs: number; lastMs: number }> {
  const lastEventId = first === 0 ? 'earliest' : idOf(first - 1)
  const started = performance.now()
  let firstMs = 0
  let lastMs = 0
  let received = 0
  const socket = connect(port, '127.0.0.1').setNoDelay()
  socket.write(`GET ${hubPath}?topic=${topic} HTTP/1.1\r\nHost: 127.0.0.1\r\nLast-Event-ID: ${lastEventId}\r\n\r\n`)
  socket.on(
    'data',
    readMarks(mark => {
      if (received === count) return
      const expected = first + offset + received++ * step
      if (Number(mark) !== expected) socket.destroy(new Error(`Update ${mark} came where ${expected} was expected.`))
      if (received === 1) firstMs = performance.now() - started
      if (received < count) return
      lastMs = performance.now() - started
      socket.resetAndDestroy()
    }),
  )
  await once(socket, 'close')
  if (received < count) throw new Error(`The stream ended after ${received} of ${count} updates.`)
  return { firstMs, lastMs }
}
