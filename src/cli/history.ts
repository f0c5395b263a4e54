import { resolve, sep } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { Command, InvalidArgumentError, Option } from 'commander'
import { openArchive } from '../../transports/index.ts'
import type { Archive } from '../archive.ts'
import { parseDsn } from '../config/dsn.ts'
import { HubError } from '../errors.ts'
import { examples } from './examples.ts'
import { writeExport } from './export-file.ts'
import { type ExportedUpdate, formatLine, formatRow } from './exported-update.ts'
import { Interrupted, importUpdates, openSource, type Source } from './import-file.ts'
import { writeOut } from './output.ts'
import { formatUpdates, Progress } from './progress.ts'
import { timeOfId } from './time-of-id.ts'
import { createUpdateFilter, type FilterOptions, type UpdateFilter } from './update-filter.ts'

export interface Streams {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable & { readonly isTTY?: boolean }
}

interface HistoryOptions extends FilterOptions {
  readonly count?: boolean
  readonly json?: boolean
  readonly export?: string
  readonly import?: string
  readonly fromLine?: number
}

/** `talaria history`: lists, counts and exports the updates of a log, or imports updates into it. */
export function historyCommand(streams: Streams = process): Command {
  const topic = new Option('--topic <topic>', 'only updates of this topic; a URI Template matches several (repeatable)')
    .argParser((value, before: string[]) => [...before, value])
    .default([], 'every topic')
  return new Command('history')
    .description('Look through the log of a hub, export it, or import into it.')
    .argument('<log>', 'the file of a bolt:// log, or the transport_url of any log that keeps its history')
    .addOption(topic)
    .option('--since <time>', 'only updates from then on: a time, like 2026-11-21T12:00:00Z, or how long ago, like 90m')
    .option('--until <time>', 'only updates before then')
    .option('--count', 'print how many there are')
    .option('--json', 'list them as JSON, a line for each')
    .option('--export <file>', 'write such lines to a new file; - is standard output')
    .option(
      '--import <file>',
      'append the updates of such a file to the log, once more if they are there already; no hub may be using a bolt:// log, and those that use another one deliver them; - is standard input',
    )
    .option('--from-line <number>', 'go on with an import that stopped: pass over the lines before it', readLineNumber)
    .addHelpText(
      'after',
      examples(
        "talaria history updates.db --since 90m --topic 'https://example.com/books/{id}'",
        'talaria history updates.db --export - | gzip > updates.ndjson.gz',
      ),
    )
    .action((log: string, options: HistoryOptions) => run(log, options, streams))
}

async function run(log: string, options: HistoryOptions, streams: Streams): Promise<void> {
  checkOptions(options)
  const filter = createUpdateFilter(options, Date.now())
  const target = readTarget(log)
  if (options.import === undefined) {
    const archive = await openArchive(target, { writable: false, log: logTo(streams) })
    await look(archive, filter, options, streams).finally(() => archive.close())
    return
  }
  const source = await openSource(options.import, streams.stdin)
  try {
    await importInto(target, source, options.fromLine ?? 1, streams)
  } finally {
    source.stream.destroy()
  }
}

async function look(
  archive: Archive,
  filter: UpdateFilter | undefined,
  options: HistoryOptions,
  streams: Streams,
): Promise<void> {
  const { stdout, stderr } = streams
  if (options.count === true) {
    await writeOut(stdout, [`${await countUpdates(archive, filter, streams)}\n`])
    return
  }
  const lines = new Lines(
    selectUpdates(archive, filter, streams),
    options.json === true || options.export !== undefined ? formatLine : formatRow,
  )
  if (options.export === undefined || options.export === '-') {
    await writeOut(stdout, lines)
    return
  }
  await writeExport(options.export, lines, stderr)
  await writeOut(stdout, [`Exported to ${options.export}: ${formatUpdates(lines.count)}.\n`])
}

