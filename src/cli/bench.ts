import { randomUUID } from 'node:crypto'
import type { Writable } from 'node:stream'
import { Command, Option } from 'commander'
import { parseDuration } from '../config/values/duration.ts'
import { parseSize } from '../config/values/size.ts'
import { HubError } from '../errors.ts'
import { Load, type LoadOptions } from './bench/load.ts'
import { createReport, exitCodeOf, formatReport, type Report } from './bench/report.ts'
import { type HubOptions, readToken, tokenOption, urlOption } from './client/hub-options.ts'
import { readHubUrl } from './client/hub-url.ts'
import { examples } from './examples.ts'
import { Progress } from './progress.ts'
import { mintToken } from './token.ts'

/** The options of `talaria bench`, as commander reads them. */
export interface BenchOptions {
  readonly subscribers: string
  readonly publishers: string
  readonly rate: string
  readonly duration: string
  readonly size: string
  readonly topics: string
  readonly topic?: string
  readonly match: string
  readonly token?: string
  readonly subscriberToken?: string
  readonly key?: string
  readonly wait: string
  readonly insecure?: boolean
  readonly json?: boolean
}

/** What a timer can wait for. */
const maxDurationMs = 576 * 3_600_000
/** Who does not want to wait for missing updates wants the streams nevertheless. */
const leastConnectPatienceMs = 5000

/** `talaria bench`: loads a hub with subscribers and publishers, and prints what they saw. */
export function benchCommand(): Command {
  return new Command('bench')
    .summary('Load a hub and measure it.')
    .description(
      'Load a hub and measure it. Exits with 0 when every update arrived once and in order, with 2 when one did not or an error was seen, ' +
        'and with 1 when nothing could be measured.',
    )
    .argument('[url]', "the hub's URL; /.well-known/mercure is added to a bare host")
    .addOption(urlOption('the same'))
    .option('--subscribers <n>', 'streams that are open all the time', '100')
    .option('--publishers <n>', 'connections that publish, each one update at a time', '1')
    .option(
      '--rate <n>',
      'updates in a second, of all publishers; max: each as soon as its last one is answered',
      'max',
    )
    .option('--duration <time>', 'how long to publish', '10s')
    .option('--size <bytes>', 'data of an update', '100')
    .option('--topics <n>', 'topics that the updates go round; each stream subscribes to one', '1')
    .option('--topic <topic>', 'what the topics begin with (default: a random one below https://example.com/bench)')
    .addOption(
      new Option('--match <parameter>', 'query parameter of subscribers: topic for 0.x hubs, match for 1.0')
        .choices(['topic', 'match'])
        .default('topic'),
    )
    .addOption(tokenOption('token of the publishers, and of the subscribers; @FILE reads it from a file'))
    .option('--subscriber-token <jwt>', 'token of the subscribers, if another')
    .option(
      '--key <key>',
      'mint a 0.x token for every topic with this secret or private key; @FILE reads it from a file',
    )
    .option(
      '--wait <time>',
      'how long to wait when nothing comes any more: for missing updates, and for streams to open (5s at least)',
      '5s',
    )
    .option('--insecure', 'accept any certificate')
    .option('--json', 'print the figures as JSON')
    .addHelpText('after', examples('talaria bench http://127.0.0.1:3000 --subscribers 1000 --token @token.txt'))
    .action(async (argument: string | undefined, options: BenchOptions & HubOptions) => {
      const url = argument ?? options.url
      if (url === undefined || url === '') throw invalid('Which hub? Give its URL, or set MERCURE_URL')
      const stop = new AbortController()
      const giveUp = new AbortController()
      const interrupt = () => (stop.signal.aborted ? giveUp.abort() : stop.abort())
      process.on('SIGINT', interrupt)
      try {
        const load = await readOptions(url, options)
        const report = await runBench(load, { stop: stop.signal, giveUp: giveUp.signal, stderr: process.stderr })
        process.stdout.write(`${options.json === true ? JSON.stringify(report) : formatReport(report)}\n`)
        process.exitCode = exitCodeOf(report)
      } finally {
        process.off('SIGINT', interrupt)
      }
    })
}

