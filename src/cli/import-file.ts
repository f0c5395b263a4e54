import { open } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { HubError } from '../errors.ts'
import { type ExportedUpdate, parseLine } from './exported-update.ts'
import { type Interruption, onInterruption } from './interruption.ts'
import { readLines } from './lines.ts'
import { formatUpdates, type Progress } from './progress.ts'

/** Lines to import. */
export interface Source {
  readonly stream: Readable
  /** In bytes, where it is known. */
  readonly size: number | undefined
}

/** Opens a file; `-` is standard input. @throws HubError `configuration_invalid` */
export async function openSource(path: string, stdin: Readable): Promise<Source> {
  if (path === '-') return { stream: stdin, size: undefined }
  const file = await open(path).catch(cause => {
    throw refused(cause.message, cause)
  })
  const stats = await file.stat()
  if (stats.isDirectory()) {
    await file.close()
    throw refused(`${path} is a directory; name a file`)
  }
  return { stream: file.createReadStream(), size: stats.isFile() ? stats.size : undefined }
}

export interface Import {
  /** Stores all of them or none; gives how many have another time now than theirs. */
  readonly append: (updates: readonly ExportedUpdate[]) => Promise<number>
  /** Those before it are passed over; the first is 1. */
  readonly fromLine: number
  readonly progress: Progress
}

/** How many updates are appended at once, and so much of their lines. */
const batchBounds = { updates: 1000, bytes: 4 << 20 }

/**
 * Imports until the end, or until a signal says to stop: what is in by then stays.
 * @returns how many updates were imported, and how many of them have another time now than in the file
 * @throws HubError with a sentence on what was wrong, how many went in before it, and how to go on; `Interrupted`
 */
export async function importUpdates(
  { stream, size }: Source,
  { append, fromLine, progress }: Import,
): Promise<{ imported: number; displaced: number }> {
  let batch: ExportedUpdate[] = []
  let batchBytes = 0
  let imported = 0
  let displaced = 0
  let number = 0
  let nextLine = fromLine
  const flush = async (): Promise<void> => {
    displaced += await append(batch).catch(cause => {
      if (cause instanceof HubError) throw cause
      const text = `the log cannot be written (is the disk full?): ${cause.message}.`
      throw new HubError('transport_unavailable', text, { cause })
    })
    imported += batch.length
    nextLine = Math.max(fromLine, number + 1)
    batch = []
    batchBytes = 0
  }
  const abort = new AbortController()
  const interruption = onInterruption(event => abort.abort(event))
  try {
    for await (const { bytes, end } of readLines(addAbortSignal(abort.signal, stream))) {
      if (number + 1 >= fromLine) {
        const update = await readUpdate(bytes, number + 1, flush)
        if (update !== undefined) batch.push(update)
        batchBytes += bytes.length
      }
      number++
      if (batch.length < batchBounds.updates && batchBytes < batchBounds.bytes) continue
      await flush()
      progress.report(imported, size, end)
    }
    await flush()
  } catch (cause) {
    const outcome = `Imported before it: ${formatUpdates(imported)}. To go on, import with --from-line ${nextLine}.`
    if (abort.signal.aborted) throw new Interrupted(abort.signal.reason, outcome)
    if (cause instanceof HubError) throw new HubError(cause.code, `--import: ${cause.message} ${outcome}`, { cause })
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause
    throw refused(`${(cause as Error).message}. ${outcome.slice(0, -1)}`, cause)
  } finally {
    interruption.ignore()
    progress.end()
    stream.destroy()
  }
  // An import that stopped at its end goes on behind the last line.
  if (fromLine > number + 1) throw refused(`--from-line ${fromLine} is behind the end: the last line is ${number}`)
  return { imported, displaced }
}

/** A signal stopped it; the message says how far it was. */
export class Interrupted extends Error {
  readonly exitCode: number

  constructor({ signal, exitCode }: Interruption, outcome: string) {
    super(`${signal} stopped the import. ${outcome}`)
    this.exitCode = exitCode
  }
}

/** @param flush called before a bad line is reported */
async function readUpdate(
  bytes: Uint8Array,
  number: number,
  flush: () => Promise<void>,
): Promise<ExportedUpdate | undefined> {
  try {
    return parseLine(bytes)
  } catch (cause) {
    await flush()
    const { code, message } = cause as HubError
    throw new HubError(code, `line ${number}: ${message}`, { cause })
  }
}

const refused = (rule: string, cause?: unknown): HubError =>
  new HubError('configuration_invalid', `--import: ${rule}.`, { cause })
