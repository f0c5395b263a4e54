import type { RecordableHistogram } from 'node:perf_hooks'
import type { Load, LoadOptions } from './load.ts'

/** In milliseconds. `null`: there was nothing to measure. */
export interface Latency {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** What a load has measured. */
export interface Report {
  readonly url: string
  readonly subscribers: number
  readonly publishers: number
  /** Updates in a second; `null`: as many as the publishers can. */
  readonly rate: number | null
  readonly size: number
  readonly topics: number
  /** From the first update to the last answer, in seconds. */
  readonly seconds: number
  /** Ctrl-C ended it. */
  readonly interrupted: boolean
  readonly streams: {
    readonly opened: number
    readonly refused: number
    /** Ended by the hub, or by the network, before the load was over. */
    readonly ended: number
    readonly perSecond: number
  }
  readonly publishes: {
    readonly stored: number
    /** Refused, or not answered. */
    readonly failed: number
    readonly perSecond: number
    readonly latencyMs: Latency | null
  }
  /** Of one update to one stream each. */
  readonly deliveries: { readonly received: number; readonly perSecond: number; readonly latencyMs: Latency | null }
  readonly lost: number
  readonly duplicated: number
  readonly outOfOrder: number
  readonly errors: readonly { readonly what: string; readonly count: number }[]
  readonly client: {
    /** How much of the time this process was busy, from 0 to 1. */
    readonly utilization: number
    /** The figures then tell of the client as much as of the hub. */
    readonly saturated: boolean
  }
}

/** Beyond, a client measures itself. */
const saturation = 0.9

export function createReport(load: Load, options: LoadOptions, interrupted: boolean): Report {
  const { target, subscribers, publishers, rate, size, topics } = options
  const { ledger, streams, stored } = load
  const seconds = (load.answeredAt - load.beganAt) / 1000
  return {
    url: target.url.href,
    subscribers,
    publishers,
    rate: rate ?? null,
    size,
    topics: topics.length,
    seconds: round(seconds),
    interrupted,
    streams: {
      opened: streams.length,
      refused: load.refusedStreams,
      ended: load.endedStreams,
      perSecond: perSecond(streams.length, load.connectMs / 1000),
    },
    publishes: {
      stored,
      failed: load.notStored,
      perSecond: perSecond(stored, seconds),
      latencyMs: readLatency(load.publishLatency),
    },
    deliveries: {
      received: ledger.received,
      perSecond: perSecond(ledger.received, (load.deliveredAt - load.beganAt) / 1000),
      latencyMs: readLatency(load.deliveryLatency),
    },
    lost: load.countLost(),
    duplicated: ledger.duplicated,
    outOfOrder: ledger.outOfOrder,
    errors: load.failures.list(),
    client: { utilization: round(load.utilization), saturated: load.utilization > saturation },
  }
}

/** What the command exits with: 0, 2 when anything was refused, lost, doubled or out of order, 1 when nothing could be measured. */
export function exitCodeOf(report: Report): 0 | 1 | 2 {
  if (!hasMeasured(report)) return 1
  return report.lost + report.duplicated + report.outOfOrder + report.errors.length === 0 ? 0 : 2
}

/** Where there are publishers, streams alone say nothing of what the load is for. */
const hasMeasured = ({ publishers, publishes, streams }: Report): boolean =>
  (publishers > 0 ? publishes.stored : streams.opened) > 0

/** Microseconds to milliseconds. */
function readLatency(histogram: RecordableHistogram): Latency | null {
  if (histogram.count === 0) return null
  const quantile = (percent: number) => round(histogram.percentile(percent) / 1000)
  return { p50: quantile(50), p95: quantile(95), p99: quantile(99), max: round(histogram.max / 1000) }
}

const perSecond = (count: number, seconds: number): number => (seconds > 0 ? round(count / seconds) : 0)
const round = (value: number): number => Math.round(value * 1000) / 1000

export function formatReport(report: Report): string {
  const { streams, publishes, deliveries, errors, client } = report
  const rows: [name: string, text: string][] = []
  if (report.subscribers > 0) {
    const others = [
      ...(streams.refused > 0 ? [`${count(streams.refused)} refused`] : []),
      ...(streams.ended > 0 ? [`${count(streams.ended)} ended early`] : []),
    ]
    rows.push(['streams', [`${count(streams.opened)} opened at ${count(streams.perSecond)}/s`, ...others].join(', ')])
  }
  if (report.publishers > 0) {
    const failed = publishes.failed > 0 ? `, ${count(publishes.failed)} failed` : ''
    rows.push(['publishes', formatRate(publishes.stored, publishes) + failed])
  }
  if (report.publishers > 0 && report.subscribers > 0) {
    rows.push(['deliveries', formatRate(deliveries.received, deliveries)])
    const { lost, duplicated, outOfOrder } = report
    rows.push(['', `${count(lost)} lost, ${count(duplicated)} duplicated, ${count(outOfOrder)} out of order`])
  }
  for (const [index, error] of errors.entries()) {
    rows.push([index === 0 ? 'errors' : '', `${count(error.count)} × ${error.what}`])
  }
  const notes = [
    ...(report.interrupted ? [describeInterruption(report)] : []),
    ...(client.saturated && hasMeasured(report)
      ? [
          `This client was busy ${Math.round(client.utilization * 100)} % of the time: the hub may be faster than these figures. ` +
            'Run it on another machine, or several of it.',
        ]
      : []),
  ]
  return [
    title(report),
    '',
    ...rows.map(([name, text]) => `${name.padEnd(12)}${text}`),
    ...notes.flatMap(note => ['', note]),
  ].join('\n')
}

function title({ url, subscribers, publishers, rate, size, topics, seconds }: Report): string {
  const pace = rate === null ? 'as fast as answered' : `${rate}/s`
  const parts = [
    number(subscribers, 'subscriber'),
    `${number(publishers, 'publisher')}${publishers > 0 ? ` (${pace})` : ''}`,
    number(topics, 'topic'),
    number(size, 'byte'),
  ]
  return `${url}: ${parts.join(', ')}, ${seconds.toFixed(1)} s`
}

const describeInterruption = (report: Report): string =>
  hasMeasured(report)
    ? 'Interrupted: this is what was measured until then.'
    : 'Interrupted before anything could be measured.'

const formatRate = (of: number, { perSecond, latencyMs }: { perSecond: number; latencyMs: Latency | null }): string =>
  `${count(of)} at ${count(perSecond)}/s${latencyMs === null ? '' : `, ${formatLatency(latencyMs)}`}`

const formatLatency = ({ p50, p95, p99, max }: Latency): string =>
  `p50 ${milliseconds(p50)}  p95 ${milliseconds(p95)}  p99 ${milliseconds(p99)}  max ${milliseconds(max)} ms`

const milliseconds = (value: number): string => value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)
const count = (value: number): string => Math.round(value).toLocaleString('en')
const number = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? '' : 's'}`
