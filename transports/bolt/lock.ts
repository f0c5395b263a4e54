import { open } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'

/** What SQLite answers when another connection, of this or another process, has the lock. */
const busy = 5

/**
 * Takes the lock of a file that only one process may write to: a lock of the operating system on an empty file beside it, which goes
 * with the process however that ends, and which holds between containers that share a volume. LMDB's own locks would let
 * several processes write in turn, and none of them would hear of the others' updates.
 *
 * Node has no call for such a lock, but the SQLite in it takes one for a transaction; nothing is written.
 *
 * @returns `undefined` while another process, or another part of this one, has it
 */
export async function lock(path: string): Promise<{ release(): void } | undefined> {
  await createEmpty(path)
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === busy) return undefined
    throw error
  }
  return { release: () => database.close() }
}

/** For the owner only, as the log is. An existing file is not opened: closing it again would drop this process's locks on it. */
async function createEmpty(path: string): Promise<void> {
  try {
    await using _file = await open(path, 'ax', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