function checkOptions(options: HistoryOptions): void {
  const purposes = [options.count, options.export, options.import].filter(value => value !== undefined)
  if (purposes.length > 1) throw invalid('--count, --export and --import exclude each other')
  const filtered = options.topic.length > 0 || options.since !== undefined || options.until !== undefined
  if (options.import !== undefined && filtered) {
    throw invalid('--import takes all of its file: --topic, --since and --until are for reading')
  }
  if (options.fromLine !== undefined && options.import === undefined) throw invalid('--from-line is for --import')
}

function readLineNumber(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a line number, from 1.')
}

/** A path means the bolt:// log in that file. */
function readTarget(log: string): URL {
  if (/^[a-z][a-z0-9+.-]+:/i.test(log)) return parseDsn(log)
  return new URL(`bolt://${resolve(log).split(sep).map(encodeURIComponent).join('/')}`)
}

const logTo = ({ stderr }: Streams) => {
  const write = (_fields: object, message: string) => {
    stderr.write(`${message}\n`)
  }
  return { info() {}, warn: write, error: write }
}

/** The updates that pass the filter, oldest first, with a bar for the time it takes. */
async function* selectUpdates(
  archive: Archive,
  filter: UpdateFilter | undefined,
  { stderr }: Streams,
): AsyncGenerator<ExportedUpdate> {
  const progress = new Progress(stderr)
  let read = 0
  try {
    for await (const page of archive.read()) {
      for (const { update, timeMs = timeOfId(update.id) } of page) {
        if (filter === undefined || filter({ update, timeMs })) yield { update, timeMs }
      }
      read += page.length
      progress.report(read, archive.size)
    }
  } finally {
    progress.end()
  }
}

/** The text of updates, in pieces of some size. */
class Lines implements AsyncIterable<string> {
  readonly #updates: AsyncIterable<ExportedUpdate>
  readonly #format: (update: ExportedUpdate) => string
  /** How many updates there were. */
  count = 0

  constructor(updates: AsyncIterable<ExportedUpdate>, format: (update: ExportedUpdate) => string) {
    this.#updates = updates
    this.#format = format
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    let piece = ''
    for await (const update of this.#updates) {
      this.count++
      piece += `${this.#format(update)}\n`
      if (piece.length < pieceLength) continue
      yield piece
      piece = ''
    }
    if (piece !== '') yield piece
  }
}

const pieceLength = 1 << 16

async function countUpdates(archive: Archive, filter: UpdateFilter | undefined, streams: Streams): Promise<number> {
  if (filter === undefined && archive.size !== undefined) return archive.size
  let count = 0
  for await (const _update of selectUpdates(archive, filter, streams)) count++
  return count
}

async function importInto(target: URL, source: Source, fromLine: number, streams: Streams): Promise<void> {
  const { stdout, stderr } = streams
  let archive: Archive | undefined
  let notOpened: unknown
  const append = async (updates: readonly ExportedUpdate[]): Promise<number> => {
    if (updates.length === 0) return 0
    // With the first updates, and not before: where there is no log it is made, and what is no export is to leave none behind.
    archive ??= await openArchive(target, { writable: true, log: logTo(streams) }).catch(error => {
      notOpened = error
      throw error
    })
    if (archive.append !== undefined) return await archive.append(updates)
    throw invalid('this log cannot be imported into; publish to a hub that uses it')
  }
  try {
    const { imported, displaced } = await importUpdates(source, { append, fromLine, progress: new Progress(stderr) })
    await writeOut(stdout, [`Imported: ${formatUpdates(imported)}.\n`])
    if (displaced > 0) await writeOut(stdout, [`${tellDisplaced(displaced)}\n`])
  } catch (error) {
    // Nothing went in: how far it came is no help.
    if (notOpened !== undefined) throw notOpened
    if (!(error instanceof Interrupted)) throw error
    stderr.write(`\n${error.message}\n`)
    process.exitCode = error.exitCode
  } finally {
    await archive?.close()
  }
}

const tellDisplaced = (displaced: number): string =>
  `Another time than in the file: ${formatUpdates(displaced)}. The times of this log do not go back, nor ahead of its clock.`

const invalid = (rule: string, cause?: unknown): HubError =>
  new HubError('configuration_invalid', `${rule}.`, { cause })
