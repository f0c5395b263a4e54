import { fstatSync } from 'node:fs'
import { Command } from 'commander'
import { HubError } from '../errors.ts'
import { addHubOptions, type RemoteHub, readHub } from './client/hub-options.ts'
import { request } from './client/request.ts'
import { examples } from './examples.ts'
import { readLines } from './lines.ts'
import { writeOut } from './output.ts'
import { readInput, readTextArgument } from './text-argument.ts'

interface PublishOptions {
  readonly data?: string
  readonly lines?: boolean
  readonly private?: boolean
  readonly id?: string
  readonly type?: string
  readonly retry?: string
}

/** `talaria publish`: publishes an update, or one for each line of standard input, and prints the ids. */
export function publishCommand(): Command {
  const command = new Command('publish')
    .description('Publish an update and print its id.')
    .argument('<topic...>', 'the canonical topic first, alternate ones after it')
    .option(
      '-d, --data <text>',
      'data; @FILE reads it from a file, @- or - from standard input, which is read as well when it is piped and nothing is said',
    )
    .option('--lines', 'publish each line of standard input as an update of its own, in their order')
    .option('--private', 'only for subscribers whose token grants a topic')
    .option('--id <id>', 'instead of one that the hub makes')
    .option('--type <type>', 'event type')
    .option('--retry <ms>', 'what subscribers wait before they connect again')
  addHubOptions(command)
  return command
    .addHelpText(
      'after',
      examples(
        `talaria publish --dev https://example.com/books/1 --data '{"sold": true}'`,
        'tail -f access.log | talaria publish --lines logs',
      ),
    )
    .action(async (topics: string[], options: PublishOptions) => {
      if (options.lines === true) checkLines(options)
      const hub = await readHub(command)
      const fields = readFields(topics, options)
      const ids =
        options.lines === true
          ? publishLines(hub, fields)
          : publishAll(hub, fields, [(await readData(options.data)) ?? ''])
      await writeOut(process.stdout, ids)
    })
}

function checkLines({ data, id }: PublishOptions): void {
  if (data !== undefined) throw invalid('--lines publishes standard input, and --data is something else')
  if (id !== undefined) throw invalid('--lines publishes many updates, and --id is for one')
}

function readFields(topics: readonly string[], { private: isPrivate, id, type, retry }: PublishOptions) {
  const fields = new URLSearchParams(topics.map(topic => ['topic', topic]))
  if (isPrivate === true) fields.set('private', 'on')
  for (const [name, value] of Object.entries({ id, type, retry })) if (value !== undefined) fields.set(name, value)
  return fields
}

/** `undefined`: the update has none. */
async function readData(argument: string | undefined): Promise<string | undefined> {
  if (argument === undefined) return isPiped() ? await readInput('--data') : undefined
  return await readTextArgument('--data', argument === '-' ? '@-' : argument)
}

/** A pipe or a file, by which somebody means something; not a terminal, nor /dev/null. */
function isPiped(): boolean {
  const input = fstatSync(process.stdin.fd ?? 0)
  return input.isFIFO() || input.isFile() || input.isSocket()
}

async function* publishAll(
  hub: RemoteHub,
  fields: URLSearchParams,
  data: Iterable<string> | AsyncIterable<string>,
): AsyncGenerator<string> {
  for await (const one of data) {
    const body = new URLSearchParams([...fields, ...(one === '' ? [] : [['data', one]])])
    const response = await request(hub, { method: 'POST', body })
    yield `${(await response.text()).trim()}\n`
  }
}

/** One at a time, over one connection: the hub keeps the order. Says how many were published when one is not. */
async function* publishLines(hub: RemoteHub, fields: URLSearchParams): AsyncGenerator<string> {
  let published = 0
  try {
    for await (const id of publishAll(hub, fields, textLines())) {
      published++
      yield id
    }
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    throw new HubError(error.code, `Line ${published + 1}: ${error.message}`, { cause: error })
  }
}

async function* textLines(): AsyncGenerator<string> {
  for await (const { bytes } of readLines(process.stdin)) yield decode(bytes)
}

function decode(line: Uint8Array): string {
  try {
    return utf8.decode(line).replace(/\r$/, '')
  } catch (cause) {
    throw new HubError('configuration_invalid', 'it is not UTF-8.', { cause })
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const invalid = (rule: string): HubError => new HubError('configuration_invalid', `${rule}.`)