/** @throws HubError `configuration_invalid` naming the option */
export async function readOptions(text: string, options: BenchOptions): Promise<LoadOptions> {
  const url = readHubUrl(text)
  const topicCount = readCount('--topics', options.topics, 1)
  const prefix = options.topic ?? `https://example.com/bench/${randomUUID()}`
  const publishers = readCount('--publishers', options.publishers, 0)
  const subscribers = readCount('--subscribers', options.subscribers, 0)
  if (publishers + subscribers === 0) throw invalid('--publishers and --subscribers are 0: there is nothing to do')
  if (options.key !== undefined && options.token !== undefined) {
    throw invalid('--key mints a token, and --token or MERCURE_JWT is one: give one of them')
  }
  const patienceMs = readValue('--wait', options.wait, readDuration)
  const { key } = options
  const token = key === undefined ? await readToken('--token', options.token) : await mintForEveryTopic(key)
  return {
    target: { url, insecure: options.insecure === true },
    subscribers,
    publishers,
    rate: options.rate === 'max' ? undefined : readRate(options.rate),
    durationMs: readValue('--duration', options.duration, readTimeToPublish),
    size: readValue('--size', options.size, parseSize),
    topics: topicCount === 1 ? [prefix] : Array.from({ length: topicCount }, (_, n) => `${prefix}/${n + 1}`),
    match: options.match,
    token,
    subscriberToken: (await readToken('--subscriber-token', options.subscriberToken)) ?? token,
    patienceMs,
    connectPatienceMs: Math.max(patienceMs, leastConnectPatienceMs),
  }
}

/** Publishes until the duration is over or `stop`, waits for what is on its way until `giveUp`. @throws HubError if the hub refuses everything */
export async function runBench(
  options: LoadOptions,
  { stop, giveUp, stderr }: { stop: AbortSignal; giveUp: AbortSignal; stderr: Writable & { readonly isTTY?: boolean } },
): Promise<Report> {
  const progress = new Progress(stderr)
  const load = new Load(options)
  const drawing = setInterval(() => progress.show(() => describeProgress(load, options)), 250)
  try {
    await load.connect(stop)
    if (!stop.aborted) await load.publish(stop)
    await load.drain(giveUp)
    return createReport(load, options, stop.aborted)
  } catch (error) {
    const { message } = error as Error
    const mend = options.token === undefined && / 401 /.test(message) ? withToken : undefined
    throw new HubError('transport_unavailable', `${options.target.url.href}: ${message}`, { mend, cause: error })
  } finally {
    clearInterval(drawing)
    progress.end()
    load.close()
  }
}

const withToken = 'Give one with --token or MERCURE_JWT, or the key of the hub, which makes one, with --key.'

function describeProgress(
  { streams, stored, ledger, beganAt }: Load,
  { subscribers, durationMs }: LoadOptions,
): string {
  const open = `${streams.length.toLocaleString('en')} of ${subscribers.toLocaleString('en')} streams`
  if (beganAt === 0) return open
  const seconds = (performance.now() - beganAt) / 1000
  const perSecond = (count: number) => Math.round(count / seconds).toLocaleString('en')
  return `${seconds.toFixed(0)} of ${(durationMs / 1000).toFixed(0)} s  ${open}  ${perSecond(stored)} publishes/s  ${perSecond(ledger.received)} deliveries/s`
}

/** In whole milliseconds. */
function readDuration(text: string): number {
  const ms = Math.ceil(parseDuration(text))
  if (ms <= maxDurationMs) return ms
  throw invalid(`${JSON.stringify(text)} is longer than 576h, the longest that there is`)
}

function readTimeToPublish(text: string): number {
  const ms = readDuration(text)
  if (ms > 0) return ms
  throw invalid(`${JSON.stringify(text)} leaves no time to publish; write it like 10s`)
}

const mintForEveryTopic = async (key: string): Promise<string> => {
  const topics = { publish: ['*'], subscribe: ['*'], publishUrlpattern: [], subscribeUrlpattern: [] }
  const { token } = await mintToken({ generation: '0.x', key, exp: false, ...topics }, new Date())
  return token
}

function readCount(option: string, text: string, least: number): number {
  const count = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN
  if (count >= least) return count
  throw invalid(`${option} ${JSON.stringify(text)} is not a number of ${least} or more`)
}

function readRate(text: string): number {
  const rate = /^\d{1,9}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (rate > 0) return rate
  throw invalid(`--rate ${JSON.stringify(text)} is neither "max" nor a number of updates in a second`)
}

function readValue(option: string, text: string, parse: (text: string) => number): number {
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof HubError) throw new HubError(error.code, `${option}: ${error.message}`, { cause: error })
    throw error
  }
}

const invalid = (rule: string): HubError => new HubError('configuration_invalid', `${rule}.`)
