import { linkSync, renameSync, rmSync } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { HubError } from '../errors.ts'
import { onInterruption } from './interruption.ts'

/**
 * Writes a new file, for its owner only (an export holds private updates). Until it is whole it has the name `<path>.part`; nothing is left
 * of it when it fails, or when a signal ends the process.
 * @throws HubError `configuration_invalid`
 */
export async function writeExport(path: string, texts: AsyncIterable<string>, stderr: Writable): Promise<void> {
  const part = `${path}.part`
  if (await lstat(path).catch(() => undefined)) throw exists(path)
  const file = await open(part, 'wx', 0o600).catch(cause => {
    throw cause.code === 'EEXIST'
      ? refused(`${part} exists: another export writes it, or left it when it was killed; then remove it`, cause)
      : refused(cause.message, cause)
  })
  const interruption = onInterruption(({ signal, exitCode }) => {
    rmSync(part, { force: true })
    stderr.write(`\n${signal}: the export was not finished, and nothing of it is left.\n`)
    process.exit(exitCode)
  })
  try {
    await file.writeFile(texts)
    await file.sync()
    await file.close()
    publish(part, path)
  } catch (cause) {
    rmSync(part, { force: true })
    if (cause instanceof HubError || (cause as NodeJS.ErrnoException).syscall === undefined) throw cause
    throw refused((cause as Error).message, cause)
  } finally {
    interruption.ignore()
    await file.close()
  }
}

/** Gives the file its name, which may have been taken meanwhile, and which not every file system lets two files have. */
function publish(part: string, path: string): void {
  try {
    linkSync(part, path)
    rmSync(part)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw exists(path, error)
    renameSync(part, path)
  }
}

const exists = (path: string, cause?: unknown): HubError => refused(`${path} exists; an export is a new file`, cause)

const refused = (rule: string, cause?: unknown): HubError =>
  new HubError('configuration_invalid', `--export: ${rule}.`, { cause })
