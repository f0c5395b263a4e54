import { open as openPath, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { HubError } from '../../src/errors.ts'
import { CommitFailures } from './commit-failures.ts'
import { isDamage, messageOf, readingFailed } from './failure.ts'
import { LogFile, type TableStats } from './file.ts'
import { checkFormat, type FileFormat, foreign, formatVersion } from './format.ts'
import { lock } from './lock.ts'
import { createBeside, createFile, findFile, requireAccess } from './regular-file.ts'

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
 * @param tellNew called with the file's path where there was no log in it
 * @throws HubError `configuration_invalid` for a file that is no log of this program's; `transport_unavailable` for one
 * that another hub writes, one that is damaged, and where the operating system refuses
 */
export async function openLog(
  path: string,
  bucket: string,
  { readOnly = false, tellNew = () => {} }: { readOnly?: boolean; tellNew?: (path: string) => void } = {},
): Promise<LogFile> {
  try {
    return readOnly ? await openToRead(path, bucket) : await openToWrite(path, bucket, tellNew)
  } catch (cause) {
    if (cause instanceof HubError) throw cause
    throw new HubError('transport_unavailable', `The log ${path} cannot be opened: ${messageOf(cause)}.`, { cause })
  }
}

async function openToRead(given: string, bucket: string): Promise<LogFile> {
  const path = (await findFile(given)) ?? given
  await requireAccess(path, { write: false })
  const { isEmpty, bytes, expectedBytes } = await checkFormat(path)
  if (isEmpty) {
    throw new HubError('configuration_invalid', `There is no log in ${path}: the file is empty, or it is not there.`)
  }
  if (bytes < expectedBytes) throw foreign(path, 'cut short, or is being written just now: try again')
  await prepareReaderTable(path, { canDoWithout: true })
  return await openFile(path, bucket, true, () => {})
}

async function openToWrite(given: string, bucket: string, tellNew: (path: string) => void): Promise<LogFile> {
  const path = await createFile(given)
  await requireAccess(path, { write: true })
  await checkFormat(path)
  const held = await lock(path)
  if (held === undefined) {
    throw new HubError(
      'transport_unavailable',
      `The log ${path} is in use: another process writes it (a hub or an import). Stop that one first, or give each its own file; hubs that share a log need redis://, postgres://, kafka:// or pulsar://.`,
    )
  }
  try {
    const format = await checkFormat(path)
    await prepareReaderTable(path, { canDoWithout: false })
    const file = await openWhole(path, format, bucket, held.release)
    if (format.isEmpty) {
      await flushDirectory(dirname(path))
      tellNew(path)
    }
    return file
  } catch (error) {
    held.release()
    throw error
  }
}

/** LMDB need not have written free pages at the end, and touches them as memory, where the file must not end before them. */
async function openWhole(
  path: string,
  { bytes, expectedBytes }: FileFormat,
  bucket: string,
  release: () => void,
): Promise<LogFile> {
  const isShort = bytes < expectedBytes
  if (isShort) await truncate(path, expectedBytes)
  try {
    const file = await openFile(path, bucket, false, release)
    if (isShort) await requireReadable(file)
    return file
  } catch (error) {
    if (!isShort) throw error
    await truncate(path, bytes)
    throw new HubError(
      'transport_unavailable',
      `The log ${path} is cut short (${bytes} of ${expectedBytes} bytes): restore a backup of it, or move it away to begin anew.`,
      { cause: error },
    )
  }
}

/** Looks at both ends of a log: where pages are missing, it shows there first. */
async function requireReadable(file: LogFile): Promise<void> {
  try {
    file.readNewest({ entries: 1, bytes: 1 })
    file.read(file.first - 1, file.last, { entries: 1, bytes: 1 })
  } catch (error) {
    await file.close()
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
  let root: RootDatabase<Buffer, string> | undefined
  try {
    root = open<Buffer, string>(options)
    const failures = new CommitFailures(root)
    return new LogFile({ path, root, failures, mark: openMark(root, path, readOnly), bucket, readOnly, release })
  } catch (error) {
    await root?.close()
    throw isDamage(error) ? readingFailed(path, error) : error
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
 * process. A new log needs some room besides, which is tried here for the same reason: LMDB does not survive the lack of it, nor a table
 * that it may not write.
 *
 * @param canDoWithout where nobody can write, readers need no table
 */
async function prepareReaderTable(log: string, { canDoWithout }: { canDoWithout: boolean }): Promise<void> {
  const path = `${log}-lock`
  try {
    await requireAccess(path, { write: true })
    if (await createBeside(path, log, Buffer.alloc(roomBytes))) await truncate(path, readerTableBytes)
  } catch (error) {
    if (!canDoWithout || !isReadOnlyDisk(error)) throw error
  }
}

const isReadOnlyDisk = (error: unknown): boolean =>
  ((error instanceof HubError ? error.cause : error) as NodeJS.ErrnoException).code === 'EROFS'

/** A new file survives a power failure once its directory is on disk too. Windows has no such call. */
async function flushDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  await using directory = await openPath(path)
  await directory.sync()
}
