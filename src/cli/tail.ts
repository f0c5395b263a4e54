import { styleText } from 'node:util'
import { Command, InvalidArgumentError } from 'commander'
import type { EventSourceMessage } from 'eventsource-parser'
import { type Bookmark, openStream } from './client/event-stream.ts'
import { addHubOptions, type RemoteHub, readHub } from './client/hub-options.ts'
import { defaultRetryMs, stayConnected } from './client/reconnection.ts'
import { examples } from './examples.ts'
import { onInterruption } from './interruption.ts'
import { writeOut } from './output.ts'
import { printable, printableLines } from './printable.ts'
import { timeOfId } from './time-of-id.ts'

declare global {
  interface JSON {
    /** Node has it, TypeScript does not yet. */
    rawJSON(text: string): unknown
  }
}

interface TailOptions {
  readonly topic?: readonly string[]
  readonly match?: readonly string[]
  readonly matchUrlpattern?: readonly string[]
  readonly lastEventId?: string
  readonly json?: boolean
  readonly count?: number
}

/** `talaria tail`: prints updates as they come, until it is told to stop. */
export function tailCommand(): Command {
  const repeated = (value: string, before: readonly string[] = []) => [...before, value]
  const command = new Command('tail')
    .description('Follow a hub: print updates as they come, whatever happens to the connection.')
    .argument('[topic...]', 'topics and URI Templates, of protocol 0.x (default: *, every topic)')
    .option('--topic <topic>', 'the same (repeatable)', repeated)
    .option('--match <topic>', 'topic, or *; protocol 1.0 (repeatable)', repeated)
    .option('--match-urlpattern <pattern>', 'URL Pattern; protocol 1.0 (repeatable)', repeated)
    .option('--last-event-id <id>', 'begin after this update; earliest: with the first that the hub keeps')
    .option('-n, --count <number>', 'end after so many updates', readCount)
    .option('--json', 'print JSON, a line for each')
  addHubOptions(command)
  return command
    .addHelpText(
      'after',
      examples(
        "talaria tail --url https://hub.example.com --token @token.txt 'https://example.com/books/{id}'",
        'talaria tail --json --last-event-id earliest | jq .data',
      ),
    )
    .action(async (topics: string[], options: TailOptions) => {
      const hub = await readHub(command)
      const stop = new AbortController()
      const interruption = onInterruption(() => stop.abort())
      try {
        const format = options.json === true ? formatJson : process.stdout.isTTY ? formatBlock : formatRow
        const query = createQuery(topics, options)
        await writeOut(process.stdout, follow(hub, query, options, { format, signal: stop.signal }))
      } finally {
        stop.abort()
        interruption.ignore()
      }
    })
}

async function* follow(
  hub: RemoteHub,
  query: URLSearchParams,
  { lastEventId, count = Number.POSITIVE_INFINITY }: TailOptions,
  { format, signal }: { format: (event: EventSourceMessage) => string; signal: AbortSignal },
): AsyncGenerator<string> {
  const bookmark: Bookmark = { lastEventId, retryMs: defaultRetryMs }
  const topics = [...query.values()].map(printable).join(', ')
  const greeting = process.stdout.isTTY ? `Following ${topics} at ${hub.url.href}. Ctrl-C ends it.` : ''
  let isFirst = true
  const open = async () => {
    const since = bookmark.lastEventId
    const { isContinued, events } = await openStream(hub, query, bookmark, signal)
    if (since === undefined && !isFirst) say('Nothing had come before: what was published meanwhile is not shown.')
    if (!isContinued && since !== 'earliest') {
      say(`The hub does not know ${printable(since ?? '')}: what came after it may be missing.`)
    }
    if (isFirst && greeting !== '') say(greeting)
    isFirst = false
    return events
  }
  let seen = 0
  for await (const event of stayConnected(open, { signal, retryMs: () => bookmark.retryMs, say })) {
    yield `${format(event)}\n`
    if (++seen >= count) return
  }
}

/** Not on standard output, which is for updates. */
function say(sentence: string): void {
  process.stderr.write(`${sentence}\n`)
}

function createQuery(
  topics: readonly string[],
  { topic = [], match = [], matchUrlpattern = [] }: TailOptions,
): URLSearchParams {
  const query = new URLSearchParams()
  for (const one of [...topics, ...topic]) query.append('topic', one)
  for (const one of match) query.append('match', one)
  for (const pattern of matchUrlpattern) query.append('match_urlpattern', pattern)
  if (query.size === 0) query.append('topic', '*')
  return query
}

/** When it was published if its id tells, else when it came. */
const timeOf = ({ id }: EventSourceMessage): Date => new Date(timeOfId(id ?? '') ?? Date.now())

const formatJson = (event: EventSourceMessage): string =>
  JSON.stringify({ id: event.id, type: event.event, data: event.data, time: timeOf(event).toISOString() })

/** For programs that know lines. */
const formatRow = (event: EventSourceMessage): string =>
  [
    timeOf(event).toISOString(),
    printable(event.id ?? '-'),
    ...(event.event === undefined ? [] : [`type=${printable(event.event)}`]),
    printable(event.data),
  ].join('  ')

/** For people: a line that says what it is, and its data below. */
function formatBlock(event: EventSourceMessage): string {
  const head = [
    styleText('cyan', timeOf(event).toLocaleString('sv')),
    styleText('dim', printable(event.id ?? '-')),
    ...(event.event === undefined ? [] : [styleText('yellow', printable(event.event))]),
  ].join('  ')
  const data = event.data === '' ? '' : `${printableLines(prettyPrint(event.data))}\n`
  return `${head}\n${data}`
}

/** JSON with a line for each member, and its numbers as they were; anything else as it is. */
function prettyPrint(data: string): string {
  try {
    const keepNumber = (_: string, value: unknown, { source = '' }: { source?: string } = {}) =>
      typeof value === 'number' ? JSON.rawJSON(source) : value
    return JSON.stringify(JSON.parse(data, keepNumber), null, 2)
  } catch {
    return data
  }
}

function readCount(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a number from 1.')
}
