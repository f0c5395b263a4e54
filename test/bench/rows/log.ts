import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { HubProcess } from '../../support/process.ts'
import { createRandom } from '../../support/random.ts'
import { testKey } from '../../support/token.ts'
import type { Bench } from '../bench.ts'
import { fill, replay, topicOf, topics } from '../numbered-log.ts'
import { type Measure, median, millis, perSecond, type Row, whole } from '../row.ts'

/** The log on disk, bolt://: starting on it, replays and resumption from it. */
export const log: Measure = async bench => {
  const size = bench.scale(1_000_000)
  const missed = bench.scale(100_000)
  const directory = await bench.createDirectory()
  const transportUrl = `bolt://${join(directory, 'updates.db')}`
  const empty = await bench.repeat(async () => timeStart(`bolt://${join(await bench.createDirectory(), 'updates.db')}`))
  const filled = await fill(transportUrl, size, 1000)
  const fileBytes = (await stat(join(directory, 'updates.db'))).size
  const full = await bench.repeat(() => timeStart(transportUrl))
  const name = `${whole(size)} updates`
  return [
    { what: 'start to ready on an empty log', figures: empty, format: millis, target: { most: 500 } },
    { what: `start to ready on a log of ${name}`, figures: full, format: millis, target: { most: 1000 } },
    ...(await measureReplays(bench, transportUrl, size, missed)),
    {
      what: 'the transport alone, 1,000 publishes at once',
      figures: [filled],
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
