import type { Subscription } from '../../protocol/subscription.ts'

/** A subscriber's id and its subscriptions. */
export type Entry = readonly [subscriber: string, subscriptions: readonly Subscription[]]

/** That the subscriptions of a node that had gone were announced as ended. `burial` tells one such event from another. */
export interface Burial {
  readonly node: string
  readonly burial: string
}

/** What nodes tell each other. `version` counts the changes of the sender's list, from 0, when it is empty. */
export type Message =
  /** I live, and my list has this version; I announce the ends of these nodes' subscriptions just now. */
  | {
      readonly type: 'beat'
      readonly version: number
      readonly burials: readonly Burial[]
      readonly holding?: readonly string[]
    }
  /** The change that made this version: a subscriber came with these subscriptions, or left. */
  | {
      readonly type: 'change'
      readonly version: number
      readonly subscriber: string
      readonly subscriptions: readonly Subscription[] | null
    }
  /** Send your whole list: to one node, or to all. */
  | { readonly type: 'ask'; readonly of: string | null }
  /** A part of the whole list of that version; `list` tells it from other sendings. */
  | {
      readonly type: 'list'
      readonly version: number
      readonly list: number
      readonly part: number
      readonly last: boolean
      readonly entries: readonly Entry[]
    }
  /** I leave, and have announced the end of my subscriptions. */
  | { readonly type: 'leave' }
  /** The sender has vanished: said by the backend in its name. */
  | { readonly type: 'gone' }

export const encodeMessage = (message: Message): Uint8Array => utf8.encode(JSON.stringify(message))

/** What a part of a list takes at most, in characters, unless a single subscriber has more. */
const partLength = 64 * 1024

/** The messages that send a list, made one at a time: a long list is not to hold up anything else. */
export function* encodeList(list: number, version: number, entries: readonly Entry[]): Generator<Uint8Array> {
  let next = 0
  for (let part = 0; part === 0 || next < entries.length; part++) {
    const texts: string[] = []
    let length = 0
    while (next < entries.length && length < partLength) {
      const text = JSON.stringify(entries[next++])
      texts.push(text)
      length += text.length
    }
    const head = JSON.stringify({ type: 'list', version, list, part, last: next === entries.length })
    yield utf8.encode(`${head.slice(0, -1)},"entries":[${texts.join(',')}]}`)
  }
}

/** @throws SyntaxError for what is no message */
export const decodeMessage = (bytes: Uint8Array): Message => JSON.parse(text.decode(bytes)) as Message

const utf8 = new TextEncoder()
const text = new TextDecoder()
