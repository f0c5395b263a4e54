import { stat } from 'node:fs/promises'
import { HubError } from '../../src/errors.ts'
import type { TransportLog } from '../../src/transport.ts'

/** A file that publishes go to is looked at no more often than this. */
const recheckAfterMs = 1000

/**
 * Whether a log's files are still those that were opened. One that is deleted or replaced stays open here, and takes updates that
 * nobody will find again; without the files of the locks, another hub would write as well.
 */
export class FileIdentity {
  readonly #path: string
  readonly #identities: ReadonlyMap<string, string | undefined>
  readonly #log: TransportLog
  #checkedAtMs = performance.now()
  #reason: string | undefined

  static async of(path: string, log: TransportLog): Promise<FileIdentity> {
    const paths = [path, `${path}-lock`, `${path}-writer`]
    return new FileIdentity(
      path,
      new Map(await Promise.all(paths.map(async file => [file, await identify(file)] as const))),
      log,
    )
  }

  private constructor(path: string, identities: ReadonlyMap<string, string | undefined>, log: TransportLog) {
    this.#path = path
    this.#identities = identities
    this.#log = log
  }

  /** @throws HubError `transport_unavailable` once the files have been found to be others. That stays so. */
  require(): void {
    if (this.#reason !== undefined) throw new HubError('transport_unavailable', this.#reason)
  }

  get isLost(): boolean {
    return this.#reason !== undefined
  }

  /** Looks again, unless that was done a moment ago. */
  recheck(): Promise<void> | undefined {
    return performance.now() < this.#checkedAtMs + recheckAfterMs ? undefined : this.check()
  }

  async check(): Promise<void> {
    if (this.#reason !== undefined) return
    this.#checkedAtMs = performance.now()
    for (const [file, identity] of this.#identities) {
      // What else fails than to find it says nothing of the file.
      if ((await identify(file).catch(() => identity)) === identity) continue
      this.#lose(file)
      return
    }
  }

  #lose(file: string): void {
    if (this.#reason !== undefined) return
    this.#reason = `The file ${file} was deleted or replaced while this hub had it open: nothing can be stored any more. Put it back if it was moved, then restart the hub.`
    this.#log.error(
      {},
      `${this.#reason} Publishers are refused; updates of the last second may be missing in ${this.#path}.`,
    )
  }
}

/** The device and the number of a file on it; `undefined`: there is none. */
async function identify(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true })
    return `${dev}:${ino}`
  } catch (error) {
    if (/^(ENOENT|ENOTDIR)$/.test((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
