import { type FileHandle, open, unlink } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command, Option } from 'commander'
import { type Archive, openArchive } from '../../transports/index.ts'
import { parseDsn } from '../config/dsn.ts'
import { HubError } from '../errors.ts'
import { type ExportedUpdate, formatLine, formatRow, parseLine } from './exported-update.ts'
import { Progress } from './progress.ts'
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
    .option('--import <file>', 'append the updates of such a file to a log that no hub is using; - is standard input')
    .action((log: string, options: HistoryOptions) => run(log, options, streams))
}

async function run(log: string, options: HistoryOptions, streams: Streams): Promise<void> {
  checkOptions(options)
  const filter = createUpdateFilter(options, Date.now())
  const archive = await openArchive(readTarget(log), { writable: options.import !== undefined, log: logTo(streams) })
  try {
    if (options.import !== undefined) await importUpdates(archive, options.import, streams)
    else if (options.count === true) await countUpdates(archive, filter, streams)
    else if (options.export !== undefined && options.export !== '-') {
      await exportUpdates(archive, filter, options.export, streams)
    } else {
      const format = options.json === true || options.export !== undefined ? formatLine : formatRow
      await writeLines(selectUpdates(archive, filter, streams), format, streams.stdout, { end: false })
    }
  } finally {
    await archive.close()
  }
}

function checkOptions(options: HistoryOptions): void {
  const purposes = [options.count, options.export, options.import].filter(value => value !== undefined)
  if (purposes.length > 1) throw invalid('--count, --export and --import exclude each other')
  const filtered = options.topic.length > 0 || options.since !== undefined || options.until !== undefined
  if (options.import !== undefined && filtered) {
    throw invalid('--import takes all of its file: --topic, --since and --until are for reading')
  }
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

/** Ids that a hub assigns tell when: a UUID of version 7 begins with milliseconds since 1970, in 48 bits. */
function timeOfId(id: string): number | undefined {
  const [, high, low] = /^urn:uuid:([\da-f]{8})-([\da-f]{4})-7/.exec(id) ?? []
  return high === undefined || low === undefined ? undefined : Number.parseInt(high + low, 16)
}

/** Writes at the target's pace. @returns how many updates were written */
async function writeLines(
  updates: AsyncIterable<ExportedUpdate>,
  format: (update: ExportedUpdate) => string,
  target: Writable,
  { end }: { end: boolean },
): Promise<number> {
  let count = 0
  async function* lines(): AsyncGenerator<string> {
    for await (const update of updates) {
      count++
      yield `${format(update)}\n`
    }
  }
  try {
    await pipeline(Readable.from(lines()), target, { end })
  } catch (error) {
    // Who reads, like `head`, has enough.
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  }
  return count
}

async function countUpdates(archive: Archive, filter: UpdateFilter | undefined, streams: Streams): Promise<void> {
  let count = filter === undefined ? archive.size : undefined
  if (count === undefined) {
    count = 0
    for await (const _update of selectUpdates(archive, filter, streams)) count++
  }
  streams.stdout.write(`${count}\n`)
}

async function exportUpdates(
  archive: Archive,
  filter: UpdateFilter | undefined,
  path: string,
  streams: Streams,
): Promise<void> {
  const file = await openFile('--export', path, 'wx')
  const updates = selectUpdates(archive, filter, streams)
  try {
    const count = await writeLines(updates, formatLine, file.createWriteStream(), { end: true })
    streams.stdout.write(`Exported to ${path}: ${count} updates.\n`)
  } catch (error) {
    await unlink(path)
    throw error
  }
}

/** How many updates are appended at once, and so much of their data. */
const batchBounds = { updates: 1000, characters: 4 << 20 }

async function importUpdates(archive: Archive, path: string, { stdin, stdout, stderr }: Streams): Promise<void> {
  const append = archive.append?.bind(archive)
  if (append === undefined) throw invalid('only a bolt:// log can be imported into; publish to the others')
  const file = path === '-' ? undefined : await openFile('--import', path, 'r')
  const progress = new Progress(stderr)
  let batch: ExportedUpdate[] = []
  let characters = 0
  let imported = 0
  const flush = async (): Promise<void> => {
    await append(batch)
    imported += batch.length
    progress.report(imported, undefined)
    batch = []
    characters = 0
  }
  try {
    let number = 0
    for await (const text of file?.readLines() ?? createInterface({ input: stdin })) {
      number++
      if (text.trim() === '') continue
      try {
        batch.push(parseLine(text))
      } catch (error) {
        await flush()
        throw invalid(`--import: line ${number}: ${(error as Error).message} Imported before it: ${imported}`, error)
      }
      characters += text.length
      if (batch.length >= batchBounds.updates || characters >= batchBounds.characters) await flush()
    }
    await flush()
  } finally {
    progress.end()
    await file?.close()
  }
  stdout.write(`Imported: ${imported} updates.\n`)
}

/** An export holds private updates: its file is for its owner only. */
async function openFile(option: string, path: string, flags: 'r' | 'wx'): Promise<FileHandle> {
  try {
    return await open(path, flags, 0o600)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') throw invalid(`${option}: ${path} exists; an export is a new file`, cause)
    throw invalid(`${option}: ${message}`, cause)
  }
}

const invalid = (rule: string, cause?: unknown): HubError =>
  new HubError('configuration_invalid', `${rule}.`, { cause })
