import type { Ledger } from './ledger.ts'
import type { LogOrder } from './log-order.ts'
import type { Publications } from './publications.ts'
import { matches, type Serial } from './selection.ts'

export type Kind = 'lost' | 'repeated' | 'reordered'

/** Something that a hub must not do. */
export interface Fault {
  readonly kind: Kind
  readonly update: Serial
  /** How many updates the reader had received before. */
  readonly index: number
}

/**
 * What is wrong with what a reader has received, by the log: lost is what matches between the first and the last update that it got and did not come,
 * or, `toEnd`, up to the log's end; and what the log has lost although a reader got it.
 */
export function judge(ledger: Ledger, order: LogOrder, { toEnd }: { readonly toEnd: boolean }): Fault[] {
  const faults: Fault[] = []
  const seen = new Uint8Array(order.length)
  const start = ledger.after && order.placeOf(ledger.after)
  let first = start === undefined ? undefined : start + 1
  let latest = -1
  let index = 0
  for (const update of ledger) {
    const place = order.placeOf(update)
    if (place === undefined) faults.push({ kind: 'lost', update, index })
    else if (seen[place] === 1 || (start !== undefined && place <= start)) {
      faults.push({ kind: 'repeated', update, index })
    } else {
      if (place < latest) faults.push({ kind: 'reordered', update, index })
      seen[place] = 1
      first ??= place
      latest = Math.max(latest, place)
    }
    index++
  }
  return [...faults, ...findLost(ledger, order, seen, { first: first ?? order.length, toEnd, latest })]
}

function findLost(
  ledger: Ledger,
  order: LogOrder,
  seen: Uint8Array,
  { first, latest, toEnd }: { readonly first: number; readonly latest: number; readonly toEnd: boolean },
): Fault[] {
  const faults: Fault[] = []
  const last = toEnd ? order.length - 1 : latest
  let index = 0
  for (let place = first; place <= last; place++) {
    if (seen[place] === 1) index++
    else if (matches(ledger.selection, order.at(place))) faults.push({ kind: 'lost', update: order.at(place), index })
  }
  return faults
}

/** What is wrong with the log: what was answered 200 is there once, each publisher's in the order in which it published. */
export function judgeLog(order: LogOrder, publications: Publications): Fault[] {
  const faults: Fault[] = order.repeated.map(update => ({ kind: 'repeated', update, index: order.length }))
  for (const publisher of publications.publishers) {
    let latest = -1
    for (const update of publications.storedOf(publisher)) {
      const place = order.placeOf(update)
      if (place === undefined) faults.push({ kind: 'lost', update, index: order.length })
      else {
        if (place < latest) faults.push({ kind: 'reordered', update, index: place })
        latest = Math.max(latest, place)
      }
    }
  }
  return faults
}
