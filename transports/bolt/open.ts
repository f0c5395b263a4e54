import { mkdir, open as openPath, realpath, rm, truncate, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { HubError } from '../../src/errors.ts'
import { LogFile, type TableStats } from './file.ts'
import { checkFormat, foreign, formatVersion } from './format.ts'
import { lock } from './lock.ts'

/** The table with the format's version: by it, files of other programs and of later versions of this one are told apart. */
const markTable = 'talaria'
/** What a new log takes at first, and more. */
const roomBytes = 256 * 1024
/** More than LMDB's table of readers has. */
const readerTableBytes = 16 * 1024

/**
 * Opens the log in a file, for writing or only for reading, which a hub that writes it does not mind. For writing, a file that is not
 * there is created with its directories, for the owner only.
 *
 * @param bucket a file may hold several logs under different names
 * @throws HubError `configuration_invalid` for a file that is no log of this program's; `transport_unavailable` for one
 * that another hub writes, and where the operating system refuses
 */
export async function openLog(path: string, bucket: string, { readOnly = false } = {}): Promise<LogFile> {
  try {
    return readOnly ? await openToRead(path, bucket) : await openToWrite(path, bucket)
  } catch (cause) {
    if (cause instanceof HubError) throw cause
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new HubError('transport_unavailable', `The log ${path} cannot be opened: ${message}.`, { cause })
  }
}

async function openToRead(path: string, bucket: string): Promise<LogFile> {
  const { isEmpty, bytes, expectedBytes } = await checkFormat(path)
  if (isEmpty) {
    throw new HubError('configuration_invalid', `There is no log in ${path}: the file is empty, or it is not there.`)
  }
  if (bytes < expectedBytes) throw foreign(path, 'cut short, or is being written just now: try again')
  return await openFile(path, bucket, true, () => {})
}

async function openToWrite(given: string, bucket: string): Promise<LogFile> {
  await mkdir(dirname(given), { recursive: true, mode: 0o700 })
  // Two hubs may name one file differently; the locks stand beside the file itself.
  const path = await realpath(given).catch(async () => join(await realpath(dirname(given)), basename(given)))
  await checkFormat(path)
  const held = await lock(`${path}-writer`)
  if (held === undefined) {
    throw new HubError(
      'transport_unavailable',
      `The log ${path} is in use: another hub writes it. Stop that one first, or give each its own file; hubs that share a log need redis://, postgres://, kafka:// or pulsar://.`,
    )
  }
  try {
    const { isEmpty, bytes, expectedBytes } = await checkFormat(path)
    await makeReaderTable(`${path}-lock`)
    // LMDB need not have written free pages at the end, and touches them as memory, where the file must not end before them.
    if (bytes < expectedBytes) await truncate(path, expectedBytes)
    const file = await openFile(path, bucket, false, held.release)
    if (isEmpty) await flushDirectory(dirname(path))
    return file
  } catch (error) {
    held.release()
    throw error
  }
}

async function openFile(path: string, bucket: string, readOnly: boolean, release: () => void): Promise<LogFile> {
  const options = {
    path,
    noSubdir: true,
    readOnly,
    permissionsMode: 0o600,
    encoding: 'binary' as const,
    overlappingSync: false,
    eventTurnBatching: false,
  }
  const root = open<Buffer, string>(options)
  try {
    return new LogFile({ path, root, mark: openMark(root, path, readOnly), bucket, release })
  } catch (error) {
    await root.close()
    throw error
  }
}

/** Opens the table with the format's version; in a file without any table it is made. */
function openMark(root: RootDatabase<Buffer, string>, path: string, readOnly: boolean): Database<string, string> {
  const isNew = !readOnly && (root.getStats() as TableStats).entryCount === 0
  const options = { encoding: 'string' as const, create: isNew }
  const mark: Database<string, string> | undefined = root.openDB(markTable, options)
  if (mark === undefined) throw foreign(path, 'an LMDB file of another program: choose another file')
  if (isNew) mark.putSync('format', formatVersion)
  const version = mark.get('format')
  if (version === formatVersion) return mark
  throw foreign(
    path,
    `a log of format ${version}, where this version of the hub knows format ${formatVersion}: run a later one`,
  )
}

/**
 * Makes LMDB's table of readers, which it would leave for the operating system to fill in as it is used; on a full disk that kills the
 * process. A new log needs some room besides, which is tried here for the same reason: LMDB does not survive the lack of it.
 */
async function makeReaderTable(path: string): Promise<void> {
  try {
    await writeFile(path, Buffer.alloc(roomBytes), { flag: 'wx', mode: 0o600, flush: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
    await rm(path, { force: true })
    throw error
  }
  await truncate(path, readerTableBytes)
}

/** A new file survives a power failure once its directory is on disk too. Windows has no such call. */
async function flushDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  await using directory = await openPath(path)
  await directory.sync()
}
