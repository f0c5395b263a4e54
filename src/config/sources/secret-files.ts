import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { HubError } from '../../errors.ts'
import { parseDsn } from '../dsn.ts'
import type { Path, Report } from '../problem.ts'
import { describeReadFailure } from '../read-failure.ts'
import { roles } from '../roles.ts'
import type { Settings } from '../schema.ts'

/**
 * Reads the files that the `…_file` keys name into the keys that they stand for, less one line break at the end.
 * The certificate's files get absolute names and are only tried.
 * @param directoryOf where relative names start that are the value of a key
 */
export async function readFiles(
  settings: Settings,
  directoryOf: (key: string) => string,
  report: Report,
): Promise<void> {
  const read = async (path: Path, file: string): Promise<string | null> => {
    const directory = directoryOf(String(path[0]))
    try {
      return await readFile(resolve(directory, file), 'utf8')
    } catch (error) {
      report(path, `the file cannot be read: ${describeReadFailure(error)}. Relative names start at ${directory}.`)
      return null
    }
  }
  const readSecret = async (path: Path, file: string | null, value: unknown): Promise<string | null> => {
    if (file === null) return null
    if (value !== null) report(path, `${String(path.at(-1)).replace(/_file$/, '')} is set, too: give one of the two.`)
    const secret = (await read(path, file))?.replace(/\r?\n$/, '') ?? null
    if (secret !== '') return secret
    report(path, 'the file is empty.')
    return null
  }

  for (const key of ['jwt_key', 'publisher_jwt_key', 'subscriber_jwt_key', 'admin_secret'] as const) {
    settings[key] = (await readSecret([`${key}_file`], settings[`${key}_file`], settings[key])) ?? settings[key]
  }
  for (const [at, issuer] of settings.issuers.entries()) {
    for (const name of roles) {
      const role = issuer[name]
      if (role !== undefined)
        role.key = (await readSecret(['issuers', at, name, 'key_file'], role.key_file, role.key)) ?? role.key
    }
  }
  const transportUrl = await readSecret(['transport_url_file'], settings.transport_url_file, settings.transport_url)
  try {
    if (transportUrl !== null) settings.transport_url = parseDsn(transportUrl)
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    report(['transport_url_file'], error.message)
  }
  for (const key of ['cert_file', 'key_file'] as const) {
    const file = settings[key]
    if (file === null) continue
    settings[key] = resolve(directoryOf(key), file)
    await read([key], file)
  }
}
