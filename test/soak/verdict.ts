import { type Fault, judge, judgeLog, type Kind } from './judge.ts'
import type { Ledger } from './ledger.ts'
import type { LogOrder } from './log-order.ts'
import type { Publications } from './publications.ts'
import type { Reader } from './reader.ts'

export const kinds: readonly Kind[] = ['lost', 'repeated', 'reordered']

/** What befell the hub, and when. */
export interface Incident {
  readonly name: string
  /** Since the soak began. */
  readonly atMs: number
}

export interface Verdict {
  readonly counts: Readonly<Record<Kind, number>>
  /** What, whom and when: of the first so many. */
  readonly faults: readonly string[]
}

const maxDescribed = 50

/** Compares everything that anybody has received with the log. */
export function reachVerdict(
  readers: readonly Pick<Reader, 'ledger' | 'closed'>[],
  order: LogOrder,
  publications: Publications,
  incidents: readonly Incident[],
): Verdict {
  const counts = { lost: 0, repeated: 0, reordered: 0 }
  const faults: string[] = []
  const enter = (found: readonly Fault[], ledger?: Ledger) => {
    for (const fault of found) {
      counts[fault.kind]++
      if (faults.length < maxDescribed) faults.push(describe(fault, ledger, publications, incidents))
    }
  }
  enter(judgeLog(order, publications))
  for (const { closed, ledger } of readers) {
    for (const early of closed) enter(judge(early, order, { toEnd: false }), early)
    enter(judge(ledger, order, { toEnd: true }), ledger)
  }
  return { counts, faults }
}

function describe(
  { kind, update, index }: Fault,
  ledger: Ledger | undefined,
  publications: Publications,
  incidents: readonly Incident[],
): string {
  const publishedAtMs = publications.atMs(update)
  const incident = incidents.findLast(({ atMs }) => atMs <= publishedAtMs)
  const visit = ledger?.visitOf(index)
  return [
    `${kind}: ${update.publisher}:${update.number}, published at ${seconds(publishedAtMs)}`,
    ...(incident === undefined ? [] : [`after ${incident.name} at ${seconds(incident.atMs)}`]),
    ledger === undefined ? 'in the log itself' : `${ledger.reader}, after ${index} updates`,
    ...(visit === undefined ? [] : [`on its stream of ${seconds(visit.atMs)} from node ${visit.node}`]),
  ].join('; ')
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
