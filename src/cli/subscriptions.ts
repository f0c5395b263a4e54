import { styleText } from 'node:util'
import { Command, Option } from 'commander'
import type { Generation } from '../protocol/generation.ts'
import { type Bookmark, openStream } from './client/event-stream.ts'
import { addHubOptions, type RemoteHub, readHub } from './client/hub-options.ts'
import { defaultRetryMs, stayConnected } from './client/reconnection.ts'
import {
  type ListedSubscription,
  readSubscriptionEvent,
  readSubscriptionList,
  subscriptionEvents,
} from './client/subscription-list.ts'
import { examples } from './examples.ts'
import { onInterruption } from './interruption.ts'
import { writeOut } from './output.ts'
import { printable } from './printable.ts'

interface SubscriptionsOptions {
  readonly generation?: Generation
  readonly json?: boolean
  readonly watch?: boolean
}

/** `talaria subscriptions`: who is subscribed now, and with `--watch` who comes and goes. */
export function subscriptionsCommand(): Command {
  const command = new Command('subscriptions')
    .description('List who is subscribed to a hub now.')
    .argument('[topic...]', 'only subscriptions to these topics and patterns, as subscribers have written them')
    .addOption(
      new Option('--generation <generation>', "whose subscriptions (default: those of the token's)").choices([
        '0.x',
        '1.0',
      ]),
    )
    .option('--watch', 'go on with those who come (+) and go (-)')
    .option('--json', 'print JSON, a line for each; active is false for those who have gone')
  addHubOptions(command)
  return command
    .addHelpText(
      'after',
      examples(
        'talaria subscriptions --dev',
        "talaria subscriptions --watch --json --token @token.txt 'https://example.com/books/{id}'",
      ),
    )
    .action(async (topics: string[], options: SubscriptionsOptions) => {
      const hub = await readHub(command)
      const stop = new AbortController()
      const interruption = onInterruption(() => stop.abort())
      try {
        await writeOut(process.stdout, print(hub, topics, options, stop.signal))
      } finally {
        stop.abort()
        interruption.ignore()
      }
    })
}

async function* print(
  hub: RemoteHub,
  topics: readonly string[],
  options: SubscriptionsOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const isWanted = (one: ListedSubscription) => topics.length === 0 || topics.includes(patternOf(one))
  if (options.watch !== true) {
    const { subscriptions } = await readSubscriptionList(hub, options.generation, signal)
    const listed = subscriptions.filter(isWanted)
    yield options.json === true ? listed.map(formatJson).join('') : formatTable(listed)
    return
  }
  for await (const change of watch(hub, options.generation, signal)) {
    if (isWanted(change)) yield options.json === true ? formatJson(change) : formatChange(change)
  }
}

/** Each subscription that there is, and each that comes or goes. */
async function* watch(
  hub: RemoteHub,
  generation: Generation | undefined,
  signal: AbortSignal,
): AsyncGenerator<ListedSubscription> {
  const bookmark: Bookmark = { lastEventId: undefined, retryMs: defaultRetryMs }
  const known = new Map<string, ListedSubscription>()
  const open = async () => {
    const list = await readSubscriptionList(hub, generation, signal)
    bookmark.lastEventId = list.lastEventId
    const query = subscriptionEvents[list.generation]
    const { isContinued, events } = await openStream(hub, query, bookmark, signal)
    // Where the hub keeps no log, what has changed in between is only in a list that is read while the stream is open.
    const { subscriptions } = isContinued ? list : await readSubscriptionList(hub, generation, signal)
    return changes(subscriptions, events)
  }
  async function* changes(listed: readonly ListedSubscription[], events: AsyncIterable<{ data: string }>) {
    const ids = new Set(listed.map(({ id }) => id))
    for (const one of known.values()) if (!ids.has(one.id)) yield { ...one, active: false }
    yield* listed
    for await (const { data } of events) {
      const change = readSubscriptionEvent(data)
      if (change !== undefined) yield change
    }
  }
  for await (const change of stayConnected(open, { signal, retryMs: () => bookmark.retryMs, say })) {
    // A list repeats what is known, and an event what is in a list.
    if (known.has(change.id) === change.active) continue
    if (change.active) known.set(change.id, change)
    else known.delete(change.id)
    yield change
  }
}

function say(sentence: string): void {
  process.stderr.write(`${sentence}\n`)
}

const patternOf = ({ topic, match }: ListedSubscription): string => topic ?? match ?? ''

const formatJson = (subscription: ListedSubscription): string => `${JSON.stringify(subscription)}\n`

const formatChange = (subscription: ListedSubscription): string => {
  const sign = subscription.active ? styleText('green', '+') : styleText('red', '-')
  return `${sign} ${cellsOf(subscription).join('  ').trimEnd()}\n`
}

/** What it is, its subscriber, and its payload if it has one. */
function cellsOf(subscription: ListedSubscription): string[] {
  const { subscriber, payload, match_type: kind = 'topic' } = subscription
  const shown = payload === undefined ? '' : printable(JSON.stringify(payload))
  return [kind, printable(patternOf(subscription)), printable(subscriber), shown]
}

/** A terminal gets headings and a count as well. */
function formatTable(subscriptions: readonly ListedSubscription[]): string {
  const rows = subscriptions.map(cellsOf)
  const isTerminal = process.stdout.isTTY
  const table = isTerminal ? [headings, ...rows] : rows
  const widths = headings.map((_, column) => Math.max(0, ...table.map(row => row[column]!.length)))
  const lines = table.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  if (!isTerminal) return lines.map(line => `${line}\n`).join('')
  const [first = '', ...others] = rows.length === 0 ? [] : lines
  const count = `${rows.length.toLocaleString('en')} ${rows.length === 1 ? 'subscription' : 'subscriptions'}`
  return [...(first === '' ? [] : [styleText('bold', first), ...others, '']), `${count}\n`].join('\n')
}

const headings = ['kind', 'topic', 'subscriber', 'payload']
