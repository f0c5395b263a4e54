import type { Stats } from 'node:fs'
import { access, constants, type FileHandle, lstat, mkdir, open, readlink, realpath, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { HubError } from '../../src/errors.ts'
import { foreign } from './format.ts'

/**
 * Makes a file, and its directories, where there is none, for the owner only. A link is followed, to a file that is not there yet as well.
 *
 * @returns the file's own name: two hubs may name one file differently, and the locks stand beside the file itself
 * @throws HubError for a name that no log can have
 */
export async function createFile(given: string): Promise<string> {
  await makeDirectory(dirname(given), given)
  if ((await statOf(given)) === undefined) await createEmpty(given)
  return (await findFile(given))!
}

/** The file's own name, or `undefined` where there is no file. @throws HubError for anything but a file with one name */
export async function findFile(given: string): Promise<string | undefined> {
  const stats = await statOf(given)
  if (stats === undefined) return undefined
  requireRegular(given, stats)
  if (stats.nlink > 1) {
    throw refused(
      `The log ${given} has another name (a hard link), by which another hub could write it unnoticed: remove that name, or copy the file.`,
    )
  }
  return await realpath(given)
}

/**
 * LMDB and SQLite make do with less than they ask for, or end the process. A file that is not there is not looked at.
 * @throws HubError for what is no file, or not for this process to read and, if asked for, to write
 */
export async function requireAccess(path: string, { write }: { write: boolean }): Promise<void> {
  const stats = await statOf(path)
  if (stats === undefined) return
  requireRegular(path, stats)
  try {
    await access(path, write ? constants.R_OK | constants.W_OK : constants.R_OK)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'EACCES' && code !== 'EPERM') throw unavailable(`The file ${path} cannot be used: ${message}.`, cause)
    const user = process.getuid?.()
    throw unavailable(
      `The file ${path} cannot be ${write ? 'written' : 'read'} by this process, which runs as user ${user}: it belongs to user ${stats.uid} and has mode ${(stats.mode & 0o777).toString(8)}. Give it to that user (chown ${user} ${path}).`,
      cause,
    )
  }
}

/**
 * Makes a file beside the log unless it is there, for the same users as the log: what root does to a log, reading it included, must not
 * leave a lock that the log's owner cannot take. An existing one is not opened: closing it again would drop this process's locks on it.
 */
export async function createBeside(path: string, log: string, content: Uint8Array = Buffer.of()): Promise<boolean> {
  const { mode, uid, gid } = await stat(log)
  let file: FileHandle
  try {
    file = await open(path, 'wx', (mode & 0o666) | 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw notMade(path, error)
  }
  try {
    await file.writeFile(content)
    await file.sync()
    if (process.getuid?.() === 0) await file.chown(uid, gid)
    return true
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

async function makeDirectory(path: string, given: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw cause
    throw refused(`The log ${given} cannot be made: ${await firstOf(path)} is not a directory.`)
  }
}

/** The part of a path that is there. */
async function firstOf(path: string): Promise<string> {
  let at = path
  while (dirname(at) !== at && !(await lstat(at).catch(() => undefined))) at = dirname(at)
  return at
}

async function createEmpty(path: string): Promise<void> {
  try {
    await using _file = await open(path, 'a', 0o600)
  } catch (cause) {
    const target = await readlink(path).catch(() => undefined)
    if (target === undefined || (cause as NodeJS.ErrnoException).code !== 'ENOENT') throw notMade(path, cause)
    throw refused(
      `The log ${path} is a link to ${target}, whose directory is not there: make that directory, or remove the link.`,
    )
  }
}

/** Of what the system says to the making of a file, the usual one as a sentence. */
function notMade(path: string, cause: unknown): unknown {
  if ((cause as NodeJS.ErrnoException).code !== 'EACCES') return cause
  return unavailable(
    `The file ${path} cannot be made: this process runs as user ${process.getuid?.()}, who may not write to the directory ${resolve(dirname(path))}. A log and its locks need one that is theirs.`,
    cause,
  )
}

function requireRegular(path: string, stats: Stats): void {
  if (stats.isFile()) return
  throw foreign(path, stats.isDirectory() ? 'a directory: name a file in it' : 'no regular file: choose another name')
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

const refused = (message: string): HubError => new HubError('configuration_invalid', message)

const unavailable = (message: string, cause: unknown): HubError =>
  new HubError('transport_unavailable', message, { cause })
