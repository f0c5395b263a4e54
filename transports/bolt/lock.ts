import { DatabaseSync } from 'node:sqlite'
import { HubError } from '../../src/errors.ts'
import { messageOf } from './failure.ts'
import { createBeside, requireAccess } from './regular-file.ts'

/** What SQLite answers when another connection, of this or another process, has the lock. */
const busy = 5

/**
 * Takes the lock of a log that only one process may write to: a lock of the operating system on an empty file beside it, which goes
 * with the process however that ends, and which holds between containers that share a volume. LMDB's own locks would let
 * several processes write in turn, and none of them would hear of the others' updates.
 *
 * Node has no call for such a lock, but the SQLite in it takes one for a transaction; nothing is written.
 *
 * @returns `undefined` while another process, or another part of this one, has it
 */
export async function lock(log: string): Promise<{ release(): void } | undefined> {
  const path = `${log}-writer`
  // SQLite opens what it may not write for reading, and its lock then excludes nobody.
  await requireAccess(path, { write: true })
  await createBeside(path, log)
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: 0 })
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (cause) {
    database?.close()
    if ((cause as { errcode?: number }).errcode === busy) return undefined
    throw new HubError(
      'transport_unavailable',
      `The lock ${path} cannot be taken: ${messageOf(cause)}. It is an empty file that the hub makes; remove it if no hub writes the log.`,
      { cause },
    )
  }
  const held = database
  return {
    release() {
      if (held.isOpen) held.close()
    },
  }
}
